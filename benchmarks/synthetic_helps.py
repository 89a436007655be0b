"""Do tiles that are made up help a detector on real tiles of a brain that nothing was learned from?

    python benchmarks/synthetic_helps.py --data ../shared/data/cells_cfos --held-out brain1147 \\
        --generator best.safetensors --published method.safetensors --layout layout.json --work WORK

The generators and the layout are of the other brains. Real tiles are single slices of 96 px; those that are learned
from have heatmaps that a made-up crowd agreed on (`volumetric.crowd.simulate`, `volumetric consensus`), those of the
brain left out have its cells. Networks see one slice. Each is scored by average precision and by the F1 that is best
for the brain, at 3, 5 and 7 px: the mean of the seeds, with intervals of a bootstrap over the brain's volumes; so are
differences, of the same volumes. Trainings are kept in WORK and not done again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from pipelines.bench.run import machine
from pipelines.scored import find, found_in
from pipelines.train_detector.config import Config
from pipelines.train_detector.material import tile_training
from pipelines.train_detector.network import Networks, Phase
from volumetric.crowd.simulate import DECOY_VISIBILITY, DECOYS, VISIBILITY, simulate, usual_workers
from volumetric.detection.evaluate import Found
from volumetric.detection.losses import joint_loss
from volumetric.detection.model import DetectorSettings, load_detector
from volumetric.detection.samples import TrainingVolume
from volumetric.detection.tileset import Tile, read_tiles
from volumetric.points.curves import ScoredTile, curve, score_tile
from volumetric.storage.provenance import versions

PX, EVERY, SEEN = 96, 5, 1.0
"""Edge of a tile, distance of the slices taken, slices from its centre in which a cell is seen."""

TOLERANCES_PX = (3, 5, 7)
SHARES = (0.1, 0.25, 0.5, 1.0)
SYNTHETIC, WORKERS, COVERAGE = 400, 20, 0.5
RESAMPLES = 300
CLI = [sys.executable, "-m", "pipelines.cli"]
UNIT = (1.0, 1.0, 1.0)

ALL_SURE = "fitted layout, every spot a cell"
"""The same tiles without how likely people mark each spot."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="volumes with known cells, of several brains")
    parser.add_argument("--held-out", required=True, help="the brain that is scored")
    parser.add_argument("--generator", type=Path, required=True, help="of mode best")
    parser.add_argument("--published", type=Path, required=True, help="of mode method")
    parser.add_argument("--layout", type=Path, required=True, help="fitted layout")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=400, help="of each training, on synthetic as on real tiles")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    began = time.time()
    known, test = options.work / "real", options.work / "held-out"
    cut(options.data, options.held_out, known, test)
    ask_crowd(known)
    made = {
        "method layout, published generator": synthesized(options.published, "method", options.work / "published"),
        "method layout": synthesized(options.generator, "method", options.work / "method-layout"),
        "fitted layout": synthesized(options.generator, str(options.layout), options.work / "fitted-layout"),
        "physics": synthesized(Path("physics"), str(options.layout), options.work / "physics"),
    }
    sure = {ALL_SURE: [replace(tile, heatmap=None, confidence=None) for tile in made["fitted layout"]]}
    proof = Proof(read_tiles(known, UNIT), read_tiles(test, UNIT), made, sure, options.work, options.steps)
    means = {name: resampled([proof.scored(name, seed) for seed in options.seeds]) for name in proof.names}
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": versions(),
        "held_out": options.held_out,
        "tiles": {"learned": len(proof.known), "held_out": len(proof.test), "synthetic": SYNTHETIC},
        "settings": {"px": PX, "steps": options.steps, "seeds": options.seeds, "workers": WORKERS},
        "seconds": round(time.time() - began),
        "results": {name: with_ends(each) for name, each in means.items()},
        "differences": {
            f"{one} less {other}": with_ends(less(means[one], means[other])) for one, other in proof.compared
        },
    }
    show(record["results"])
    path = options.out / "synthetic_helps.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def cut(data: Path, held_out: str, known: Path, test: Path) -> None:
    """Single slices as tiles: of the brain that is scored, and of all others."""
    if (test / "tiles.csv").is_file():
        return
    rows: dict[Path, list[dict[str, str]]] = {known: [], test: []}
    for tile in read_tiles(data, UNIT):
        folder = test if tile.brain == held_out else known
        folder.mkdir(parents=True, exist_ok=True)
        y0, x0 = ((n - PX) // 2 for n in tile.image.shape[1:])
        for z in range(EVERY // 2, len(tile.image), EVERY):
            name = f"{tile.name}-{z:03d}"
            cells = tile.cells[np.abs(tile.cells[:, 0] - z) <= SEEN, 1:] - (y0, x0)
            cells = cells[np.all((cells >= -0.5) & (cells < PX - 0.5), axis=1)]
            tifffile.imwrite(folder / f"{name}.tif", tile.image[z, y0 : y0 + PX, x0 : x0 + PX])
            pd.DataFrame(cells, columns=["y", "x"]).to_csv(folder / f"{name}_cells.csv", index=False)
            rows[folder].append({"tile": name, "brain": tile.brain, "volume": tile.name})
    for folder, table in rows.items():
        pd.DataFrame(table).to_csv(folder / "tiles.csv", index=False)


def ask_crowd(folder: Path) -> None:
    """Put the heatmaps that a made-up crowd agrees on in the place of a folder's cells."""
    work = folder.parent / "crowd"
    if not (work / "consensus" / "workers.csv").is_file():
        work.mkdir(exist_ok=True)
        rng = np.random.default_rng(1)
        tiles = {tile.name: tile.cells[:, 1:] for tile in read_tiles(folder, UNIT)}
        looks, visibility = {}, {}
        for name, cells in tiles.items():
            decoys = rng.uniform(0, PX - 1, (rng.poisson(DECOYS * len(cells)), 2))
            looks[name] = np.concatenate([cells, decoys])
            visibility[name] = np.concatenate(
                [rng.normal(*VISIBILITY, len(cells)), rng.normal(*DECOY_VISIBILITY, len(decoys))]
            )
        clicks, shown = simulate(
            looks,
            dict.fromkeys(tiles, (PX, PX)),
            usual_workers(WORKERS, rng),
            coverage=COVERAGE,
            visibility=visibility,
            seed=1,
        )
        clicks.to_csv(work / "clicks.csv", index=False)
        shown.to_csv(work / "shown.csv", index=False)
        command = ["consensus", work / "clicks.csv", "--shown", work / "shown.csv", "--tiles", folder]
        run(*command, "--out", work / "consensus")
    for heatmap in (work / "consensus" / "truth").glob("*_heatmap.tif"):
        (folder / heatmap.name.replace("_heatmap.tif", "_cells.csv")).unlink(missing_ok=True)
        target = folder / heatmap.name
        if not target.exists():
            target.symlink_to(heatmap.resolve())


def synthesized(generator: Path, layout: str, out: Path) -> list[Tile]:
    """Tiles that are made up."""
    run("synthesize", generator, "--layout", layout, "-n", SYNTHETIC, "--px", PX, "--out", out)
    return read_tiles(out, UNIT)


def run(*arguments: object) -> None:
    """A command of the program."""
    subprocess.run([*CLI, *map(str, arguments)], check=True)


@dataclass(frozen=True)
class Proof:
    """Tiles to learn from and to be scored on; trainings by name, as `synthetic tiles > share of the real ones`.

    `others` are synthetic tiles of which only the smallest and the largest share of the real ones is learned from then.
    """

    known: Sequence[Tile]
    test: Sequence[Tile]
    made: Mapping[str, Sequence[Tile]]
    others: Mapping[str, Sequence[Tile]]
    work: Path
    steps: int

    @property
    def names(self) -> list[str]:
        """Synthetic alone, real alone, synthetic and then real."""
        real = [f"{share:.0%} real" for share in SHARES]
        after = [f"{other} > {name}" for other in self.others for name in (real[0], real[-1])]
        return [*self.made, *real, *(f"fitted layout > {name}" for name in real), *self.others, *after]

    @property
    def compared(self) -> list[tuple[str, str]]:
        """What the figures are to tell: real tiles after synthetic ones against either alone; layouts."""
        both = [f"fitted layout > {share:.0%} real" for share in SHARES]
        alone = [(name, "fitted layout") for name in both]
        without = [(name, name.partition(" > ")[2]) for name in both]
        made = [("fitted layout", name) for name in ("method layout", "physics", *self.others)]
        return [*alone, *without, *made]

    def scored(self, name: str, seed: int) -> list[dict[int, ScoredTile]]:
        """Of each volume of the brain left out, what a network finds, at every tolerance."""
        networks = Networks(SETTINGS, self._config(seed), self.work / f"seed-{seed}", dropout=0.2)
        first, _, real = name.rpartition(" > ")
        label = labelled(name)
        table = networks.work / f"{label}.parquet"
        if not table.is_file():
            start = labelled(first) if first else None
            made = {**self.made, **self.others}
            volumes = self._real(real, seed) if real.endswith(" real") else tile_training(made[name])
            networks.work.mkdir(parents=True, exist_ok=True)
            phase = Phase(label, [(volumes, 1.0)], joint_loss, self.steps, 1 + self.names.index(name), start)
            networks.fit(phase)
            find(self.test, load_detector(networks.checkpoint(label)), table)
        found = found_in(self.test, table, SETTINGS)
        volumes_of = [tile.name.rpartition("-")[0] for tile in self.test]
        result = []
        for volume in dict.fromkeys(volumes_of):
            of_volume = [i for i, own in enumerate(volumes_of) if own == volume]
            result.append({px: joined([self._one(i, found[i], px) for i in of_volume]) for px in TOLERANCES_PX})
        return result

    def _one(self, i: int, found: Found, px: int) -> ScoredTile:
        return score_tile(self.test[i].cells_um, found.points_um, found.score, px)

    def _real(self, name: str, seed: int) -> list[TrainingVolume]:
        """A share of the real tiles, drawn anew for each seed; a larger share holds a smaller one."""
        share = int(name.partition("%")[0]) / 100
        order = np.random.default_rng(seed).permutation(len(self.known))
        return tile_training([self.known[i] for i in order[: round(share * len(order))]])

    @staticmethod
    def _config(seed: int) -> Config:
        return Config(seed=seed, batch=16, window_px=64, device="auto")


SETTINGS = DetectorSettings(channels=(48,), stride=1, neighbours=0)
"""Of all networks: those of the shipped detector, but for the slices beside."""


def labelled(name: str) -> str:
    """Of a training, as a file is named."""
    return name.replace(" ", "-").replace(",", "").replace("%", "").replace(">", "then")


def joined(tiles: Sequence[ScoredTile]) -> ScoredTile:
    """The tiles of a volume as one, which is drawn as one."""
    score, hit = (np.concatenate([getattr(tile, name) for tile in tiles]) for name in ("score", "hit"))
    return ScoredTile(score, hit, sum(tile.n_truth for tile in tiles))


Figure = Callable[[Sequence[ScoredTile]], float]
FIGURES: Mapping[str, Figure] = {
    "ap": lambda tiles: curve(tiles).average_precision,
    "f1": lambda tiles: float(curve(tiles).f1.max(initial=0.0)),
}

OfSeeds = Sequence[Sequence[Mapping[int, ScoredTile]]]
Means = Mapping[tuple[int, str], np.ndarray]
"""By tolerance and figure, (1 + draws,): the figure of the volumes as they are, then of each draw."""


def resampled(of_seeds: OfSeeds) -> Means:
    """The mean over seeds of each figure; then the same of volumes drawn with replacement, equal draws each time."""
    rng, count = np.random.default_rng(0), len(of_seeds[0])
    draws = [np.arange(count), *rng.integers(count, size=(RESAMPLES, count))]
    return {
        (px, name): np.asarray([np.mean([figure([seed[i][px] for i in d]) for seed in of_seeds]) for d in draws])
        for px in TOLERANCES_PX
        for name, figure in FIGURES.items()
    }


def with_ends(means: Means) -> dict[str, dict[str, list[float]]]:
    """Value, low and high of each figure at each tolerance."""
    result: dict[str, dict[str, list[float]]] = {f"{px}px": {} for px in TOLERANCES_PX}
    for (px, name), many in means.items():
        ends = (many[0], *np.quantile(many[1:], [0.025, 0.975]))
        result[f"{px}px"][name] = [round(float(value), 4) for value in ends]
    return result


def less(one: Means, other: Means) -> Means:
    """Differences, draw by draw."""
    return {key: many - other[key] for key, many in one.items()}


def show(results: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]) -> None:
    """Print the table."""
    print(f"{'learned from':38}" + "".join(f"{f'AP {px} px':>25}" for px in TOLERANCES_PX))
    for name, row in results.items():
        cells = (row[f"{px}px"]["ap"] for px in TOLERANCES_PX)
        print(f"{name:38}" + "".join(f"{f'{v:.3f} ({low:.3f} to {high:.3f})':>25}" for v, low, high in cells))


if __name__ == "__main__":
    main()

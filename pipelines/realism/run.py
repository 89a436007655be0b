"""Realism: how alike synthetic tiles and real ones are, beside how alike two halves of the real ones are.

Inputs: folders of synthetic and of real tiles (`volumetric.detection.tileset`), and of other real ones, if any. Planes
of all are put on one scale and cut to one size.

OUT/realism.json   each figure, its floor (two halves of the real tiles), the ratio of the two; each set summed up
OUT/realism.png    distributions, spectra, and synthetic tiles beside their nearest real ones

    measure   one task a set
    floor     one task a halving
    publish   one step

Capacity: the tiles of a set in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines.realism.figure import realism_figure
from pipelines.realism.inputs import (
    Config,
    Shown,
    TileFolder,
    common_px,
    measure_folder,
    read_measured,
    scale_of,
)
from pipelines.report.picture import render
from volumetric.blocks.batches import Batches
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Cost, Facts, Plan
from volumetric.blocks.reduction import Reduction
from volumetric.storage.atomic import read_json, replacing, write_json
from volumetric.storage.provenance import folder_identity, versions
from volumetric.synthesis.realism import Sides, compare, floor_of, groups_of, planes_of, ratios
from volumetric.synthesis.scale import Scale
from volumetric.synthesis.two_sample import area_interval

VERSION = 2
PICTURE_BYTES = 600 * 2**20
"""Of a picture, or a classifier at work: an upper estimate."""

WORDS = {
    "js_histogram": "brightness, JS bits",
    "js_background": "background, JS bits",
    "log_power_mae": "log10 of power",
    "signal_minus_background": "light of cells, of 255",
    "signal_difference": "  less that of real",
    "classifier_auc": "classifier, AUC",
    "nearest_distance_median": "nearest tile, median sd",
    "nearest_distance_mean": "nearest tile, mean sd",
}

NO_DISTANCE = ("signal_minus_background", "classifier_auc")
"""Figures of which a multiple says nothing."""

AT_ISSUE = {
    "js_histogram": "how bright pixels are",
    "js_background": "how bright the background is",
    "log_power_mae": "how much light varies at which scale",
    "signal_difference": "how far cells stand above the background",
    "nearest_distance_median": "the five figures of light and texture",
}
"""The figures that are distances, in words."""


@dataclass(frozen=True)
class Job:
    """A comparison, prepared."""

    folders: tuple[TileFolder, ...]
    scale: Scale
    px: int
    config: Config
    out: Path
    work: Path

    def measure(self, numbers: range) -> Facts:
        """Measure sets."""
        for number in numbers:
            folder = self.folders[number]
            measure_folder(folder, self.scale, self.px, self.config, self._kept(folder.name))
        return {}

    def halve(self, numbers: range) -> Facts:
        """Compare halves of the real set: by tiles, and by planes whatever tile they are of."""
        real = self._read("real").measured
        unit = real.features.std(axis=0)
        for number in numbers:
            seed = (self.config.seed, number)
            found = {
                name: compare(Sides.halves(real, by(real), seed), unit, self.config.seed + number)
                for name, by in (("tiles", groups_of), ("planes", planes_of))
            }
            write_json(self._split(number), found)
        return {}

    def publish(self) -> Facts:
        """Write all figures."""
        sets = {folder.name: self._read(folder.name) for folder in self.folders}
        real = sets["real"].measured
        unit, seed = real.features.std(axis=0), self.config.seed
        sides = {name: Sides.of(one.measured, real) for name, one in sets.items() if name != "real"}
        figures = {name: compare(one, unit, seed) for name, one in sides.items()}
        splits = [read_json(self._split(number)) for number in range(self.config.splits)]
        floors = {name: floor_of([split[name] for split in splits]) for name in ("tiles", "planes")}
        floor = floors["tiles"][0]
        record = {
            **figures["synthetic"],
            "classifier_auc_interval": self._interval(sides["synthetic"]),
            "floor": {**floor, "range": floors["tiles"][1]},
            "ratio": ratios(figures["synthetic"], floor),
            "halves": "tiles" if real.tiles > 1 else "planes",
            "floor_by_planes": {**floors["planes"][0], "range": floors["planes"][1]},
            "ratio_by_planes": ratios(figures["synthetic"], floors["planes"][0]),
            "against": self._against(figures, floor, sides),
            "sets": {name: one.measured.summary() for name, one in sets.items()},
            "n_tiles": {name: one.measured.tiles for name, one in sets.items()},
            "n_planes": {name: len(one.measured) for name, one in sets.items()},
            "scale": self.scale,
            "px": self.px,
            "config": self.config.model_dump(mode="json"),
            "versions": versions(),
        }
        with replacing(self.out / "realism.png") as temporary:
            temporary.write_bytes(render(realism_figure(sets, record), "png"))
        write_json(self.out / "realism.json", record)
        return record

    def _against(self, figures: dict[str, Any], floor: Any, sides: dict[str, Sides]) -> dict[str, Any] | None:  # noqa: ANN401
        """Other real tiles in the place of the synthetic ones."""
        if "against" not in figures:
            return None
        return {
            **figures["against"],
            "classifier_auc_interval": self._interval(sides["against"]),
            "ratio": ratios(figures["against"], floor),
        }

    def _interval(self, sides: Sides) -> list[float] | None:
        scores = sides.scores(self.config.seed)
        return None if scores is None else list(area_interval(*scores, sides.groups, self.config.seed))

    def _read(self, name: str) -> Shown:
        return read_measured(self._kept(name))

    def _kept(self, name: str) -> Path:
        return self.work / f"{name}.npz"

    def _split(self, number: int) -> Path:
        return self.work / "halves" / f"{number:05d}.json"


def plan(synthetic: Path, real: Path, out: Path, work: Path, config: Config, *, against: Path | None = None) -> Plan:
    """The work of a comparison; raises `InputError` for tiles that cannot be compared."""
    given = {"synthetic": synthetic, "real": real, **({"against": against} if against else {})}
    folders = [TileFolder.of(name, path) for name, path in given.items()]
    px, scale = common_px(folders, config), scale_of(synthetic, config)
    job = Job(tuple(folders), scale, px, config, out, work)
    pixels = max(folder.planes(px, config.every) for folder in folders) * px**2
    each = max(folder.bytes_at_work(config.every) for folder in folders)
    return Plan(
        stage="realism",
        version=VERSION,
        config={**config.model_dump(mode="json"), "scale": scale, "px": px},
        inputs={name: folder_identity(path) for name, path in given.items()},
        passes=(
            Batches("measure", len(folders), 1, job.measure, Cost(0, pixels, each)),
            Batches("floor", config.splits, 1, job.halve, Cost(0, 2**12, PICTURE_BYTES // 4 + 2 * pixels)),
            Reduction("publish", job.publish, Cost(0, 2**22, PICTURE_BYTES + 3 * pixels)),
        ),
        outputs=(out / "realism.json", out / "realism.png"),
    )


def print_summary(out: Path, ledger: Ledger, console: Console) -> None:
    """Say how alike they are."""
    record: dict[str, Any] = dict(ledger.facts()["publish"])
    say = partial(console.print, highlight=False, soft_wrap=True)
    against = record["against"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "synthetic", "real halves", "ratio", *(["other real", "ratio"] if against else [])):
        table.add_column(column, justify="right" if column else "left")
    for name, words in WORDS.items():
        cells = [record[name], record["floor"][name], None if name in NO_DISTANCE else record["ratio"][name]]
        cells += [against[name], None if name in NO_DISTANCE else against["ratio"][name]] if against else []
        table.add_row(words, *(_text(value) for value in cells))
    console.print(table)
    for sentence in sentences(record):
        say(sentence)
    say(f"figures: {out / 'realism.json'}; look at {out / 'realism.png'}")


def sentences(record: dict[str, Any]) -> list[str]:
    """What the figures mean, in words."""
    planes, tiles = record["n_planes"], record["n_tiles"]
    said = [
        f"{planes['synthetic']:,} synthetic planes of {tiles['synthetic']:,} tiles, {planes['real']:,} real ones of "
        f"{tiles['real']:,}; {record['px']} px, scale {record['scale']}"
    ]
    area, usual = record["classifier_auc"], record["floor"]["classifier_auc"]
    low, high = record["classifier_auc_interval"]
    beside = "too few to be halved" if usual is None else f"{usual:.0%} for two halves of the real ones"
    if record["against"]:
        beside += f", {record['against']['classifier_auc']:.0%} for the other real ones"
    said.append(
        f"shown a synthetic and a real tile, a classifier names the synthetic one in {area:.0%} of cases "
        f"(95%: {low:.0%} to {high:.0%}; 50% is chance); {beside}"
    )
    worst = _worst(record["ratio"])
    if worst:
        name, ratio = worst
        said.append(f"farthest from real tiles: {AT_ISSUE[name]}, {ratio:.1f} times what two halves of them differ by")
    if record["js_background"] is None or record["signal_difference"] is None:
        said.append("cells are not known on both sides: figures that need them are left out")
    if record["halves"] == "planes":
        said.append("the real tiles are one volume: halves are of its planes, and differ less than two volumes would")
    return said


def _worst(ratio: dict[str, float | None]) -> tuple[str, float] | None:
    """The distance that is most above its floor."""
    known = [(name, value) for name in AT_ISSUE if (value := ratio[name]) is not None]
    return max(known, key=lambda one: one[1]) if known else None


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}" if abs(value) < 0.1 else f"{value:.2f}"

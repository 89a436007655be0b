"""Do cells of a brain that was left out lie as the fitted layouts of the others, and as the method's?

python benchmarks/layouts.py --data ../shared/data/cells_cfos --work WORK [--every 5 10] [--out FILE]

c-Fos volumes of three brains, windows of 96 px of planes some slices apart; a cell is seen in the plane next to its
own. Planes 5 apart share no cell, but are otherwise near each other: it is also told whether cells of neighbouring
planes lie independently (the pair correlation across planes of one volume, beside that of planes shifted by chance).
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from pipelines.bench.run import machine
from pipelines.config import Resources
from pipelines.fit_layout import Config, plan, print_summary
from pipelines.fit_layout.inputs import Known, read_known
from pipelines.stage import Stage, run
from volumetric.storage.atomic import write_json
from volumetric.storage.provenance import versions
from volumetric.synthesis.envelopes import envelope

Floats = npt.NDArray[np.float64]

SIZE, SIMULATIONS, SEED = 96, 499, 1
EDGES = np.arange(0.0, 25.0, 4.0)


def across(first: Sequence[Known], second: Sequence[Known]) -> Floats:
    """Pair correlation of cells of one plane with those of another, over pairs of planes; 1 for independent ones."""
    found, chance = np.zeros(len(EDGES) - 1), 0.0
    for one, other in zip(first, second, strict=True):
        a, b = one.tile.pattern, other.tile.pattern
        if len(a.yx) and len(b.yx):
            apart = np.abs(a.yx[:, None] - b.yx).reshape(-1, 2)
            places = np.prod(np.asarray(a.shape) - apart, axis=1)
            found += np.histogram(np.hypot(*apart.T), EDGES, weights=a.area_px / places)[0]
            chance += len(a.yx) * len(b.yx) / a.area_px
    return found / (np.pi * np.diff(EDGES**2) * chance)


def dependence(known: Sequence[Known]) -> dict[str, Any]:
    """Neighbouring planes beside the same planes shifted against each other by chance (around the edges)."""
    pairs = [(a, b) for a, b in itertools.pairwise(known) if a.unit == b.unit]
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    rng = np.random.default_rng(SEED)
    simulated = np.asarray([across(first, [_shifted(one, rng) for one in second]) for _ in range(299)])
    observed = across(first, second)
    found = envelope(observed, simulated)
    return {"observed": observed.round(3).tolist(), "p": found.p, "inside": found.inside}


def _shifted(one: Known, rng: np.random.Generator) -> Known:
    """A plane moved around its edges: as many cells, elsewhere."""
    pattern = one.tile.pattern
    size = np.asarray(pattern.shape)
    moved = (pattern.yx + 0.5 + rng.uniform(0, size)) % size - 0.5
    return replace(one, tile=replace(one.tile, pattern=replace(pattern, yx=moved)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--every", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "layouts.json")
    given = parser.parse_args()
    console, rows = Console(), []
    for every in given.every:
        begun = time.perf_counter()
        out, work = given.work / f"every-{every}.json", given.work / f"every-{every}"
        config = Config(every=every, size=SIZE, simulations=SIMULATIONS, seed=SEED)
        stage = Stage(plan([given.data], out, work, config), work)
        run([stage], Resources(workers=1), console)
        print_summary(out, stage.ledger, console)
        facts = stage.ledger.facts()["publish"]
        planes = dependence(read_known([given.data], every, SIZE))
        console.print(f"neighbouring planes {every} apart: p {planes['p']:.3f} of independent cells")
        rows.append(
            {
                "every": every,
                "planes": facts["planes"],
                "cells": facts["cells"],
                "process": facts["regions"][0]["process"],
                "marks": facts["regions"][0]["marks"],
                "held_out": [
                    {name: one[name] for name in ("brain", "planes", "cells", "pairs", "models")}
                    for one in facts["held_out"]
                ],
                "planes_independent": planes,
                "seconds": round(time.perf_counter() - begun, 1),
            }
        )
        record = {
            "question": "is g(r) of a brain left out inside the 95% envelopes of the fitted and the method's layouts?",
            "date": date.today().isoformat(),
            "machine": machine(),
            "versions": versions(),
            "size_px": SIZE,
            "simulations": SIMULATIONS,
            "seed": SEED,
            "rows": rows,
        }
        write_json(given.out, record)


if __name__ == "__main__":
    main()

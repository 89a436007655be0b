"""How exact is a registration, and what does it cost? Beside antspyx's own SyN and SyNCC, measured the same way.

    python benchmarks/registration.py real --data ../shared/data --atlas 200
    python benchmarks/registration.py warps --data ../shared/data --atlas 200

`real`: a real brain to the CCF. Figure: correlation of the brain, seen in the atlas, with the template over
annotation > 0, both clipped at the 99.5th percentile. `warps`: the template itself under a known smooth warp of at most
three voxels. Figures: mean Dice over all regions, and the distance of 10,000 mapped points from the truth. Every method
sees the same prepared image; each runs in a process of its own, two threads for the peers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import tifffile
from scipy import ndimage

from volumetric.atlas.atlas import Atlas
from volumetric.atlas.labels import labels_on_grid
from volumetric.atlas.loader import load_atlas
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.registration import quality
from volumetric.registration.align import Alignment
from volumetric.registration.prepare import Prepared, normalise, prepare
from volumetric.registration.register import maps_of, register
from volumetric.storage.provenance import versions

WARP_VOX = 3.0
WARP_SIGMA_VOX = 8.0
BRAIN = VoxelSpace((50.0, 40.0, 40.0))
PEER = """
import sys, ants, numpy as np
from volumetric.registration.ants import field_from_ants, linear_from_ants
folder, kind, um = sys.argv[1], sys.argv[2], float(sys.argv[3])
images = [ants.from_numpy(np.load(f"{folder}/{name}.npy").transpose(2, 1, 0).copy(), spacing=[um / 1000] * 3,
    origin=list(np.load(f"{folder}/{name}_origin.npy")[::-1] / 1000)) for name in ("fixed", "moving")]
found = ants.registration(*images, kind, random_seed=1)
linear = ants.read_transform(found["fwdtransforms"][1])
np.save(f"{folder}/linear.npy", linear_from_ants(linear.parameters, linear.fixed_parameters))
np.save(f"{folder}/warp.npy", field_from_ants(ants.image_read(found["fwdtransforms"][0]).numpy()))
np.save(f"{folder}/inverse_warp.npy", field_from_ants(ants.image_read(found["invtransforms"][1]).numpy()))
"""

Maps = tuple[SmoothMap, SmoothMap]


@dataclass(frozen=True)
class Measured:
    there: SmoothMap
    back: SmoothMap
    seconds: float
    peak_memory_mb: float


def by_peer(kind: str, sample: Prepared, atlas: Atlas) -> Maps:
    with tempfile.TemporaryDirectory() as folder:
        for name, image, origin in (
            ("fixed", normalise(atlas.template), atlas.space.origin_um),
            ("moving", sample.image, sample.space.origin_um),
        ):
            np.save(f"{folder}/{name}.npy", image)
            np.save(f"{folder}/{name}_origin.npy", origin)
        environment = {**os.environ, "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "2"}
        command = [sys.executable, "-c", PEER, folder, kind, str(atlas.space.spacing_um[0])]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        linear, warp, inverse = (np.load(f"{folder}/{name}.npy") for name in ("linear", "warp", "inverse_warp"))
    return maps_of(sample, Alignment(linear, warp, inverse, atlas.space))


def by_us(preset: str, sample: Prepared, atlas: Atlas) -> Maps:
    found = register(sample, atlas.template, atlas.space, preset=preset)
    return found.sample_to_atlas, found.atlas_to_sample


METHODS: dict[str, Callable[[Prepared, Atlas], Maps]] = {
    "SyN": lambda sample, atlas: by_peer("SyN", sample, atlas),
    "SyNCC": lambda sample, atlas: by_peer("SyNCC", sample, atlas),
    **{name: (lambda sample, atlas, n=name: by_us(n, sample, atlas)) for name in ("fast", "standard", "accurate")},
}


def measured(method: str, sample: Prepared, atlas: Atlas) -> Measured:
    """Run a method; the memory is the peak of its child processes, sampled."""
    peak = 0
    import threading

    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.2):
            children = psutil.Process().children(recursive=True)
            for child in children:
                try:
                    peak = max(peak, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    try:
        there, back = METHODS[method](sample, atlas)
    finally:
        done.set()
        watcher.join()
    return Measured(there, back, time.monotonic() - began, peak / 1e6)


def common(found: Measured, atlas: Atlas) -> dict[str, float]:
    brain = atlas.annotation > 0
    consistency = quality.inverse_consistency_um(found.back, found.there, brain, np.random.default_rng(0))
    return {
        "seconds": round(found.seconds, 1),
        "peak_memory_mb": round(found.peak_memory_mb),
        "folding_fraction": quality.folding_fraction(found.back, brain),
        "inverse_consistency_vox": round(consistency / min(atlas.space.spacing_um), 3),
    }


def clipped(image: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    return np.minimum(image.astype(np.float32), np.float32(np.quantile(image, 0.995)))


def real(data: Path, atlas: Atlas, methods: list[str]) -> list[dict[str, object]]:
    pages = sorted((data / "brain_stpt" / "slices").glob("*"))
    sample = prepare(
        np.stack([tifffile.imread(page) for page in pages]), BRAIN, "psl", atlas.orientation, atlas.space.spacing_um
    )
    rows = []
    for method in methods:
        found = measured(method, sample, atlas)
        seen = quality.sample_through(sample.back.apply(sample.image), sample.sample_grid, found.back)
        ncc = quality.ncc_in_mask(clipped(atlas.template), seen, atlas.annotation > 0)
        rows.append({"method": method, "ncc_in_mask": round(ncc, 4), **common(found, atlas)})
        print(rows[-1], flush=True)
    return rows


def warps(atlas: Atlas, methods: list[str], seeds: int) -> list[dict[str, object]]:
    rows = []
    for seed in range(seeds):
        truth = known_warp(atlas, seed)
        image = quality.sample_through(atlas.template, atlas.space, truth)
        sample = prepare(image, atlas.space, atlas.orientation, atlas.orientation, atlas.space.spacing_um)
        labels, _ = labels_on_grid(truth, atlas)
        points = random_points(labels > 0, atlas.space, seed)
        for method in methods:
            found = measured(method, sample, atlas)
            guessed, _ = labels_on_grid(found.there, atlas)
            off = np.linalg.norm(found.there(points) - truth(points), axis=1) / min(atlas.space.spacing_um)
            row = {
                "method": method,
                "seed": seed,
                "mean_dice": round(mean_dice(labels, guessed), 4),
                "median_point_error_vox": round(float(np.median(off)), 3),
                "p95_point_error_vox": round(float(np.quantile(off, 0.95)), 3),
            }
            rows.append({**row, **common(found, atlas)})
            print(rows[-1], flush=True)
    return rows


def known_warp(atlas: Atlas, seed: int) -> SmoothMap:
    """Sample um to atlas um: a smooth random displacement of at most `WARP_VOX` voxels."""
    rng = np.random.default_rng(seed)
    warp = np.stack([ndimage.gaussian_filter(rng.standard_normal(atlas.shape), WARP_SIGMA_VOX) for _ in range(3)])
    warp *= WARP_VOX * min(atlas.space.spacing_um) / np.sqrt((warp**2).sum(axis=0)).max()
    return SmoothMap(np.eye(3, 4), warp.astype(np.float32), atlas.space)


def random_points(
    mask: npt.NDArray[np.bool_], space: VoxelSpace, seed: int, n: int = 10_000
) -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    index = np.argwhere(mask)
    return space.to_um(index[rng.integers(0, len(index), n)] + rng.uniform(-0.5, 0.5, (n, 3)))


def mean_dice(true: npt.NDArray[np.uint32], found: npt.NDArray[np.uint32]) -> float:
    """Over all regions of the truth, each the same weight; background left out."""
    ids, index = np.unique(np.stack([true, found]), return_inverse=True)
    one, other = index.reshape(2, -1)
    sizes = [np.bincount(part, minlength=len(ids)) for part in (one, other)]
    both = np.bincount(one[one == other], minlength=len(ids))
    regions = (ids > 0) & (sizes[0] > 0)
    return float(np.mean(2 * both[regions] / (sizes[0] + sizes[1])[regions]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["real", "warps"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--atlas", type=int, default=200, help="resolution in um")
    parser.add_argument("--methods", default="SyN,SyNCC,fast,standard,accurate")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    atlas = load_atlas(f"allen_mouse_{args.atlas}um", args.data / "atlas")
    methods = args.methods.split(",")
    rows = real(args.data, atlas, methods) if args.what == "real" else warps(atlas, methods, args.seeds)
    if args.out:
        known = json.loads(args.out.read_text()) if args.out.exists() else {}
        known |= {"date": str(date.today()), "machine": f"{os.cpu_count()} cores, {platform.machine()}"}
        known["versions"] = versions()
        known[f"{args.what}_{args.atlas}um"] = rows
        args.out.write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    main()

"""Which library should read blocks, and how much more is decoded than is needed?

python benchmarks/reading.py [--out FOLDER]      (needs the extra `bench`)

Reads a volume of the shipped layout as detection does: aligned blocks of one shard with the detector's halo, and,
for comparison, single unaligned tiles. Amplification is voxels decoded over voxels wanted.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipelines import ingest
from pipelines.bench.material import write_tissue
from pipelines.bench.run import machine
from pipelines.config import Resources
from volumetric.blocks.execute import Execution, execute
from volumetric.detection.infer import read_box
from volumetric.detection.model import load_detector
from volumetric.geometry.box import Box
from volumetric.geometry.grid import BlockGrid
from volumetric.storage.levels import CHUNK, SHARD
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.provenance import versions
from volumetric.storage.sources import open_source
from volumetric.storage.volume import Volume

Read = Callable[[Box], np.ndarray]
REPEATS = 3


def readers(volume: Volume) -> dict[str, Read]:
    import tensorstore
    import zarr

    path = volume.levels[0].path
    plain = zarr.open_array(path, mode="r")
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        rust = zarr.open_array(path, mode="r")
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
    context = tensorstore.Context({"data_copy_concurrency": {"limit": 1}, "file_io_concurrency": {"limit": 1}})
    store = tensorstore.open(spec, context=context).result()
    return {
        "zarr": lambda box: plain[(0, *box.slices)],
        "zarrs": lambda box: rust[(0, *box.slices)],
        "tensorstore": lambda box: store[(0, *box.slices)].read().result(),
    }


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(read: Read, boxes: list[Box]) -> dict[str, float]:
    read(boxes[0])
    gigabytes = sum(box.size for box in boxes) * 2 / 1e9
    runs = []
    for _ in range(REPEATS):
        began, before = time.perf_counter(), cpu_s()
        for box in boxes:
            read(box)
        runs.append((cpu_s() - before, time.perf_counter() - began))
    return {
        "cpu_s_per_gb": round(min(cpu for cpu, _ in runs) / gigabytes, 2),
        "megabytes_per_second": round(gigabytes * 1e3 / min(wall for _, wall in runs)),
    }


def amplification(boxes: list[Box], wanted: list[Box], shape: tuple[int, int, int]) -> float:
    decoded = sum(box.divide(CHUNK).multiply(CHUNK).clip(shape).size for box in boxes)
    return round(decoded / sum(box.size for box in wanted), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tissue(folder / "slices", 32, 4096)
        config, resources = ingest.Config(voxel_um=(5.0, 0.7, 0.7)), Resources()
        out = folder / "brain.ome.zarr"
        execute(ingest.plan(open_source(folder / "slices"), out, folder / "w", config, resources), folder / "w",
                Execution())  # fmt: skip
        volume = open_ome_zarr(out)
        detector = load_detector()
        blocks = [block.write for block in BlockGrid(volume.shape, SHARD)]
        with_halo = [read_box(box, volume.shape, detector) for box in blocks]
        rng = np.random.default_rng(0)
        corners = rng.integers((0, 0, 0), (16, 3500, 3500), (40, 3))
        tiles = [Box((z, y, x), (z + 16, y + 512, x + 512)) for z, y, x in corners.tolist()]
        for what, boxes, wanted in (("blocks with halo", with_halo, blocks), ("unaligned tiles", tiles, tiles)):
            results[what] = {
                "amplification": amplification(boxes, wanted, volume.shape),
                **{name: measure(read, boxes) for name, read in readers(volume).items()},
            }
            print(what, results[what], flush=True)
    record = {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "version": versions(), "results": results}
    (options.out / "reading.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()

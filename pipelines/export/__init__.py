"""Export: a finished run as the files that other tools open.

    brainglobe.py   cells.xml, all_points.csv, summary.csv, volumes.csv, points.npy
    braian.py       one CSV a brain
    napari.py       points.csv, brain.ome.zarr with coloured regions

Input: a run folder of `count`. Output: a new folder, whole or not at all. Capacity: a quarter of a million cells at a
time; the napari target holds one coarse level of the image as well.
"""

from pipelines.export.job import TARGETS, Job, Target, export_run, prepare

__all__ = ["TARGETS", "Job", "Target", "export_run", "prepare"]

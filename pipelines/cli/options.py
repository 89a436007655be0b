"""The flags and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

_source = typer.Argument(help="Slices (a folder of TIFFs, or one a channel), a TIFF stack, HDF5, Imaris, .npy or Zarr.")
SourceArg = Annotated[Path, _source]
MaybeSource = Annotated[Path | None, _source]
Voxel = Annotated[
    tuple[float, float, float] | None,
    typer.Option("--voxel-um", metavar="Z Y X", help="Voxel size in um: slice distance, row, column."),
]
Axes = Annotated[
    str | None,
    typer.Option(
        "--axes",
        metavar="ORDER",
        help="What the axes of an array (HDF5, .npy, Zarr) are, as stored, for example zyxc. Default: as named there.",
    ),
]
ChannelPattern = Annotated[
    str | None,
    typer.Option(
        "--channel-pattern",
        metavar="TEXT",
        help="Channels in one folder: the part of the names that tells them apart, with {c} for the channel and * for "
        "anything, for example '_C{c}'.",
    ),
]
Orientation = Annotated[
    str | None,
    typer.Option(help="Three letters: the side on which slices, rows and columns start, for example psl or asr."),
]
_atlas = typer.Option(
    "--atlas",
    metavar="NAME_OR_DIR",
    help="A BrainGlobe atlas name, NAME==VERSION for one version of it, or an atlas folder.",
)
AtlasName = Annotated[str, _atlas]
MaybeAtlas = Annotated[str | None, _atlas]
AtlasDir = Annotated[
    Path | None,
    typer.Option("--atlas-dir", help="Where named atlases are. Default: $VOLUMETRIC_ATLAS_DIR, else BrainGlobe's."),
]
Out = Annotated[Path, typer.Option("--out", help="Where to write.")]
Preset = Annotated[Literal["fast", "standard", "accurate"] | None, typer.Option(help="Registration effort.")]
ImagedPart = Annotated[
    Literal["whole", "left", "right", "part"] | None,
    typer.Option(
        "--imaged", help="What the image shows of the brain: whole, its left or right half, or a part. Default: found."
    ),
]
ExcludeMask = Annotated[
    Path | None,
    typer.Option(help="An image of the volume's extent, not 0 where tissue is damaged: neither fitted nor counted."),
]
LandmarksFile = Annotated[
    Path | None,
    typer.Option("--landmarks", help="CSV of places in brain and atlas (z_um ... atlas_x_um) that correct the fit."),
]
TrustOrientation = Annotated[
    bool | None, typer.Option("--trust-orientation", help="Go on where another orientation fits clearly better.")
]
KeepPoor = Annotated[
    bool | None, typer.Option("--keep-poor", help="Go on where the registration's quality is beyond use.")
]
Model = Annotated[
    Path | None,
    typer.Option(help="Detector: a checkpoint, or one of the package: cfos (default) or phantom."),
]
Block = Annotated[
    tuple[int, int, int] | None,
    typer.Option("--block", metavar="Z Y X", help="Voxels a detection task writes; changes speed, not results."),
]
Workers = Annotated[int | None, typer.Option(help="Tasks at once. Default: the number of cores.")]
Memory = Annotated[str | None, typer.Option(help="Most memory to use, for example 8GB (the default).")]
Device = Annotated[Literal["auto", "cpu", "cuda"] | None, typer.Option(help="Where the network runs.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help="Where tasks run: threads (default), local (processes), cuda (one a GPU), slurm (jobs, see --config), or "
        "the address of a dask scheduler, tcp://HOST:PORT.",
    ),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings in TOML; flags win over it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback where something fails.")]

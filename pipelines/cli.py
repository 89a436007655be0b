"""The command line: parse, configure, plan, print, run. Each command's work is in the file of its name."""

from __future__ import annotations

import itertools
import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console

import volumetric
from pipelines.config import Resources, load_file, make, overlay
from volumetric.errors import InputError, VolumetricError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.stage import Stage
    from pipelines.volume import Opened

app = typer.Typer(
    name="volumetric",
    help="How many labelled cells are in every region of a whole brain: from microscope slices to a report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console()
errors = Console(stderr=True)

SourceArg = Annotated[
    Path, typer.Argument(help="Slices (a folder of TIFFs, or one a channel), a TIFF stack, HDF5, Imaris, .npy or Zarr.")
]
Voxel = Annotated[
    tuple[float, float, float] | None,
    typer.Option("--voxel-um", metavar="Z Y X", help="Voxel size in um: slice distance, row, column."),
]
Orientation = Annotated[
    str | None,
    typer.Option(help="Three letters: the side on which slices, rows and columns start, for example psl or asr."),
]
AtlasName = Annotated[
    str, typer.Option("--atlas", metavar="NAME_OR_DIR", help="A BrainGlobe atlas name, or an atlas folder.")
]
AtlasDir = Annotated[
    Path | None,
    typer.Option("--atlas-dir", help="Where named atlases are. Default: $VOLUMETRIC_ATLAS_DIR, else BrainGlobe's."),
]
Out = Annotated[Path, typer.Option("--out", help="Where to write.")]
Preset = Annotated[Literal["fast", "standard"] | None, typer.Option(help="Registration effort.")]
Model = Annotated[Path | None, typer.Option(help="Detector checkpoint. Default: the one in the package.")]
Block = Annotated[
    tuple[int, int, int] | None,
    typer.Option("--block", metavar="Z Y X", help="Voxels a detection task writes; changes speed, not results."),
]
Workers = Annotated[int | None, typer.Option(help="Tasks at once. Default: the number of cores.")]
Memory = Annotated[str | None, typer.Option(help="Most memory to use, for example 8GB (the default).")]
Device = Annotated[Literal["auto", "cpu", "cuda"] | None, typer.Option(help="Where the network runs.")]
Executor = Annotated[
    Literal["threads", "dask"] | None, typer.Option(help="Threads of this process, or dask worker processes.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings in TOML; flags win over it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback where something fails.")]


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """How many labelled cells are in every region of a whole brain: from microscope slices to a report."""
    if show:
        console.print(f"volumetric {volumetric.__version__}", highlight=False)
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Argument(help="A folder for the phantom, the run and the score.")],
    atlas: Annotated[
        str | None,
        typer.Option("--atlas", metavar="NAME_OR_DIR", help="Anatomy to use. Default: a small one made in code."),
    ] = None,
    atlas_dir: AtlasDir = None,
    scale: Annotated[float | None, typer.Option(help="Size of the brain in parts of the atlas.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed gives another brain.")] = None,
    workers: Workers = None,
    memory: Memory = None,
    device: Device = None,
    executor: Executor = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Make a phantom brain with every cell known, count it, and score the count.

    Example: volumetric demo demo
    """
    from pipelines import demo as command

    settings = load_file(config)
    resources = _resources(settings, workers=workers, memory=memory, device=device, executor=executor)
    options = make(command.Config, **overlay(settings.get("demo", {}), atlas=atlas, scale=scale, seed=seed))
    command.run_demo(out, options, resources, console, atlas_dir=atlas_dir, dry_run=dry_run)


@app.command()
def ingest(
    source: SourceArg,
    out: Annotated[Path, typer.Argument(metavar="OUT.ome.zarr", help="The volume to write.")],
    voxel_um: Voxel = None,
    orientation: Orientation = None,
    channel: Annotated[list[str] | None, typer.Option(help="Name of a channel; repeat for several.")] = None,
    codec: Annotated[
        Literal["zstd-1", "zstd-3", "lz4"] | None,
        typer.Option(help="Compression: zstd-1 (default), zstd-3 (slower to write, quicker to read), lz4 (quickest)."),
    ] = None,
    ngff: Annotated[
        Literal["0.5", "0.4"] | None, typer.Option(help="OME-Zarr version. 0.4 has no shards and no checksums.")
    ] = None,
    sharded: Annotated[
        bool | None, typer.Option("--shards/--no-shards", help="Many chunks a file (default), or one.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Check a finished OUT and write only its damaged files again.")
    ] = False,
    workers: Workers = None,
    memory: Memory = None,
    executor: Executor = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Convert slices to a multiscale, sharded OME-Zarr. Interrupted, it resumes.

    Example: volumetric ingest slices/ brain.ome.zarr --voxel-um 5 0.7 0.7 --orientation psl
    """
    from pipelines.repair import repair as mend
    from pipelines.volume import convert
    from pipelines.workspace import work_beside
    from volumetric.storage.sources import open_source

    settings = load_file(config)
    resources = _resources(settings, workers=workers, memory=memory, executor=executor)
    table = overlay(
        settings.get("ingest", {}),
        voxel_um=voxel_um,
        orientation=orientation,
        channel_names=channel,
        codec=codec,
        ngff=ngff,
        sharded=False if ngff == "0.4" and sharded is None else sharded,
    )
    images = open_source(source)
    opened = convert(images, out, work_beside(out), resources, **table)
    _warn(opened.warnings)
    if repair:
        mend(images, out, table, resources, console, dry_run=dry_run)
    elif not dry_run and opened.stages[0].ledger.is_complete() and out.exists():
        console.print(
            f"{out} was complete before; nothing was done. `volumetric info {out} --verify` checks it",
            highlight=False,
            soft_wrap=True,
        )
    elif _go(opened.stages, resources, dry_run):
        console.print(f"wrote {out}: {' x '.join(map(str, opened.volume.shape))} voxels", highlight=False)


@app.command()
def info(
    volume: Annotated[Path, typer.Argument(help="An OME-Zarr, or images to be converted.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file again, check its checksums and name what is damaged.")
    ] = False,
    workers: Workers = None,
    debug: Debug = False,
) -> None:
    """Shape, voxel, levels, codec, size, orientation and completeness of a volume.

    Example: volumetric info brain.ome.zarr --verify
    """
    from pipelines.info import check_complete, show, verify_volume

    show(volume, console)
    if verify:
        verify_volume(volume, _resources({}, workers=workers), console)
    else:
        check_complete(volume, console)


@app.command()
def register(
    volume: SourceArg,
    atlas: AtlasName,
    out: Out,
    voxel_um: Voxel = None,
    orientation: Orientation = None,
    channel: Annotated[str | None, typer.Option(help="Channel to register on. Default: the first.")] = None,
    preset: Preset = None,
    atlas_dir: AtlasDir = None,
    workers: Workers = None,
    memory: Memory = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Register a brain to an atlas: transforms, labels in the brain's own space, quality and an overlay.

    Example: volumetric register brain.ome.zarr --atlas allen_mouse_50um --out registration/
    """
    from pipelines import register as command
    from pipelines.stage import Stage

    settings = load_file(config)
    resources = _resources(settings, workers=workers, memory=memory)
    opened = _volume(volume, out / ".work", settings, resources, voxel_um, orientation)
    options = make(command.Config, **overlay(settings.get("register", {}), atlas=atlas, channel=channel, preset=preset))
    work = out / ".work" / "register"
    plan = command.plan(opened.volume, command.open_atlas(options, atlas_dir), out, work, options)
    if _go([*opened.stages, Stage(plan, work)], resources, dry_run):
        command.print_summary(out, console)


@app.command()
def detect(
    volume: SourceArg,
    out: Annotated[Path, typer.Option("--out", metavar="CELLS.parquet", help="The table to write.")],
    voxel_um: Voxel = None,
    channel: Annotated[str | None, typer.Option(help="Channel that shows the cells. Default: the first.")] = None,
    model: Model = None,
    block: Block = None,
    workers: Workers = None,
    memory: Memory = None,
    device: Device = None,
    executor: Executor = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Find the cells of a volume: one row a cell.

    Example: volumetric detect crop.tif --voxel-um 6 1.62 1.62 --out cells.parquet
    """
    from pipelines import detect as command
    from pipelines.stage import Stage
    from pipelines.workspace import work_beside

    settings = load_file(config)
    resources = _resources(settings, workers=workers, memory=memory, device=device, executor=executor)
    work = work_beside(out)
    opened = _volume(volume, work, settings, resources, voxel_um, None)
    options = make(command.Config, **overlay(settings.get("detect", {}), channel=channel, model=model, block=block))
    plan = command.plan(opened.volume, out, work / "detect", options, resources)
    if _go([*opened.stages, Stage(plan, work / "detect")], resources, dry_run):
        command.print_summary(opened.volume, out, console)


@app.command()
def assign(
    cells: Annotated[Path, typer.Argument(metavar="CELLS.parquet", help="Cells of `volumetric detect`.")],
    registration: Annotated[Path, typer.Option(help="Folder of `volumetric register` for the same brain.")],
    atlas: AtlasName,
    out: Annotated[Path, typer.Option("--out", help="Folder for cells.parquet and regions.csv.")],
    atlas_dir: AtlasDir = None,
    memory: Memory = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Give every cell its region and count the regions: cells.parquet and regions.csv.

    Example: volumetric assign cells.parquet --registration registration/ --atlas allen_mouse_50um --out tables/
    """
    from pipelines import assign as command
    from pipelines.register import Config, open_atlas
    from pipelines.stage import Stage

    resources = _resources({}, memory=memory)
    opened = open_atlas(make(Config, atlas=atlas), atlas_dir)
    plan = command.plan(cells, registration, opened, out)
    if _go([Stage(plan, out / ".work" / "assign")], resources, dry_run):
        console.print(f"wrote {out / 'cells.parquet'} and {out / 'regions.csv'}", highlight=False)


@app.command()
def count(
    source: SourceArg,
    atlas: AtlasName,
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="The run folder.")],
    voxel_um: Voxel = None,
    orientation: Orientation = None,
    signal: Annotated[str | None, typer.Option(help="Channel, or path, that shows the cells.")] = None,
    register_on: Annotated[str | None, typer.Option(help="Channel, or path, that the atlas is fitted to.")] = None,
    preset: Preset = None,
    model: Model = None,
    block: Block = None,
    atlas_dir: AtlasDir = None,
    workers: Workers = None,
    memory: Memory = None,
    device: Device = None,
    executor: Executor = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Count the cells of a whole brain in every atlas region. Interrupted, the same command resumes.

    Example: volumetric count slices/ --voxel-um 5 0.7 0.7 --orientation psl --atlas allen_mouse_50um --out run/
    """
    from pipelines import count as command

    settings = load_file(config)
    resources = _resources(settings, workers=workers, memory=memory, device=device, executor=executor)
    table = overlay(
        settings.get("count", {}),
        voxel_um=voxel_um,
        orientation=orientation,
        atlas=atlas,
        signal=signal,
        register_on=register_on,
        preset=preset,
        model=model,
        block=block,
    )
    job = command.prepare(source, out, make(command.Config, **table), resources, atlas_dir)
    if _go(job.stages, resources, dry_run):
        command.finish(job, resources, console)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder.")],
    debug: Debug = False,
) -> None:
    """Write report.html of a run folder again.

    Example: volumetric report run/
    """
    from pipelines.report import write_report
    from pipelines.workspace import RunFolder

    path = write_report(RunFolder(run))
    console.print(f"wrote {path}", highlight=False)


@app.command()
def bench(
    stage: Annotated[Literal["ingest"], typer.Argument(help="What to measure.")] = "ingest",
    source: Annotated[Path | None, typer.Option(help="A folder of slices. Default: made for the purpose.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the figures are written.")] = Path("bench.json"),
    slices: Annotated[int | None, typer.Option(help="Slices to make.")] = None,
    edge: Annotated[int | None, typer.Option(help="Their edge in pixels.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Runs of each method; the one with the least CPU counts.")] = None,
    peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Measure dask and ome-zarr-py too.")] = True,
    workers: Workers = None,
    debug: Debug = False,
) -> None:
    """Measure a stage on this machine, as a ratio to the limit.

    Example: volumetric bench ingest --out bench.json
    """
    from pipelines.bench import Config, run_bench

    options = make(Config, stage=stage, slices=slices, edge=edge, repeats=repeats, peers=peers)
    run_bench(options, source, out, _resources({}, workers=workers), console)


def _resources(settings: dict[str, Any], **flags: object) -> Resources:
    return make(Resources, **overlay(settings.get("run", {}), **flags))


def _volume(
    path: Path,
    work: Path,
    settings: dict[str, Any],
    resources: Resources,
    voxel_um: tuple[float, float, float] | None,
    orientation: str | None,
) -> Opened:
    from pipelines.volume import open_or_convert

    table = overlay(settings.get("ingest", {}), voxel_um=voxel_um, orientation=orientation)
    opened = open_or_convert(path, work, resources, **table)
    _warn(opened.warnings)
    return opened


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        errors.print(f"[bold red]warning:[/] {warning}", highlight=False, soft_wrap=True)


def _go(stages: Sequence[Stage], resources: Resources, dry_run: bool) -> bool:
    """Show the plan, or run it; True where it was run."""
    from pipelines.stage import check, run, show

    check(stages, resources)
    if dry_run:
        show(stages, resources, console)
        return False
    try:
        run(stages, resources, console)
    except KeyboardInterrupt as interrupt:
        raise VolumetricError("stopped. What is finished is kept: repeat the same command to go on") from interrupt
    return True


def main(arguments: list[str] | None = None) -> None:
    """Entry point: 0 done, 1 failed, 2 wrong usage or input; errors are one paragraph without a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        _check_voxel_size(given)
        app(given)  # leaves through SystemExit: 0, or 2 for wrong usage
    except VolumetricError as error:
        _fail(str(error), error.exit_code, "--debug" in given)
    except Exception as error:  # a fault of the program itself: still one paragraph, with the way to its place
        message = f"the program failed: {type(error).__name__}: {error}. Repeat with --debug to see where"
        _fail(message, 1, "--debug" in given)


def _check_voxel_size(given: list[str]) -> None:
    """Raise `InputError` where --voxel-um is not followed by three numbers: it would swallow the next flag as one."""
    if "--voxel-um" in given:
        after = given[given.index("--voxel-um") + 1 :]
        numbers = list(itertools.takewhile(lambda text: re.fullmatch(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", text), after))
        if len(numbers) < 3:
            raise InputError(
                f"--voxel-um needs three numbers, Z Y X in um, got {len(numbers)} ({' '.join(numbers) or 'none'}): for "
                "example --voxel-um 5 0.7 0.7 for slices 5 um apart with pixels of 0.7 um"
            )


def _fail(message: str, code: int, debug: bool) -> NoReturn:
    if debug:
        errors.print(traceback.format_exc(), highlight=False, markup=False)
    errors.print("error: ", style="bold red", end="")
    errors.print(message, highlight=False, markup=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()

"""Commands that go on from finished runs: groups of brains compared, other tools' files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli.app import app, console
from pipelines.cli.options import AtlasDir, ConfigFile, Debug, DryRun, Memory, Out, Workers
from pipelines.cli.run import resources_of
from pipelines.config import load_file, make, overlay


@app.command(rich_help_panel="From finished runs")
def compare(
    design: Annotated[
        Path,
        typer.Argument(
            metavar="DESIGN.csv", help="One line a brain: brain, group, path of its run folder, and any covariates."
        ),
    ],
    out: Out,
    atlas: Annotated[
        str | None, typer.Option(metavar="NAME_OR_DIR", help="An atlas' name or folder. Default: that of the runs.")
    ] = None,
    atlas_dir: AtlasDir = None,
    reference: Annotated[
        str | None,
        typer.Option(help="Group the others are compared with. Default: the first in the file, which is printed."),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            help="Level of the hierarchy: steps below the root. Default: the finest with at most 350 regions."
        ),
    ] = None,
    regions: Annotated[
        str | None,
        typer.Option(help="Regions to compare, for example CA1,DG; with --depth, that level within them."),
    ] = None,
    hemisphere: Annotated[
        list[str] | None,
        typer.Option(
            help="left, right, both, or imaged (of each brain the side imaged); repeat for several. "
            "Default: what all brains have."
        ),
    ] = None,
    min_count: Annotated[
        float | None,
        typer.Option(help="A region is tested where its mean count over all brains reaches this. Default: 10."),
    ] = None,
    min_coverage: Annotated[
        float | None,
        typer.Option(help="A brain is left out of a region of which a smaller share was imaged. Default: 0.5."),
    ] = None,
    test: Annotated[
        Literal["negative_binomial", "welch", "mann_whitney"] | None,
        typer.Option(help="Test shown in the pictures. Default: negative_binomial."),
    ] = None,
    fdr: Annotated[
        float | None, typer.Option(help="False discovery rate of what is called a discovery. Default: 0.05.")
    ] = None,
    show: Annotated[str | None, typer.Option(help="Further regions in the picture of dots.")] = None,
    map_um: Annotated[
        float | None, typer.Option(help="Voxel of the density maps, at most. Default: 50 for a mouse brain.")
    ] = None,
    smooth_um: Annotated[
        float | None, typer.Option(help="Standard deviation of their Gaussian. Default: 150 for a mouse brain.")
    ] = None,
    workers: Workers = None,
    memory: Memory = None,
    config: ConfigFile = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Compare groups of brains region by region: statistics, density maps and pictures.

    Example: volumetric compare design.csv --out compared/
    """
    from pipelines import compare as command

    settings = load_file(config)
    table = overlay(
        settings.get("compare", {}),
        atlas=atlas,
        reference=reference,
        depth=depth,
        regions=regions,
        hemispheres=hemisphere or None,
        min_count=min_count,
        min_coverage=min_coverage,
        test=test,
        fdr=fdr,
        show=show,
        map_um=map_um,
        smooth_um=smooth_um,
    )
    resources = resources_of(settings, workers=workers, memory=memory)
    options = make(command.Config, **table)
    command.run_compare(design, out, options, resources, console, atlas_dir=atlas_dir, dry_run=dry_run)


@app.command(rich_help_panel="From finished runs")
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder.")],
    to: Annotated[Literal["brainglobe", "braian", "napari"], typer.Option(help="Whose files to write.")],
    out: Annotated[Path, typer.Option("--out", help="A new or an empty folder; written whole or not at all.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the animal in BraiAn's table. Default: that of the run folder.")
    ] = None,
    dry_run: DryRun = False,
    debug: Debug = False,
) -> None:
    """Write the tables of a run as the files that other tools open.

    Example: volumetric export run/ --to brainglobe --out run-brainglobe/
    """
    from pipelines.export import prepare
    from pipelines.workspace import RunFolder

    job = prepare(RunFolder(run), to, out, name)
    console.print(job.plan() if dry_run else job.write(), highlight=False, soft_wrap=True)

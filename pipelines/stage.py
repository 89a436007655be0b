"""A plan with the place of its ledger: shown, checked and run the same way by every command."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.config import Resources
from pipelines.progress import StageProgress
from pipelines.workspace import is_hidden
from volumetric.blocks.cluster import open_cluster
from volumetric.blocks.execute import Execution, execute
from volumetric.blocks.ledger import Ledger
from volumetric.blocks.plan import Plan, check_disk, megabytes
from volumetric.errors import StoppedError
from volumetric.storage.atomic import remove
from volumetric.storage.writable import check_writable


@dataclass(frozen=True)
class Stage:
    """What to do, and where its ledger is kept."""

    plan: Plan
    work: Path

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.work, self.plan)


def check(stages: Sequence[Stage], resources: Resources) -> None:
    """Refuse, before any work, what cannot be run: another run's output, a place that cannot be written
    to, too little memory or disk."""
    left = 0
    forgotten = hidden_leftovers(stages)
    for stage in stages:
        if stage not in forgotten:
            stage.ledger.refuse_other()
        stage.plan.check_memory(resources.capacity)
        left += stage.ledger.bytes_left()
    places = [place for stage in stages for place in (*(path.parent for path in stage.plan.outputs), stage.work)]
    for place in dict.fromkeys(places):
        check_writable(place)
    check_disk(left, stages[0].plan.outputs[0])


def hidden_leftovers(stages: Sequence[Stage]) -> list[Stage]:
    """Stages whose outputs lie hidden beside a finished other run, of which nothing that can be seen is left.

    Its user removed what they saw, and cannot know of the rest: a volume converted on the way, cells without regions.
    """
    seen = [out for stage in stages for out in stage.plan.outputs if not is_hidden(out, stage.work)]
    if any(out.exists() for out in seen) or not stages[-1].ledger.holds_finished_other():
        return []
    hidden = [stage for stage in stages if all(is_hidden(out, stage.work) for out in stage.plan.outputs)]
    return [stage for stage in hidden if stage.ledger.holds_finished_other()]


def show(stages: Sequence[Stage], resources: Resources, console: Console) -> None:
    """Print the plan: tasks, bytes, projected peak memory, outputs."""
    table = Table(title="Plan", title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in ("stage", "pass", "tasks", "done", "workers", "read", "write", "peak memory"):
        table.add_column(column, justify="left" if column in {"stage", "pass"} else "right")
    for stage in stages:
        plan = stage.plan
        for current in plan.passes:
            count = len(current.keys)
            table.add_row(
                plan.stage,
                current.name,
                f"{count:,}",
                f"{len(stage.ledger.done(current.name)):,}",
                str(plan.workers(current, resources.capacity)),
                megabytes(count * current.cost.bytes_read),
                megabytes(count * current.cost.bytes_written),
                megabytes(plan.peak_bytes(current, resources.capacity)),
            )
    console.print(table)
    outputs = [str(output) for stage in stages for output in stage.plan.outputs]
    console.print("Outputs: " + ", ".join(dict.fromkeys(outputs)), highlight=False, soft_wrap=True)


def run(stages: Sequence[Stage], resources: Resources, console: Console) -> list[Ledger]:
    """Run stages one after another, each from where its ledger says it stopped."""
    check(stages, resources)
    for stage in hidden_leftovers(stages):
        for output in stage.plan.outputs:
            remove(output)
    with ExitStack() as stack:
        cluster = open_cluster(resources.cluster, partial(console.print, highlight=False, markup=False, soft_wrap=True))
        progress = stack.enter_context(StageProgress(console))
        if cluster is not None:
            stack.enter_context(cluster)
        execution = Execution(resources.workers, resources.memory, cluster, progress)
        try:
            return [execute(stage.plan, stage.work, execution) for stage in stages]
        except KeyboardInterrupt as interrupt:
            raise StoppedError("stopped. What is finished is kept: repeat the same command to go on") from interrupt

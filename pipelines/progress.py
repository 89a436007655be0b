"""What a user sees while a stage runs: a bar with rate and time left, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

PLAIN_INTERVAL_S = 10.0


class StageProgress:
    """Progress over the passes of the stages of one command; a context manager."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bars: dict[tuple[str, str], TaskID] = {}
        self._began: dict[tuple[str, str], tuple[float, float]] = {}
        self._spoken = 0.0
        self._progress = Progress(
            TextColumn("[bold]{task.fields[stage]:<9}[/] {task.description:<22}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> StageProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, stage: str, pass_name: str, done: int, total: int, megabytes: float) -> None:
        """A pass begins, one task more is done, or one long step is so far."""
        key = (stage, pass_name)
        now = time.monotonic()
        first, amount = self._began.get(key, (now, 0.0))
        self._began[key] = (first, amount + megabytes)
        rate = f"{(amount + megabytes) / (now - first):,.0f} MB/s" if now - first > 1 and amount else ""
        if self.console.is_terminal:
            if key not in self._bars:
                self._bars[key] = self._progress.add_task(pass_name, total=total, stage=stage, rate="")
            self._progress.update(self._bars[key], completed=done, total=total, rate=rate)
        elif total == 1:
            if done == 0:
                self.console.print(f"{stage} {pass_name}", highlight=False)
        elif done and (done == total or now - self._spoken > PLAIN_INTERVAL_S):
            self._spoken = now
            left = f", {(now - first) / (done - 1) * (total - done):.0f} s left" if 1 < done < total else ""
            speed = f", {rate}" if rate else ""
            self.console.print(f"{stage} {pass_name}: {done}/{total}{speed}{left}", highlight=False)

"""What a person is told first of a brain: whether to believe it, and why not."""

from __future__ import annotations

from rich.console import Console

from volumetric.findings import Grade, Verdict

COLOURS = {Grade.GOOD: "bold green", Grade.DOUBTFUL: "bold yellow", Grade.UNUSABLE: "bold red"}

MEANING = {
    Grade.GOOD: "nothing speaks against these numbers",
    Grade.DOUBTFUL: "look at this before you believe the numbers",
    Grade.UNUSABLE: "do not believe these numbers",
}


def print_verdict(verdict: Verdict, console: Console) -> None:
    """The verdict in one line, then each doubt in red."""
    console.print(f"[{COLOURS[verdict.grade]}]{verdict.grade.value}[/]: {MEANING[verdict.grade]}", highlight=False)
    for doubt in verdict.doubts:
        console.print(f"[bold red]warning:[/] {doubt}", highlight=False, soft_wrap=True)


def print_notes(verdict: Verdict, console: Console) -> None:
    """What is worth knowing and raises no doubt."""
    for note in verdict.notes:
        console.print(note, highlight=False, soft_wrap=True)

"""The program: its name, its two consoles, and how an error leaves it."""

from __future__ import annotations

import errno
import itertools
import re
import sys
import traceback
from typing import Annotated, NoReturn

import typer
from rich.console import Console

import volumetric
from volumetric.errors import InputError, VolumetricError

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


REFUSED = {
    errno.EACCES: "Change its permissions, or choose another place",
    errno.EPERM: "Change its permissions, or choose another place",
    errno.EROFS: "Choose another place, or make the disk writable",
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Free some space of your quota",
}
"""What the system may refuse, and what to do."""


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """How many labelled cells are in every region of a whole brain: from microscope slices to a report."""
    if show:
        console.print(f"volumetric {volumetric.__version__}", highlight=False)
        raise typer.Exit


def main(arguments: list[str] | None = None) -> None:
    """Entry point: 0 done, 1 failed, 2 wrong usage or input; errors are one paragraph without a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        _check_voxel_size(given)
        app(given)  # leaves through SystemExit: 0, or 2 for wrong usage
    except VolumetricError as error:
        _fail(str(error), error.exit_code, "--debug" in given)
    except Exception as error:  # a fault of the program itself: still one paragraph, with the way to its place
        if isinstance(error, OSError) and error.errno in REFUSED:
            place = error.filename or "a file"
            _fail(f"{place} cannot be read or written: {error.strerror}. {REFUSED[error.errno]}", 2, "--debug" in given)
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
                "example --voxel-um 5 0.7 0.7 for slices 5 um apart with pixels of 0.7 um, with decimal points"
            )


def _fail(message: str, code: int, debug: bool) -> NoReturn:
    if debug:
        errors.print(traceback.format_exc(), highlight=False, markup=False)
    errors.print("error: ", style="bold red", end="")
    errors.print(message, highlight=False, markup=False, soft_wrap=True)
    sys.exit(code)

"""The design of a study: which brain belongs to which group, what else is known of it, and the model's terms."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from volumetric.errors import InputError
from volumetric.statistics.spelling import refuse_misspelt
from volumetric.storage.handwritten import UnclearNumbersError, is_missing, is_number, with_points

COLUMNS = ("brain", "group", "path")
FIRST_LINE = 2
"""Line of the first brain in the file: the header is line 1."""

Covariate = tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True)
class Design:
    """Brains in the order of the file; `reference` is the group all others are compared with.

    A covariate is a tuple of numbers or of category names, one a brain. Raises `InputError` where there is only one
    group, the reference is none of them, or a covariate cannot be told from the groups.
    """

    brains: tuple[str, ...]
    groups: tuple[str, ...]
    paths: tuple[Path, ...]
    reference: str
    covariates: Mapping[str, Covariate]

    def __post_init__(self) -> None:
        names = list(dict.fromkeys(self.groups))
        if len(names) < 2:
            raise InputError(
                f"all {len(self.brains)} brains of the design are in the group {names[0]!r}: "
                "a comparison needs at least two groups in the column `group`"
            )
        if self.reference not in names:
            raise InputError(
                f"the reference group {self.reference!r} is not in the design, whose groups are {', '.join(names)}: "
                "give one of these with --reference"
            )
        self._check_rank()

    def _check_rank(self) -> None:
        columns = [self._group_terms]
        for name, values in self.covariates.items():
            if len(set(values)) == 1:
                raise InputError(
                    f"the covariate {name!r} is {values[0]!r} for every brain and cannot explain anything: "
                    "remove the column from the design"
                )
            columns.append(_terms_of(values)[1])
            together = np.column_stack(columns)
            if np.linalg.matrix_rank(together) < together.shape[1]:
                raise InputError(
                    f"the covariate {name!r} cannot be told from the group or the covariates before it: once these are "
                    "known, so is it (for example, every group has its own batch), or there are too few brains. "
                    "Remove the column, or merge its categories"
                )

    @cached_property
    def contrasts(self) -> tuple[str, ...]:
        """The groups compared with the reference, in the order of the file."""
        return tuple(name for name in dict.fromkeys(self.groups) if name != self.reference)

    @property
    def group_names(self) -> tuple[str, ...]:
        """The reference first."""
        return (self.reference, *self.contrasts)

    def members(self, group: str) -> npt.NDArray[np.bool_]:
        """(n_brains,) mask of a group."""
        return np.array([name == group for name in self.groups])

    @property
    def _group_terms(self) -> npt.NDArray[np.float64]:
        return np.column_stack([np.ones(len(self.brains)), *(self.members(name) for name in self.contrasts)])

    @cached_property
    def matrix(self) -> npt.NDArray[np.float64]:
        """(n_brains, n_terms): the intercept, one term for each of `contrasts` in order, then the covariates."""
        return np.column_stack([self._group_terms, *(_terms_of(values)[1] for values in self.covariates.values())])

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the columns of `matrix`."""
        more = (f"{name}{end}" for name, values in self.covariates.items() for end in _terms_of(values)[0])
        return ("intercept", *self.contrasts, *more)

    def described(self) -> list[str]:
        """What is compared, and how each covariate is understood, one line each."""
        sizes = Counter(self.groups)
        groups = [f"{name} ({sizes[name]})" for name in self.contrasts]
        lines = [f"groups: {', '.join(groups)} against {self.reference} ({sizes[self.reference]}), the reference"]
        for name, kind in self.kinds.items():
            if kind["kind"] == "number":
                lines.append(f"covariate {name}: a number, {kind['lowest']:g} to {kind['highest']:g}")
            else:
                levels = [f"{level} ({size})" for level, size in kind["levels"].items()]
                lines.append(f"covariate {name}: a category, {', '.join(levels)}")
        return lines

    @property
    def kinds(self) -> dict[str, dict[str, Any]]:
        """Of each covariate: number with its range, or category with the number of brains of each level."""
        return {
            name: {"kind": "category", "levels": dict(Counter(values))}
            if isinstance(values[0], str)
            else {"kind": "number", "lowest": min(values), "highest": max(values)}
            for name, values in self.covariates.items()
        }


def parse_design(table: pd.DataFrame, folder: Path, reference: str | None = None) -> Design:
    """The design in a table of text as it stands in the file.

    Args:
        table: columns `brain`, `group`, `path`; every other column is a covariate, of numbers or of categories. The
            line of a row in the file is its index + `FIRST_LINE`.
        folder: what relative paths are relative to.
        reference: group; the first in the file by default.

    Raises `InputError` that names the column or the lines at fault.
    """
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise InputError(
            f"the design lacks the columns {', '.join(missing)}: expected {', '.join(COLUMNS)} and any covariates, "
            f"got {', '.join(map(str, table.columns)) or 'none'}"
        )
    if table.empty:
        raise InputError("the design lists no brain: expected one line a brain below the header")
    cells = table.apply(lambda column: column.str.strip())
    for name in cells.columns:
        if not str(name).strip() or str(name).startswith("Unnamed:"):
            raise InputError("a column of the design has no name: give every column of the header one, or remove it")
        _refuse_missing(cells, str(name))
    lines = (cells.index + FIRST_LINE).tolist()
    paths = tuple((folder / Path(path).expanduser()).absolute() for path in cells["path"])
    _refuse_repeats([name.casefold() for name in cells["brain"]], cells["brain"].tolist(), lines, "brain")
    _refuse_repeats([path.resolve() for path in paths], list(map(str, paths)), lines, "path")
    covariates = {str(name): _covariate(cells[name]) for name in cells.columns if name not in COLUMNS}
    groups = tuple(cells["group"])
    _refuse_lookalikes(groups, "groups")
    refuse_misspelt(groups)
    return Design(
        brains=tuple(cells["brain"]),
        groups=groups,
        paths=paths,
        reference=_first(groups) if reference is None else reference,
        covariates=covariates,
    )


def _first(groups: tuple[str, ...]) -> str:
    """The reference where none is named; refused where it is a single brain, which a slip of the pen may have made."""
    sizes = Counter(groups)
    if sizes[groups[0]] == 1 and max(sizes.values()) > 1:
        raise InputError(
            f"the first group in the design, {groups[0]!r}, would be the reference but has one brain, and "
            f"{', '.join(f'{name!r} has {n}' for name, n in sizes.items() if n > 1)}: mend the group's name if it is "
            "misspelt, or name the group that all others are compared with by --reference"
        )
    return groups[0]


def _refuse_lookalikes(values: Sequence[str], what: str) -> None:
    """Raise where names differ in nothing but capitals, blanks and the like."""
    spellings: dict[str, str] = {}
    for name in values:
        other = spellings.setdefault(re.sub(r"[\W_]+", "", name.casefold()) or name, name)
        if other != name:
            differ = "capitals" if other.casefold() == name.casefold() else "blanks or signs"
            raise InputError(
                f"the {what} {other!r} and {name!r} of the design differ in {differ} only: write both alike"
            )


def _covariate(column: pd.Series[str]) -> Covariate:
    try:
        cells = with_points(list(column), comma_separates=True)
    except UnclearNumbersError as error:
        raise InputError(f"the covariate {column.name!r} {error}") from error
    readable = np.array([is_number(cell) for cell in cells])
    if readable.all():
        return tuple(float(cell) for cell in cells)
    if readable.any():
        _refuse_lines(
            pd.Series(~readable, index=column.index),
            f"the covariate {column.name!r} mixes numbers with text; give numbers alone, or names for all categories "
            "(batch1, batch2). It is not a number",
        )
    _refuse_lookalikes(list(column), f"categories of the covariate {column.name!r},")
    return tuple(column)


def _refuse_missing(cells: pd.DataFrame, name: str) -> None:
    """Raise where a cell says nothing; the name and the path of a brain may be any text."""
    column = cells[name]
    at_fault = column == "" if name in {"brain", "path"} else column.map(is_missing)
    brains = [f"{brain!r}" for brain in cells.loc[at_fault, "brain"] if brain]
    said = sorted({f"{cell!r}" for cell in column[at_fault] if cell})
    _refuse_lines(
        at_fault.astype(bool),
        f"the column {name!r} of the design is empty",
        (f" ({', '.join(said)})" if said else "")
        + (f", for {', '.join(brains[:8])}" if brains else "")
        + (
            ": fill it in, or take the brain or the column out of the design" if name not in COLUMNS else ": fill it in"
        ),
    )


def _refuse_lines(at_fault: pd.Series[bool], what: str, then: str = "") -> None:
    lines = [str(line + FIRST_LINE) for line in at_fault.index[at_fault]]
    if lines:
        raise InputError(f"{what} in line{'s' * (len(lines) > 1)} {', '.join(lines[:8])}{then}")


def _refuse_repeats(values: Sequence[object], shown: Sequence[str], lines: Sequence[int], name: str) -> None:
    for value, number in Counter(values).items():
        if number > 1:
            at = [i for i, other in enumerate(values) if other == value]
            spelled = " and ".join(dict.fromkeys(f"{shown[i]!r}" for i in at))
            raise InputError(
                f"the {name} {spelled} stands in lines {', '.join(str(lines[i]) for i in at)} of the design: each "
                "brain is one line, counted once"
            )


def _terms_of(values: Covariate) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Endings of names and columns: a number standardised, a category as 0 and 1 for all but its first value."""
    if not isinstance(values[0], str):
        numbers = np.asarray(values, dtype=np.float64)
        return ("",), ((numbers - numbers.mean()) / (numbers.std() or 1.0))[:, None]
    kinds = list(dict.fromkeys(values))[1:]
    columns = [[float(value == kind) for value in values] for kind in kinds]
    return tuple(f"={kind}" for kind in kinds), np.asarray(columns).T

"""The design of a study: which brain belongs to which group, what else is known of it, and the model's terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from volumetric.errors import InputError

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


def parse_design(table: pd.DataFrame, folder: Path, reference: str | None = None) -> Design:
    """The design in a table of text as it stands in the file.

    Args:
        table: columns `brain`, `group`, `path`; every other column is a covariate, of numbers or of categories.
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
        _refuse_lines(cells[name] == "", f"the column {name!r} of the design is empty")
    paths = tuple((folder / path).absolute() for path in cells["path"])
    _refuse_repeats(cells["brain"].tolist(), "brain")
    _refuse_repeats([path.resolve() for path in paths], "path")
    groups = tuple(cells["group"])
    _refuse_lookalikes(groups)
    return Design(
        brains=tuple(cells["brain"]),
        groups=groups,
        paths=paths,
        reference=groups[0] if reference is None else reference,
        covariates={str(name): _covariate(cells[name]) for name in cells.columns if name not in COLUMNS},
    )


def _refuse_lookalikes(groups: tuple[str, ...]) -> None:
    spellings: dict[str, str] = {}
    for name in groups:
        other = spellings.setdefault(name.casefold(), name)
        if other != name:
            raise InputError(
                f"the groups {other!r} and {name!r} of the design differ in capitals only: write both alike"
            )


def _covariate(column: pd.Series[str]) -> Covariate:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    readable = np.isfinite(numbers)
    if readable.all():
        return tuple(numbers.tolist())
    if readable.any():
        _refuse_lines(
            pd.Series(~readable, index=column.index),
            f"the covariate {column.name!r} mixes numbers with text; give numbers alone, or names for all categories "
            "(batch1, batch2). It is not a number",
        )
    return tuple(column)


def _refuse_lines(at_fault: pd.Series[bool], what: str) -> None:
    lines = [str(i + FIRST_LINE) for i in np.flatnonzero(at_fault.to_numpy())]
    if lines:
        raise InputError(f"{what} in line{'s' * (len(lines) > 1)} {', '.join(lines[:8])}")


def _refuse_repeats(values: Sequence[object], name: str) -> None:
    for value, number in Counter(values).items():
        if number > 1:
            lines = [str(i + FIRST_LINE) for i, other in enumerate(values) if other == value]
            raise InputError(
                f"the {name} {str(value)!r} stands in lines {', '.join(lines)} of the design: each brain is one line, "
                "counted once"
            )


def _terms_of(values: Covariate) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Endings of names and columns: a number standardised, a category as 0 and 1 for all but its first value."""
    if not isinstance(values[0], str):
        numbers = np.asarray(values, dtype=np.float64)
        return ("",), ((numbers - numbers.mean()) / (numbers.std() or 1.0))[:, None]
    kinds = list(dict.fromkeys(values))[1:]
    columns = [[float(value == kind) for value in values] for kind in kinds]
    return tuple(f"={kind}" for kind in kinds), np.asarray(columns).T

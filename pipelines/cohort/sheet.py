"""The sheet of a cohort: one line a brain, its images, settings of its own, and what else is known of it.

Columns are named as the options of `count`, with `_`, `-` or blanks; `brain` and `source` must be there. The voxel
size stands in one column, `voxel_um` (`5 0.7 0.7`), or in three, `z_um, y_um, x_um`. Every other column is kept for
`compare`. Relative paths are relative to the sheet. An empty cell, or `NA` and the like, leaves a setting to the flags
and the settings file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines import count
from pipelines.csv_file import FIRST_LINE, plain, read_csv
from volumetric.atlas.loader import PIN
from volumetric.detection.model import SHIPPED
from volumetric.errors import InputError
from volumetric.storage.handwritten import is_missing, is_number, with_points
from volumetric.storage.ngff import is_zarr

VOXEL = ("z_um", "y_um", "x_um")
OPTIONS = (*count.Config.model_fields, *VOXEL)
KNOWN = ("brain", "source", *OPTIONS)
TRIPLES = ("voxel_um", "block")
PATHS = ("exclude_mask", "landmarks")

OF_THE_COMMAND = ("out", "atlas_dir", "workers", "memory", "device", "cluster", "config", "sheet")
"""Options that hold for all brains."""

ALIKE = 0.8
"""Of difflib's ratio: from here on a column is taken for a misspelt option, such as `orientaton`; `strain` is below."""


@dataclass(frozen=True)
class Row:
    """One line of the sheet.

    Args:
        line: in the file, the header being line 1.
        brain: its name, which is that of its run folder.
        cells: text of the columns that are options, without empty ones.
        others: text of all other columns.
        folder: of the sheet.
    """

    line: int
    brain: str
    cells: Mapping[str, str]
    others: Mapping[str, str]
    folder: Path

    @property
    def source(self) -> Path:
        """Its images; raises `InputError` where none are given."""
        if "source" not in self.cells:
            raise InputError("the column `source` is empty: give the path of its images")
        return self._path(self.cells["source"])

    def settings(self) -> dict[str, object]:
        """Those of its cells that are settings of `count`; raises `InputError` for a cell that cannot be read."""
        found: dict[str, object] = {name: self.cells[name] for name in OPTIONS if name in self.cells}
        sizes = [found.pop(name, None) for name in VOXEL]
        if any(sizes):
            if not all(sizes) or "voxel_um" in found:
                raise InputError("give the voxel size either in the column voxel_um or in all of z_um, y_um, x_um")
            found["voxel_um"] = " ".join(map(str, sizes))
        for name in TRIPLES:
            if name in found:
                found[name] = _three_numbers(name, str(found[name]))
        return found | self._paths()

    def missing(self, besides: str) -> list[str]:
        """What is said of its files that are not there, but for those that are told `besides`."""
        named = {name: self._path(self.cells[name]) for name in ("source", *PATHS) if name in self.cells}
        return [
            f"the column `{name}` says {path}, where nothing is"
            for name, path in named.items()
            if not path.exists() and str(path) not in besides
        ]

    def _paths(self) -> dict[str, object]:
        """Settings that are paths, or names of what the package, BrainGlobe or the images themselves have."""
        found: dict[str, object] = {name: self._path(self.cells[name]) for name in PATHS if name in self.cells}
        if "model" in self.cells:
            model = self.cells["model"]
            found["model"] = Path(model) if model in {*SHIPPED, "default"} else self._path(model)
        if "atlas" in self.cells and self._path(self.cells["atlas"].partition(PIN)[0]).is_dir():
            found["atlas"] = str(self._path(self.cells["atlas"]))
        for name in ("signal", "register_on"):
            text = self.cells.get(name, "")
            if re.search(r"[/.]", text) and is_zarr(self._path(text)):
                found[name] = str(self._path(text))
        return found

    def _path(self, text: str) -> Path:
        return self.folder / Path(text).expanduser()


def read_sheet(path: Path) -> tuple[Row, ...]:
    """The brains of a sheet, in its order; raises `InputError` for what is wrong with its header or its names."""
    columns = (*KNOWN, *OF_THE_COMMAND, "group")
    table = read_csv(path, "sheet of brains", (), known=columns, text=("brain", "source", "group", *PATHS), row="brain")
    _check_columns(path, list(table.columns))
    rows = [
        Row(
            line=int(line) + FIRST_LINE,
            brain=record["brain"],
            cells={str(name): text for name, text in record.items() if name in KNOWN and not is_missing(text)},
            others={str(name): text for name, text in record.items() if name not in KNOWN},
            folder=path.absolute().parent,
        )
        for line, record in zip(table.index, table.to_dict("records"), strict=True)
    ]
    _check_names(path, rows)
    return tuple(rows)


def _check_columns(path: Path, columns: list[str]) -> None:
    wrong = [f"there is no column `{name}`" for name in ("brain", "source") if name not in columns]
    for name in columns:
        alike = _meant(name)
        if name.startswith("Unnamed:"):
            wrong.append("a column has no name")
        elif name == "path":
            wrong.append("`path` is the run folder in a design: name the column of the images `source`")
        elif name in OF_THE_COMMAND:
            wrong.append(f"`{name}` holds for all brains: give --{name.replace('_', '-')} to the command")
        elif alike:
            wrong.append(f"is the column `{name}` meant to be `{alike}`? If it is something else, name it otherwise")
    if wrong:
        raise InputError(
            f"the header of the sheet {path} is not clear: {'; '.join(wrong)}. Expected brain, source, any of "
            f"{', '.join(OPTIONS)}, and what `compare` shall know, such as group"
        )


def _meant(name: str) -> str | None:
    """The option that a column may be meant to be: a little misspelt, or only begun (`voxel`)."""
    if name in KNOWN:
        return None
    option = plain(name)
    begun = [known for known in KNOWN if len(option) > 3 and known.startswith(option)]
    return next(iter(difflib.get_close_matches(option, KNOWN, n=1, cutoff=ALIKE) + begun), None)


def _check_names(path: Path, rows: list[Row]) -> None:
    """Names become folders: each once, on file systems too that do not know capitals."""
    wrong, seen = [], dict[str, int]()
    for row in rows:
        if not re.fullmatch(r"\w[\w .+=@-]*", row.brain):
            named = f"{row.brain!r} cannot be the name of a folder" if row.brain else "the brain has no name"
            wrong.append(f"line {row.line}: {named}: use letters, digits, `-`, `_` and `.`")
        before = seen.setdefault(row.brain.casefold(), row.line)
        if before != row.line and row.brain:
            wrong.append(f"line {row.line}: {row.brain!r} stands in line {before} already: each brain is one line")
    if wrong:
        raise InputError("\n  ".join([f"the names in the sheet {path} cannot be used:", *wrong]))


def _three_numbers(name: str, text: str) -> tuple[float, ...]:
    """Numbers with blanks, `x` or `;` between them may have decimal commas; commas between them are no decimals."""
    numbers = re.split(r"\s*[\sx×;]\s*", text)
    if len(numbers) != 3 or not all(map(is_number, numbers)):
        numbers = re.split(r"\s*[\sx×;,]\s*", text)
    try:
        z, y, x = map(float, with_points(numbers, comma_separates=False))
    except ValueError as error:
        raise InputError(f"{name} needs three numbers, Z Y X, for example 5 0.7 0.7: got {text!r}") from error
    return z, y, x

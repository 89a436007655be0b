"""What other programs call clicks and answers: Zooniverse's Caesar, crowd-kit."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd

from volumetric.crowd.reliability import Answers
from volumetric.errors import InputError

CAESAR = re.compile(r"data\.frame(\d+)\.(.+)_x")
"""Columns of a point extract: one list of numbers a row, a tool and a frame in each."""


def is_caesar(table: pd.DataFrame) -> bool:
    """Whether a table is an extract of points by Caesar or its command line twin, panoptes-aggregation."""
    return "subject_id" in table and any(CAESAR.fullmatch(str(name)) for name in table)


def from_caesar(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clicks and who was shown what, from a point extract: one row a classification, also where nothing was clicked.

    Tiles are named by `subject_id`, workers by `user_name`. Points of all tools are clicks alike.

    Args:
        table: every cell as text.

    Raises `InputError` for several frames, lists that cannot be read and columns without their partner.
    """
    found = {name: CAESAR.fullmatch(name) for name in table.columns.astype(str)}
    tools = {name: match for name, match in found.items() if match}
    if "user_name" not in table or len({match[1] for match in tools.values()}) != 1:
        raise InputError("a point extract has the column user_name and points of one frame, data.frame0")
    clicks: list[dict[str, object]] = []
    for line, row in enumerate(table.to_dict("records"), start=2):
        order = 0
        for name in sorted(tools):
            x, y = (_numbers(row.get(column), column, line) for column in (name, name[:-1] + "y"))
            if len(x) != len(y):
                raise InputError(f"line {line} of the point extract has {len(x)} numbers in {name} but {len(y)} of y")
            for one, other in zip(x, y, strict=True):
                clicks.append(
                    {"tile": row["subject_id"], "worker": row["user_name"], "order": order, "x": one, "y": other}
                )
                order += 1
    shown = table[["subject_id", "user_name"]].set_axis(["tile", "worker"], axis=1).drop_duplicates()
    return pd.DataFrame(clicks, columns=["tile", "worker", "order", "x", "y"]), shown.reset_index(drop=True)


def _numbers(text: object, column: str, line: int) -> list[float]:
    if text is None:
        raise InputError(f"the point extract lacks the column {column}")
    if str(text).strip() in ("", "nan"):
        return []
    try:
        values = json.loads(str(text).replace("None", "null"))
        return [float("nan") if value is None else float(value) for value in values]
    except (ValueError, TypeError) as error:
        raise InputError(f"line {line} of the point extract: {column} is no list of numbers: {text!r}") from error


def from_crowdkit(table: pd.DataFrame) -> tuple[Answers, list[str], list[str]]:
    """Answers of a frame with the columns task, worker, label (0 or 1), and the names of tasks and workers by number.

    Raises `InputError` for missing columns and other labels.
    """
    missing = [name for name in ("task", "worker", "label") if name not in table]
    if missing:
        raise InputError(f"answers need the columns task, worker and label, {', '.join(missing)} missing")
    label = pd.to_numeric(table["label"], errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~np.isin(label, (0, 1)))
    if len(wrong):
        raise InputError(f"labels are 0 (seen, not clicked) or 1 (clicked), got {table['label'].iloc[wrong[0]]!r}")
    item, tasks = pd.factorize(table["task"].astype(str), sort=True)
    worker, workers = pd.factorize(table["worker"].astype(str), sort=True)
    answers = Answers(item.astype(np.int64), worker.astype(np.int64), label.astype(np.int64), len(tasks), len(workers))
    return answers, list(tasks), list(workers)


def to_crowdkit(answers: Answers, tasks: list[str], workers: list[str]) -> pd.DataFrame:
    """The frame of answers: columns task, worker, label."""
    return pd.DataFrame(
        {
            "task": np.asarray(tasks, dtype=object)[answers.item],
            "worker": np.asarray(workers, dtype=object)[answers.worker],
            "label": answers.label,
        }
    )

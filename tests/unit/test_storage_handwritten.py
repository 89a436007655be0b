"""Numbers and marks of what is missing, as people and spreadsheets write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumetric.storage.handwritten import UnclearNumbersError, is_missing, is_number, with_points

numbers = st.lists(st.decimals(-1e7, 1e7, allow_nan=False, places=2), min_size=1, max_size=8)


@pytest.mark.parametrize("cell", ["", " ", "NA", "n/a", "NaN", "#N/A", "-", "--", "?", "null", "#DIV/0!", "\u2013"])
def test_marks_of_what_is_missing(cell: str) -> None:
    assert is_missing(cell)
    assert not is_number(cell)


@pytest.mark.parametrize("cell", ["0", "nab", "none1", "control", "-1"])
def test_what_is_there(cell: str) -> None:
    assert not is_missing(cell)


@given(
    numbers, st.sampled_from([("", "."), ("", ","), (".", ","), (",", "."), ("'", "."), ("\u202f", ","), (" ", ",")])
)
def test_numbers_of_any_country_come_back(values: list[object], marks: tuple[str, str]) -> None:
    group, point = marks
    cells = [f"{value:,.2f}".translate({44: group, 46: point}) for value in values]
    assert [float(cell) for cell in with_points(cells, comma_separates=False)] == [float(str(v)) for v in values]


@given(st.lists(st.sampled_from(["b1", "b2", "wild type", "P60, late", "1-3"]), min_size=1))
def test_text_stays(cells: list[str]) -> None:
    assert with_points([*cells, "b9"], comma_separates=True) == [*cells, "b9"]


def test_decimals_and_thousands_are_told_apart_or_asked_for() -> None:
    assert with_points(["1,234", "2,5"], comma_separates=True) == ["1.234", "2.5"]
    assert with_points(["1,234", "NA"], comma_separates=False) == ["1.234", "NA"]
    with pytest.raises(UnclearNumbersError, match=r"1,234, which may be a decimal or thousands"):
        with_points(["1,234", "2,345"], comma_separates=True)
    with pytest.raises(UnclearNumbersError, match=r"decimal points \(23\.1\) and decimal commas \(23,5\)"):
        with_points(["23.1", "23,5"], comma_separates=False)

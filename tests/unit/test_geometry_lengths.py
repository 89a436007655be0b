"""Lengths: every unit in every spelling that files use, and numbers as text."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumetric.geometry.lengths import micrometres, positive, unit_um

INCH = 25400.0
METRE = 1e6

OME = {
    "Ym": 1e30, "Zm": 1e27, "Em": 1e24, "Pm": 1e21, "Tm": 1e18, "Gm": 1e15, "Mm": 1e12, "km": 1e9, "hm": 1e8,
    "dam": 1e7, "m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "µm": 1.0, "nm": 1e-3, "pm": 1e-6, "fm": 1e-9, "am": 1e-12,
    "zm": 1e-15, "ym": 1e-18, "Å": 1e-4, "thou": INCH / 1000, "li": INCH / 12, "in": INCH, "ft": 12 * INCH,
    "yd": 36 * INCH, "mi": 63360 * INCH, "ua": 1.495978707e17, "ly": 9.4607304725808e21, "pc": 3.0856775814913673e22,
    "pt": INCH / 72, "pixel": None, "reference frame": None,
}  # fmt: skip
"""All of OME's `UnitsLength`."""

NGFF = {
    "angstrom": 1e-4, "attometer": 1e-12, "centimeter": 1e4, "decimeter": 1e5, "exameter": 1e24, "femtometer": 1e-9,
    "foot": 12 * INCH, "gigameter": 1e15, "hectometer": 1e8, "inch": INCH, "kilometer": 1e9, "megameter": 1e12,
    "meter": 1e6, "micrometer": 1.0, "mile": 63360 * INCH, "millimeter": 1e3, "nanometer": 1e-3,
    "parsec": 3.0856775814913673e22, "petameter": 1e21, "picometer": 1e-6, "terameter": 1e18, "yard": 36 * INCH,
    "yoctometer": 1e-18, "yottameter": 1e30, "zeptometer": 1e-15, "zettameter": 1e27,
}  # fmt: skip
"""All that NGFF recommends."""

MICROMETRES = [
    "um", "UM", "Um", "µm", "μm", "micron", "microns", "Micron", "micrometer", "micrometre", "Micrometers",
    "micro-meter",
    "\\u00B5m", "\\u00b5m", "\\u03bcm", "Âµm", "Î¼m", "¬µm", "Ã‚Âµm", "&micro;m", "&#181;m", "?m", "\ufffdm", "ï¿½m",
    " um ", "um\x00", "[um]", "(µm)", "um/pixel", "µm/px", "microns per pixel", "1e-6 m", "10^-6 m", "0.001 mm", "µ",
    b"\xb5m", b"\xc2\xb5m",
]  # fmt: skip

OTHERS = {
    "Inches": INCH, "IN": INCH, "feet": 12 * INCH, "Foot": 12 * INCH, "yards": 36 * INCH, "miles": 63360 * INCH,
    "mil": 25.4,
    "nautical_mile": 1852 * METRE, "light_year": 9.4607304725808e21, "light-years": 9.4607304725808e21,
    "US_survey_foot": 1200 / 3937 * METRE, "US_survey_feet": 1200 / 3937 * METRE, "furlong": 660 * 1200 / 3937 * METRE,
    "international_inches": INCH, "fermi": 1e-9, "A\u030a": 1e-4, "\u212b": 1e-4, "Ångström": 1e-4, "angstroms": 1e-4,
    "microinch": INCH / 1e6, "kiloparsecs": 3.0856775814913673e25, "metres": METRE, "Meter": METRE, "NM": 1e-3,
    "CM": 1e4,
    "10 um": 10.0, "nanometres": 1e-3, "decametre": 1e7, "dekameter": 1e7,
}  # fmt: skip

NO_LENGTHS = [
    "", " ", None, "pixel", "pixels", "Pixel", "px", "voxel", "reference frame", "unknown", "none", "arbitrary",
    "a.u.", "s",
    "second", "min", "MM", "A", "degree", "inch²", "1", "um2", "mum", "m/s", 5, "nmm", "\x00",
]  # fmt: skip
"""`MM` might be a millimetre or a megametre, `A` is an ampere."""


@pytest.mark.parametrize(("unit", "expected"), [*OME.items(), *NGFF.items(), *OTHERS.items()])
def test_a_unit_has_its_length(unit: str, expected: float | None) -> None:
    assert unit_um(unit) == (None if expected is None else pytest.approx(expected, rel=1e-9))


@pytest.mark.parametrize("unit", MICROMETRES)
def test_a_micrometre_is_known_in_every_spelling(unit: object) -> None:
    assert unit_um(unit) == pytest.approx(1.0)


@pytest.mark.parametrize("unit", NO_LENGTHS)
def test_what_is_no_length_is_not_taken_for_one(unit: object) -> None:
    assert unit_um(unit) is None


@given(
    unit=st.sampled_from([name for name, size in {**OME, **NGFF}.items() if size]),
    form=st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
    encoding=st.sampled_from(["utf-8", "cp1252", "mac_roman"]),
    blanks=st.sampled_from(["", " ", "\t", "\x00"]),
)
def test_what_is_done_to_a_text_on_its_way_does_not_change_its_length(
    unit: str, form: str, encoding: str, blanks: str
) -> None:
    said = unicodedata.normalize(form, unit)  # type: ignore[arg-type]
    read_wrongly = said.encode("utf-8").decode(encoding, errors="replace")
    if "\ufffd" not in read_wrongly:
        assert unit_um(blanks + read_wrongly + blanks) == unit_um(unit)


@given(unit=st.sampled_from(list(NGFF)), change=st.sampled_from([str.upper, str.title, str.lower]))
def test_names_have_no_capitals_of_their_own(unit: str, change: object) -> None:
    assert unit_um(change(unit)) == pytest.approx(NGFF[unit])  # type: ignore[operator]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(5, 5.0), ("5", 5.0), ("0,65", 0.65), (" 0.65 ", 0.65), ("1e-3", 1e-3), (b"2.5", 2.5), ("+3", 3.0)],
)
def test_numbers_are_read_from_text(value: object, expected: float) -> None:
    assert positive(value) == expected


@pytest.mark.parametrize(
    "value", [0, -1, math.nan, math.inf, "nan", "inf", "-5", "", "five", None, True, [1], "1,000.5", "1,2,3", "0"]
)
def test_what_is_no_positive_finite_number_is_no_size(value: object) -> None:
    assert positive(value) is None
    assert micrometres(value, "um") is None


def test_a_size_too_large_or_small_for_a_number_is_no_size() -> None:
    assert micrometres(1e300, "Ym") is None
    assert micrometres(1e-320, "qm") is None

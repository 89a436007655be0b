"""Lengths as files write them: one table of units, and numbers in any spelling.

The units are those of UDUNITS-2 (which OME-Zarr uses), of OME's `UnitsLength` and of ImageJ. Symbols are told apart by
capitals (`mm` and `Mm`), names are not. What is no length (`pixel`, `reference frame`, nothing at all) is None: a size
in it is not stated.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping

import numpy as np

METRE_UM = 1e6
INCH_UM = 25400.0
FOOT_UM = 12 * INCH_UM
SURVEY_FOOT_UM = 1200 / 3937 * METRE_UM
PRINTERS_POINT_UM = 351.4598

PREFIXES: Mapping[str, tuple[str, int]] = {
    "quetta": ("Q", 30), "ronna": ("R", 27), "yotta": ("Y", 24), "zetta": ("Z", 21), "exa": ("E", 18),
    "peta": ("P", 15), "tera": ("T", 12), "giga": ("G", 9), "mega": ("M", 6), "kilo": ("k", 3), "hecto": ("h", 2),
    "deca": ("da", 1), "deka": ("da", 1), "deci": ("d", -1), "centi": ("c", -2), "milli": ("m", -3),
    "micro": ("μ", -6), "nano": ("n", -9), "pico": ("p", -12), "femto": ("f", -15), "atto": ("a", -18),
    "zepto": ("z", -21), "yocto": ("y", -24), "ronto": ("r", -27), "quecto": ("q", -30),
}  # fmt: skip
"""SI prefixes: their symbol and power of ten."""

NAMES_UM: Mapping[str, float] = {
    "meter": METRE_UM, "metre": METRE_UM, "micron": 1.0, "angstrom": 1e-4, "ångström": 1e-4, "ångstrom": 1e-4,
    "fermi": 1e-9, "mil": INCH_UM / 1000, "thou": INCH_UM / 1000, "line": INCH_UM / 12, "inch": INCH_UM,
    "international inch": INCH_UM, "foot": FOOT_UM, "international foot": FOOT_UM, "yard": 3 * FOOT_UM,
    "international yard": 3 * FOOT_UM, "mile": 5280 * FOOT_UM, "international mile": 5280 * FOOT_UM,
    "US survey foot": SURVEY_FOOT_UM, "US survey yard": 3 * SURVEY_FOOT_UM, "US survey mile": 5280 * SURVEY_FOOT_UM,
    "US statute mile": 5280 * SURVEY_FOOT_UM, "rod": 16.5 * SURVEY_FOOT_UM, "pole": 16.5 * SURVEY_FOOT_UM,
    "perch": 16.5 * SURVEY_FOOT_UM, "furlong": 660 * SURVEY_FOOT_UM, "fathom": 6 * SURVEY_FOOT_UM,
    "chain": 20.11684 * METRE_UM, "arpentlin": 191.835 * FOOT_UM, "barleycorn": INCH_UM / 3,
    "nautical mile": 1852 * METRE_UM, "nmile": 1852 * METRE_UM, "point": INCH_UM / 72, "big point": INCH_UM / 72,
    "printers point": PRINTERS_POINT_UM, "printers pica": 12 * PRINTERS_POINT_UM, "pica": 12 * PRINTERS_POINT_UM,
    "astronomical unit": 149597870700 * METRE_UM, "light year": 9460730472580800 * METRE_UM,
    "parsec": 3.0856775814913673e16 * METRE_UM,
}  # fmt: skip

SYMBOLS_UM: Mapping[str, float] = {
    "um": 1.0, "μ": 1.0, "Å": 1e-4, "thou": INCH_UM / 1000, "li": INCH_UM / 12, "in": INCH_UM, "ft": FOOT_UM,
    "yd": 3 * FOOT_UM, "mi": 5280 * FOOT_UM, "ua": 149597870700 * METRE_UM, "ly": 9460730472580800 * METRE_UM,
    "pc": 3.0856775814913673e16 * METRE_UM, "pt": INCH_UM / 72, "?m": 1.0, "\ufffdm": 1.0,
}  # fmt: skip
"""The last two are what is left of a micrometre where a program could not write its first letter."""

PLURALS = {"foot": "feet", "inch": "inches", "perch": "perches"}

ENCODINGS = ("cp1252", "latin-1", "mac_roman")
"""In which UTF-8 is often read by mistake, so that `µm` becomes `Âµm`."""


def micrometres(value: object, unit: object) -> float | None:
    """A size in um, or None where it is no positive finite number or its unit no length."""
    size, factor = positive(value), unit_um(unit)
    if size is None or factor is None:
        return None
    return positive(size * factor)


def unit_um(unit: object) -> float | None:
    """How many um a unit of length is, in any spelling; None for what is no length."""
    text = _plain(unit)
    if text in _SYMBOLS:
        return _SYMBOLS[text]
    key = _key(text)
    if key in _NAMES:
        return _NAMES[key]
    if key in _CAPITALS:
        return _CAPITALS[key]
    scaled = re.fullmatch(r"(10\^[-+]?[0-9]+|[0-9.]+(?:e[-+]?[0-9]+)?)[ *·]*([^\W0-9].*)", text, re.IGNORECASE)
    if not scaled:
        return None
    base, _, power = scaled[1].partition("^")
    factor, of = positive(f"1e{power}" if power else base), unit_um(scaled[2])
    return factor * of if factor and of else None


def positive(value: object) -> float | None:
    """A number, also one in text and with a decimal comma; None where it is not finite and larger than 0."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        text = value.strip().strip("\x00").strip()
        value = text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
    elif isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        return None
    try:
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if 0 < number < math.inf else None


def _plain(unit: object) -> str:
    """A unit without what was done to its text on the way: bytes, escapes, wrong encodings, brackets, `per pixel`."""
    text = unit.decode("latin-1") if isinstance(unit, bytes) else str("" if unit is None else unit)
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), html.unescape(text))
    for _ in range(3):
        text = next((fixed for name in ENCODINGS if (fixed := _read_again(text, name)) is not None), text)
    text = unicodedata.normalize("NFKC", text).strip("\x00 \t\r\n\"'[]()<>.")
    return re.sub(r"\s*(/|\bper\b)\s*(px|pixel|voxel|vx|slice)s?$", "", text, flags=re.IGNORECASE)


def _read_again(text: str, encoding: str) -> str | None:
    """Text whose UTF-8 was read in another encoding, or None where that was not so."""
    try:
        fixed = text.encode(encoding).decode("utf-8")
    except UnicodeError:
        return None
    return fixed if fixed != text else None


def _key(text: str) -> str:
    """A name without capitals, blanks and strokes."""
    return re.sub(r"[\s_\-]+", "", text).casefold()


def _all_symbols() -> Iterator[tuple[str, float]]:
    yield "m", METRE_UM
    yield from ((f"{symbol}m", METRE_UM * 10.0**power) for symbol, power in PREFIXES.values())
    yield from SYMBOLS_UM.items()


def _all_names() -> Iterator[tuple[str, float]]:
    for name, size in NAMES_UM.items():
        *before, last = name.split()
        for form in (name, " ".join([*before, PLURALS.get(last, f"{last}s")])):
            yield form, size
            yield from ((f"{prefix}{form}", size * 10.0**power) for prefix, (_, power) in PREFIXES.items())


def _unambiguous(symbols: Mapping[str, float]) -> dict[str, float]:
    """Symbols by their letters without capitals, such as `UM`; those that could be two lengths (`MM`) left out."""
    by_key: dict[str, set[float]] = {}
    for symbol, size in symbols.items():
        by_key.setdefault(_key(symbol), set()).add(size)
    return {key: sizes.pop() for key, sizes in by_key.items() if len(sizes) == 1}


_SYMBOLS = {unicodedata.normalize("NFKC", symbol): size for symbol, size in _all_symbols()}
_NAMES = {_key(unicodedata.normalize("NFKC", name)): size for name, size in _all_names()}
_CAPITALS = _unambiguous(_SYMBOLS)

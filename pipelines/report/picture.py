"""Figures as bytes inside the page, and the few drawing habits all of them share."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

INK, MUTED, ALARM = "#1c2430", "#68727f", "#c2210f"
ACCENT, LEFT, RIGHT = "#0b6e6e", "#0072b2", "#d55e00"
"""Left and right are blue and vermilion of Okabe and Ito: distinct for all kinds of colour vision."""

HALO = (withStroke(linewidth=1.8, foreground="#00000099"),)
"""A dark rim that keeps white marks legible on bright tissue."""

PNG_DPI, JPG_DPI = 200, 170
_QUALITY: dict[str, Any] = {"quality": 86, "subsampling": 0}
"""Keeps the page below 6 MB with noisy images; colour is not subsampled, or thin lines would smear."""


@dataclass(frozen=True)
class Picture:
    """An image as a data URI, its size in CSS pixels and the text that stands for it."""

    uri: str
    width: int
    height: int
    alt: str


def encode(figure: Figure, kind: Literal["png", "jpg"], alt: str) -> Picture:
    """The figure as a picture: PNG for charts, JPEG for images."""
    data = base64.b64encode(render(figure, kind)).decode("ascii")
    mime = "jpeg" if kind == "jpg" else kind
    width, height = figure.get_size_inches()
    return Picture(f"data:image/{mime};base64,{data}", round(width * 96), round(height * 96), alt)


def render(figure: Figure, kind: Literal["png", "jpg"]) -> bytes:
    """The figure as a file's bytes; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    if kind == "png":
        figure.savefig(buffer, format="png", dpi=PNG_DPI, metadata={"Software": None})
    else:
        figure.savefig(buffer, format="jpg", dpi=JPG_DPI, pil_kwargs=_QUALITY)
    return buffer.getvalue()


def scale_bar(axes: Axes, length: float, label: str) -> None:
    """A horizontal bar of `length` data units in the lower right corner, with its label above."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    across, down = right - left, top - bottom
    end = right - 0.04 * across
    start = end - length * (1 if across > 0 else -1)
    level = bottom + 0.05 * down
    axes.plot([start, end], [level, level], color="white", linewidth=2, solid_capstyle="butt", path_effects=HALO)
    middle, above = (start + end) / 2, level + 0.02 * down
    axes.text(middle, above, label, color="white", fontsize=7, ha="center", va="bottom", path_effects=HALO)


def round_length(limit: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is at most `limit` (positive)."""
    power = 10.0 ** _exponent(limit)
    return max(step * power for step in (1, 2, 5) if step * power <= limit * 1.000001)


def _exponent(value: float) -> int:
    return int(f"{value:e}".split("e")[1])


def length_text(um: float) -> str:
    """A length in um or, from one millimetre on, in mm."""
    return f"{um / 1000:g} mm" if um >= 1000 else f"{um:g} µm"


def plain_axes(axes: Axes) -> None:
    """A chart without the frame's upper and right side, small muted ticks."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#b8bfc8")
    axes.tick_params(labelsize=7.5, colors=MUTED, length=3)


def thousands(value: float, _position: float | None = None) -> str:
    """A tick's number: thousands separated, digits after the point only where it is small."""
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:g}"

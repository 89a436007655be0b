"""volumetric: from terabyte microscope volumes of whole brains to cell counts per region."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from volumetric.storage.view import open_volume

__version__ = "0.1.0"
__all__ = ["__version__", "open_volume"]


def __getattr__(name: str) -> object:
    """Load `open_volume` when it is first asked for: importing the package stays fast."""
    if name == "open_volume":
        from volumetric.storage.view import open_volume

        return open_volume
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

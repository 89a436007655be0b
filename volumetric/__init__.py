"""volumetric: from terabyte microscope volumes of whole brains to cell counts per region."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from volumetric.version import __version__

if TYPE_CHECKING:
    from volumetric.atlas.label_view import open_labels
    from volumetric.atlas.registered import open_registration
    from volumetric.storage.view import open_volume

__all__ = ["__version__", "open_labels", "open_registration", "open_volume"]

_HOMES = {
    "open_labels": "volumetric.atlas.label_view",
    "open_registration": "volumetric.atlas.registered",
    "open_volume": "volumetric.storage.view",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> object:
    """Load what is offered here when it is first asked for: importing the package stays fast."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

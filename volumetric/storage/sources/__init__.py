"""Images as users have them, behind one small interface; one file a format, each read by its well-kept library."""

from volumetric.storage.sources.open import open_source, select_channels
from volumetric.storage.sources.source import ChannelSet, Source, read

__all__ = ["ChannelSet", "Source", "open_source", "read", "select_channels"]

"""Tiles: images for people to annotate, cut inside regions of a registered brain and dealt out to workers."""

from pipelines.tiles.config import Config, brain_name, slice_numbers
from pipelines.tiles.run import plan, print_summary

__all__ = ["Config", "brain_name", "plan", "print_summary", "slice_numbers"]

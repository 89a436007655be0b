"""Realism: how alike synthetic tiles and real ones are."""

from pipelines.realism.inputs import Config
from pipelines.realism.run import plan, print_summary

__all__ = ["Config", "plan", "print_summary"]

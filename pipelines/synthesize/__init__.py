"""Make tiles up: images, and the cells in them."""

from pipelines.synthesize.config import Config
from pipelines.synthesize.run import plan, print_summary

__all__ = ["Config", "plan", "print_summary"]

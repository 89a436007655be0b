"""Train a generator of tiles: from images without labels to a checkpoint."""

from pipelines.train_generator.config import Config
from pipelines.train_generator.run import plan, prepare, print_estimate, print_summary

__all__ = ["Config", "plan", "prepare", "print_estimate", "print_summary"]

"""Train a detector: from tiles with known cells, and synthetic crops, to a checkpoint."""

from pipelines.train_detector.config import Config
from pipelines.train_detector.run import plan, print_summary

__all__ = ["Config", "plan", "print_summary"]

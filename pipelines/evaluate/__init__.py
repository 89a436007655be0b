"""Evaluate: how good a detector is on tiles whose cells are known."""

from pipelines.evaluate.run import Config, plan, print_summary

__all__ = ["Config", "plan", "print_summary"]

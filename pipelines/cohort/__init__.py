"""Cohort: many brains counted by one command. See `run` for inputs and outputs."""

from pipelines.cohort.run import run_cohort

__all__ = ["run_cohort"]

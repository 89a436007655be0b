"""Bench: how fast the stages are on this machine, each as a ratio to the limit measured in the same run."""

from pipelines.bench.run import Config, Name, machine, run_bench

__all__ = ["Config", "Name", "machine", "run_bench"]

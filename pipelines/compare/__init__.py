"""Compare: groups of brains, region by region. See `run` for inputs and outputs."""

from pipelines.compare.job import Config
from pipelines.compare.run import run_compare

__all__ = ["Config", "run_compare"]

"""Compare: groups of brains, region by region. See `run` for inputs and outputs."""

from pipelines.compare.run import Config, run_compare

__all__ = ["Config", "run_compare"]

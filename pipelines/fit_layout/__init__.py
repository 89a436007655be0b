"""`volumetric fit-layout`: layouts of cells learnt from tiles, and how they stand beside tiles they have not seen."""

from pipelines.fit_layout.run import Config, plan, print_summary

__all__ = ["Config", "plan", "print_summary"]

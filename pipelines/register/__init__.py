"""Register: a brain onto an atlas."""

from pipelines.register.run import Config, Preset, costs, open_atlas, plan, print_summary

__all__ = ["Config", "Preset", "costs", "open_atlas", "plan", "print_summary"]

"""The command line: parse, configure, plan, print, run. Each command's work is in the file of its name, one room up."""

from pipelines.cli.app import main

from pipelines.cli import brains, groups, volumes, steps, detectors, crowd, synthesis, measure  # isort: skip # the order of the help

__all__ = ["brains", "crowd", "detectors", "groups", "main", "measure", "steps", "synthesis", "volumes"]

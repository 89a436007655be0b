"""Consensus: clicks of a crowd to cells, skill and ground truth."""

from pipelines.consensus.config import Config
from pipelines.consensus.inputs import read_inputs
from pipelines.consensus.run import finish, plan, print_summary

__all__ = ["Config", "finish", "plan", "print_summary", "read_inputs"]

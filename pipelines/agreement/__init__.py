"""Agreement: a crowd's consensus beside what experts marked."""

from pipelines.agreement.run import Config, prepare, print_summary

__all__ = ["Config", "prepare", "print_summary"]

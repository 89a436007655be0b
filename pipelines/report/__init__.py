"""The report of a run: one self-contained page, and the picture of a registration."""

from pipelines.report.html import write_report
from pipelines.report.planes import overlay_png

__all__ = ["overlay_png", "write_report"]

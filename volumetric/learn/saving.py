"""When the state of a training is kept."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

SAVE_S = 30.0
"""Seconds of work that may be lost at most, whatever a step takes."""


@dataclass
class Saving:
    """Every so many steps, half a minute after the last time, and after the last step."""

    every: int
    _last: float = field(default_factory=time.monotonic)

    def is_due(self, step: int, finished: bool) -> bool:
        """Whether to save after so many steps; then it is taken to have been done."""
        due = finished or step % self.every == 0 or time.monotonic() - self._last >= SAVE_S
        if due:
            self._last = time.monotonic()
        return due

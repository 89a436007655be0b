"""How far a long step is: said by the step, heard by whoever runs it.

A pass of many tasks is counted by its tasks; a reduction is one, and may take minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Tell = Callable[[int, int], None]
"""Parts done, and all."""

_listener: ContextVar[Tell | None] = ContextVar("listener", default=None)


def tell(done: int, total: int) -> None:
    """Say, from within a step, how far it is; nothing happens where nobody listens."""
    listener = _listener.get()
    if listener is not None:
        listener(done, total)


@contextmanager
def listening(listener: Tell) -> Iterator[None]:
    """Hear what is told in this block, in this thread."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)

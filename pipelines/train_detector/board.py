"""Losses and checks as TensorBoard shows them; the only file that knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from volumetric.errors import InputError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def require_tensorboard() -> None:
    """Raise `InputError` where the package is not installed."""
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise InputError(
            "--tensorboard needs a package that is not installed: pip install 'volumetric[tensorboard]', "
            "or leave the option out; losses and checks are in CSV files and a picture without it"
        ) from error


@dataclass
class Scalars:
    """The scalars of one network, in a folder of its own; nothing happens without a folder."""

    folder: Path | None
    _writer: SummaryWriter | None = field(default=None, init=False)

    def add(self, tag: str, step: int, value: float) -> None:
        """Enter a value; what a stopped training had entered from this step on is no longer shown."""
        if self.folder is None:
            return
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder), purge_step=step)
        self._writer.add_scalar(tag, value, step)

    def close(self) -> None:
        """Write what is still in memory."""
        if self._writer is not None:
            self._writer.close()

"""The exceptions a user may meet. Each message says what was given, what was expected and what to do."""

from __future__ import annotations


class VolumetricError(Exception):
    """Base of all errors raised on purpose; the command line prints it without a traceback."""

    exit_code = 1


class InputError(VolumetricError, ValueError):
    """What the user gave cannot be used; nothing has been written."""

    exit_code = 2


class PlanError(InputError):
    """The planned work does not fit this machine (memory, disk)."""


class OutputError(InputError):
    """The output place holds something else and is left untouched."""


class TaskError(VolumetricError, RuntimeError):
    """A unit of work failed; the others are kept and the run can be resumed."""


class ClusterError(VolumetricError, RuntimeError):
    """The machines that do the tasks are gone or do not come; what is finished is kept and the run can be resumed."""


class RegistrationError(VolumetricError, RuntimeError):
    """The registration did not produce a usable transform."""


class StoppedError(VolumetricError):
    """The user stopped the program; what is finished is kept and the run can be resumed."""

"""Every error that orch raises on purpose, and the exit code that each one ends in.

OrchError
├── UsageError               2   a command that cannot be meant as it was typed
│   └── ProfileError         2   a profile with one or more faults, all of them listed
├── EnvironmentFault         3   the node cannot do what the profile asks
│   ├── EngineError          3   the Docker engine is missing, refuses, or does not answer in time
│   │   ├── ContainerGone    3   the container is no longer there
│   │   ├── EngineRefusal    3   the Docker engine has answered, and will not do it
│   │   └── ImageMissing     3   the image is neither on the node nor pullable
│   ├── PortTaken            3   somebody else listens where the server should
│   └── OutputError          3   results cannot be written
├── RunFailed                1   the run itself went wrong
│   ├── ServerFailed         1   the server exited, or never became healthy
│   └── BenchmarkFailed      1   a measurement did not complete
├── Busy                    75   somebody else holds what this command needs
└── TeardownIncomplete      70   something of ours may still be there

`Interrupted` is not an error but a signal on its way up; it ends in 128 + its number.
"""

from __future__ import annotations

import enum
import re
import signal
from typing import Any, ClassVar

from typing_extensions import Self

from orchestrator.causes import Cause, caused, nested
from orchestrator.text import said


class ExitCode(enum.IntEnum):
    """What the exit code of `orch` says; 128 + n stands for an end by signal n."""

    OK = 0
    RUN_FAILED = 1
    USAGE = 2
    ENVIRONMENT = 3
    OBJECTIVE_MISSED = 4
    INVALID = 5
    TEARDOWN_INCOMPLETE = 70
    BUSY = 75


class OrchError(Exception):
    """What went wrong and where (`message`), and what to do next (`hint`)."""

    exit_code: ClassVar[ExitCode] = ExitCode.RUN_FAILED

    def __init__(self, message: str, hint: str = "", cause: Cause | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self._cause = cause

    @classmethod
    def of(cls, cause: Cause, hint: str = "") -> Self:
        """Return the error that a cause is; its message is all that there is to say of it."""
        return cls("\n".join(cause.lines()), hint, cause)

    @property
    def cause(self) -> Cause:
        """Return the error as records hold it: its own cause, else its kind with what the message is made of."""
        return self._cause or caused(self.kind(), self.message)

    @classmethod
    def kind(cls) -> str:
        """Return the id of this kind of error, such as `port-taken`."""
        return re.sub("(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()

    def data(self) -> dict[str, Any]:
        """Return the error as plain data: its id, what a person reads, and what that is made of."""
        made = {"message": said(self.message), "hint": said(self.hint)}
        data = {"id": self.kind(), "message": str(self.message), "hint": str(self.hint), "said": made}
        return data if self._cause is None else {**data, "cause": nested(self._cause)}


class UsageError(OrchError):
    """A command that cannot be meant as it was typed."""

    exit_code = ExitCode.USAGE


class ProfileError(UsageError):
    """A profile with faults; the message holds one line for each."""


class EnvironmentFault(OrchError):
    """The node cannot do what the profile asks."""

    exit_code = ExitCode.ENVIRONMENT


class EngineError(EnvironmentFault):
    """The Docker engine is missing, refuses, or does not answer in time."""


class ContainerGone(EngineError):
    """The container is no longer there."""


class EngineRefusal(EngineError):
    """The Docker engine has answered, and will not do it."""


class ImageMissing(EngineError):
    """The image is neither on the node nor pullable."""


class PortTaken(EnvironmentFault):
    """Somebody else listens where the server should."""


class OutputError(EnvironmentFault):
    """Results cannot be written."""


class RunFailed(OrchError):
    """The run itself went wrong."""


class ServerFailed(RunFailed):
    """The server exited, or never became healthy."""


class BenchmarkFailed(RunFailed):
    """A measurement did not complete."""


class Busy(OrchError):
    """Somebody else holds what this command needs."""

    exit_code = ExitCode.BUSY


class TeardownIncomplete(OrchError):
    """Something of ours may still be there; the hint is the command that ends it by hand."""

    exit_code = ExitCode.TEARDOWN_INCOMPLETE


class Interrupted(BaseException):
    """A signal asked orch to stop; raised in the main thread so that every `finally` on the way runs."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


def cause_of(error: BaseException) -> Cause:
    """Return whatever ended something as records hold it."""
    if isinstance(error, Interrupted):
        return Cause("interrupted", {"signal": signal.Signals(error.signum).name})
    if isinstance(error, OrchError):
        return error.cause
    return Cause("orch-failed", {"exception": type(error).__name__, "said": str(error)})

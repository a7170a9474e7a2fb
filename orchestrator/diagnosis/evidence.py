"""What is known of a failure before anybody judges it; gathered by the caller, so that judging stays pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.causes import Cause
from orchestrator.vllm.phases import Phase

KILLED_BY = 128
"""Exit codes above it say which signal ended the process."""
SIGKILL = 9


@dataclass(frozen=True)
class Evidence:
    """How a server, or the making of its container, failed."""

    phase: Phase | str = ""
    """How far it had come: a phase of the start, or a word of the caller's such as `benchmarking`."""
    exit_code: int | None = None
    """Exit code of the container; None while it runs or when it never started."""
    oom_killed: bool = False
    """Whether the engine says that the kernel killed it for memory."""
    engine_error: str = ""
    """What the Docker engine answered, when the failure is its refusal."""
    log: bytes | str | Sequence[bytes | str] = b""
    """The server's whole log, or its lines."""
    first_line: int = 1
    """Number that the log's first line has in the file that is named to the reader."""
    timed_out: bool = False
    """Whether the container was still running when the deadline passed."""
    vllm_version: str | None = None
    """Version of vLLM, where the caller knows it; otherwise it is read from the log."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What the profile says, in its own keys, such as `server.flags.enforce-eager: true`; advice that it follows
    already is left out.
    """


def happened(evidence: Evidence) -> Cause:
    """Return what failed, and in which phase; why is not said yet."""
    kind, fields = _what(evidence)
    phase = evidence.phase.name.lower() if isinstance(evidence.phase, Phase) else evidence.phase
    return Cause(kind, {**fields, **({"phase": phase} if phase else {})})


def summary(evidence: Evidence) -> str:
    """Return in one line what failed, and in which phase."""
    return happened(evidence).text()


def _what(evidence: Evidence) -> tuple[str, dict[str, int]]:
    if evidence.engine_error:
        return "engine-refused", {}
    if evidence.timed_out:
        return "server-late", {}
    code = evidence.exit_code
    if evidence.oom_killed and code in (None, 0, KILLED_BY + SIGKILL):
        return "server-memory", {}
    if code is None:
        return "server-down", {}
    if KILLED_BY < code <= KILLED_BY + 64:
        return "server-signalled", {"signal": code - KILLED_BY, "exit_code": code}
    return "server-exited", {"exit_code": code}

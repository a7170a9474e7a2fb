"""Says why a server failed: the diagnosis judges its container's state and its log.

The rules of the diagnosis are imported only after a failure, so that no start pays for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.causes import Cause, nested
from orchestrator.deployment.folder import PROFILE
from orchestrator.deployment.log import lines_before, read_log
from orchestrator.errors import EngineError, EnvironmentFault, ServerFailed
from orchestrator.node.node import Member
from orchestrator.text import made_of
from orchestrator.vllm.phases import Phase

LARGEST = 64 << 20
"""Bytes of the log's end that are diagnosed; the lines before them are only counted."""


def server_failed(
    member: Member,
    folder: Path,
    phase: Phase | str,
    log_path: Path,
    noticed: str = "",
    *,
    timed_out: bool = False,
) -> ServerFailed:
    """Return the error that says how a server failed, in which phase, why, what to try, and where its log is.

    Args:
        member: The server's container; if its engine is gone, the error says so.
        folder: The deployment's folder.
        phase: What the server was doing: a phase of its start, or `measuring`.
        log_path: Where the log lies or will lie.
        noticed: The problem that was noticed, if it says more than the container's state.
        timed_out: Whether the server was not healthy at its deadline.
    """
    from orchestrator.diagnosis import Evidence, cause_of, diagnose, happened

    at = {"phase": phase.name.lower() if isinstance(phase, Phase) else phase}
    problem = Cause("server-problem", {"problem": made_of(noticed), **at})
    try:
        state = member.state()
        before = lines_before(member, folder, state.output_since)
        skipped, log = _end_of(read_log(member, folder, follow=False, since=state.output_since))
    except EngineError as error:
        failed = problem if noticed else Cause("server-down", at)
        return ServerFailed.of(
            Cause("engine-silent", {"failure": nested(failed), "engine": nested(error.cause)}), error.hint
        )
    evidence = Evidence(
        phase=phase,
        exit_code=None if state.running else state.exit_code,
        oom_killed=state.oom_killed,
        log=log,
        first_line=before + skipped + 1,
        settings=_settings(folder),
        timed_out=timed_out and state.running,
    )
    failed = problem if noticed and state.running else happened(evidence)
    return ServerFailed.of(cause_of(diagnose(evidence), failed, log_path))


def _end_of(pieces: Iterable[bytes]) -> tuple[int, bytes]:
    """Return the end of a log that comes in pieces, and the number of lines before it."""
    skipped, kept, held = 0, bytearray(), 0
    for piece in pieces:
        kept += piece
        held = len(kept)
        if held > 2 * LARGEST:
            cut = kept.find(b"\n", held - LARGEST) + 1 or held - LARGEST
            skipped += kept.count(b"\n", 0, cut)
            del kept[:cut]
    return skipped, bytes(kept)


def _settings(folder: Path) -> dict[str, str]:
    """Return the recorded profile's values by their dotted keys; empty if the profile cannot be read."""
    from orchestrator.profile.reading.stored import read_stored

    stored = read_stored(folder / PROFILE)
    if stored.unreadable:
        return {}
    profile, container = stored.profile, stored.profile.container
    named = {f"container.{name}": getattr(container, name) for name in type(container).model_fields}
    named |= {f"server.flags.{name.replace('_', '-')}": value for name, value in profile.server.flags.items()}
    named |= {f"server.env.{name}": value for name, value in {**container.env, **profile.server.env}.items()}
    return {key: _plain(value) for key, value in named.items() if isinstance(value, bool | int | float | str)}


def _plain(value: bool | float | str) -> str:  # noqa: FBT001 - a value of a profile
    return str(value).lower() if isinstance(value, bool) else str(value)


def engine_refused(error: EnvironmentFault) -> EnvironmentFault:
    """Return the engine's refusal to make or start a container, with its cause if that is known by name."""
    from orchestrator.diagnosis import Evidence, cause_of, diagnose, happened

    evidence = Evidence(engine_error=error.message)
    found = diagnose(evidence)
    return EnvironmentFault.of(cause_of(found, happened(evidence))) if found.is_known else error

"""Flags of `vllm serve` that came, were deprecated or went, and what takes their place; one row for each.

Sources: the parsers of vLLM 0.8.5 to 0.33.0 and the deprecation notices in them. A vendor's build may differ from the
version it bears, so an image's own parser is believed more than this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.vllm.versions import OLDEST, Version, parse_version


@dataclass(frozen=True)
class ServeFlag:
    """A flag that not all versions have."""

    name: str
    """As `server.flags` names it."""
    since: Version | None = None
    """First version that has it; None is every version from 0.8.5 on."""
    before: str = ""
    """What to do before that version."""
    deprecated: Version | None = None
    """First version that has it and says that it will go."""
    gone: Version | None = None
    """First version that does not have it any more."""
    instead: str = ""
    """What to do in its place."""
    back: Version | None = None
    """First version that has it again, to stay."""

    def history(self) -> str:
        """Return when the flag came or went and what to do, for whoever gave it to a version without it."""
        said = []
        if self.since is not None:
            said.append(f"is known since vLLM {show(self.since)}; before: {self.before}")
        if self.gone is not None:
            said.append(self.absence())
        return "; it ".join(said)

    def absence(self) -> str:
        """Return since when it is gone, and what to do instead."""
        end = f" and back in {show(self.back)}" if self.back else ""
        return f"is gone since vLLM {show(self.gone)}{end}: {self.instead}" if self.gone else ""

    def is_back(self, version: Version) -> bool:
        """Say whether a version has it again."""
        return self.back is not None and version >= self.back


LEAVE_OUT = "leave it out"
SERVE_FLAGS = (
    ServeFlag(
        "enable-reasoning", deprecated=(0, 9, 0), gone=(0, 10, 0), instead="give server.flags.reasoning-parser alone"
    ),
    ServeFlag(
        "disable-log-requests",
        deprecated=(0, 10, 1),
        gone=(0, 17, 0),
        instead="leave it out, requests are not logged anyway",
        back=(0, 33, 0),
    ),
    ServeFlag("num-scheduler-steps", gone=(0, 10, 1), instead=LEAVE_OUT),
    ServeFlag("multi-step-stream-outputs", gone=(0, 10, 1), instead=LEAVE_OUT),
    ServeFlag("use-v2-block-manager", deprecated=(0, 9, 0), gone=(0, 10, 0), instead=LEAVE_OUT),
    ServeFlag("device", deprecated=(0, 9, 0), gone=(0, 10, 0), instead="leave it out, the image decides"),
    ServeFlag("swap-space", gone=(0, 18, 0), instead=LEAVE_OUT),
    ServeFlag("preemption-mode", gone=(0, 11, 0), instead=LEAVE_OUT),
    ServeFlag("scheduler-delay-factor", gone=(0, 11, 0), instead=LEAVE_OUT),
    ServeFlag("max-seq-len-to-capture", gone=(0, 11, 0), instead=LEAVE_OUT),
    ServeFlag(
        "task", deprecated=(0, 10, 1), gone=(0, 13, 0), instead="use server.flags.runner or server.flags.convert"
    ),
    ServeFlag(
        "guided-decoding-backend",
        deprecated=(0, 11, 0),
        gone=(0, 12, 0),
        instead="use server.flags.structured-outputs-config",
    ),
    ServeFlag("rope-scaling", gone=(0, 11, 1), instead="use server.flags.hf-overrides"),
    ServeFlag("rope-theta", gone=(0, 11, 1), instead="use server.flags.hf-overrides"),
    ServeFlag(
        "cuda-graph-sizes",
        since=(0, 9, 0),
        before=LEAVE_OUT,
        deprecated=(0, 11, 1),
        gone=(0, 13, 0),
        instead="use server.flags.cudagraph-capture-sizes",
    ),
    ServeFlag("disable-frontend-multiprocessing", gone=(0, 19, 0), instead=LEAVE_OUT),
    ServeFlag("async-scheduling", since=(0, 10, 0), before=LEAVE_OUT),
    ServeFlag("attention-backend", since=(0, 13, 0), before="set VLLM_ATTENTION_BACKEND in server.env"),
    ServeFlag("convert", since=(0, 10, 1), before="use server.flags.task"),
    ServeFlag(
        "cudagraph-capture-sizes",
        since=(0, 11, 1),
        before="use server.flags.cuda-graph-sizes, which 0.9 has first",
    ),
    ServeFlag("enable-log-requests", since=(0, 10, 1), before="leave it out, requests are logged anyway"),
    ServeFlag("kv-cache-memory-bytes", since=(0, 10, 2), before="use server.flags.gpu-memory-utilization"),
    ServeFlag(
        "numa-bind",
        since=(0, 20, 2),
        before="bind with numactl in server.command, or with what the image has for it",
    ),
    ServeFlag("runner", since=(0, 10, 1), before="use server.flags.task"),
    ServeFlag("stream-interval", since=(0, 11, 1), before=LEAVE_OUT),
    ServeFlag("structured-outputs-config", since=(0, 11, 0), before="use server.flags.guided-decoding-backend"),
)
_BY_NAME = {flag.name: flag for flag in SERVE_FLAGS}


def show(version: Version) -> str:
    """Return a version as people write it: 0.17 for the first release of 0.17."""
    return ".".join(map(str, version if version[2] else version[:2]))


def serve_flag(name: str) -> ServeFlag | None:
    """Return what is known of a flag's coming and going, however its words are joined; None for one that stays."""
    return _BY_NAME.get(name.replace("_", "-"))


def deprecation(name: str, version: str) -> str | None:
    """Return what a version that still has a flag says of its end; None if it says nothing."""
    flag, at = serve_flag(name), _release(version)
    if flag is None or flag.deprecated is None or at is None or at < flag.deprecated or flag.is_back(at):
        return None
    end = f", gone since {show(flag.gone)}" if flag.gone else ""
    return f"is deprecated since vLLM {show(flag.deprecated)}{end}: {flag.instead}"


def absence(name: str, version: str) -> str | None:
    """Return why a version does not have a flag, and what to do; None if it has it for all that is known."""
    flag, at = serve_flag(name), _release(version)
    if flag is None or at is None or flag.is_back(at):
        return None
    if flag.gone is not None and at >= flag.gone:
        return flag.absence()
    if flag.since is not None and at < flag.since:
        return f"is known since vLLM {show(flag.since)}; before: {flag.before}"
    return None


def _release(version: str) -> Version | None:
    """Return the release that a version belongs to; None for a build from source, whose version says nothing."""
    parsed = parse_version(version)
    return None if parsed is None or parsed < OLDEST else parsed

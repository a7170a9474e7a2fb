"""Which sources there are for one server on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from orchestrator.accelerators import node_accelerators, node_makers
from orchestrator.accelerators.tools import TOOLS
from orchestrator.telemetry.container import Container
from orchestrator.telemetry.devices import Cards, Nvidia
from orchestrator.telemetry.format import FILE
from orchestrator.telemetry.host import Host
from orchestrator.telemetry.recorder import recording
from orchestrator.telemetry.samples import Gap, Look, Source
from orchestrator.telemetry.server import read_server
from orchestrator.telemetry.tools import LONGEST_S, ToolLane, found

FAST_S, SLOW_S = 1.0, 10.0
FILES_SAY_IT = ("AMD", "Hygon")
"""Vendors whose drivers have files with figures."""
NVIDIA = "NVIDIA"
SLACK_S = 2.0
SELDOM_S = 3600.0


def sources_of(
    container: str,
    samples: Callable[[], Mapping[str, float] | None],
    ended: Callable[[], bool],
    root: Path = Path("/"),
    slow_s: float = SLOW_S,
) -> list[Source]:
    """Return what is to be read while a server is measured.

    Args:
        container: Id of its container.
        samples: Returns the samples of the server's `/metrics`, or None.
        ended: Says whether the recording has ended.
        root: Where the kernel's files lie.
        slow_s: How often vendors' tools are asked.
    """
    host, group = Host(root), Container(container, root)
    sources = [
        Source("proc", FAST_S, host.read),
        Source("cgroup", FAST_S, group.read),
        Source("vllm", FAST_S, lambda: read_server(samples)),
    ]
    cards = [line.split() for line in node_accelerators(root)]
    with_files = [address for vendor, _, address in cards if vendor in FILES_SAY_IT]
    if with_files:
        sources.append(Source("sysfs", FAST_S, Cards(with_files, container, root).read))
    vendors = sorted({vendor for vendor, _, _ in cards} | (node_makers(root) - set(TOOLS)))
    library = Nvidia(container, root)
    if NVIDIA in vendors:
        sources.append(Source("nvml", FAST_S, library.read, close=library.close))
    turn = threading.Lock()
    for vendor in vendors:
        tool = _tool(vendor, ended, root, slow_s)
        tool = dataclasses.replace(tool, read=_in_turn(turn, tool.read))
        sources.append(tool if vendor != NVIDIA else _unless(lambda: library.absent is None, tool))
    return sources


@contextlib.contextmanager
def recorded(
    folder: Path,
    container: str,
    samples: Callable[[], Mapping[str, float] | None],
    root: Path = Path("/"),
    slow_s: float = SLOW_S,
) -> Iterator[None]:
    """Record in a run's folder while the context lasts; nothing that goes wrong in it reaches the run.

    Args:
        folder: The run's directory.
        container: Id of the server's container.
        samples: Returns the samples of the server's `/metrics`, or None.
        root: Where the kernel's files lie.
        slow_s: How often vendors' tools are asked.
    """
    ended = threading.Event()
    with recording(folder / FILE, lambda: sources_of(container, samples, ended.is_set, root, slow_s)):
        try:
            yield
        finally:
            ended.set()


def _tool(vendor: str, ended: Callable[[], bool], root: Path, slow_s: float) -> Source:
    """Return the tool of a vendor that is there, or a source that says that there is none."""
    tools = TOOLS.get(vendor, ())
    for tool in tools:
        where = found(tool, root)
        if where is not None:
            lane = ToolLane(tool, where, ended)
            return Source(Path(where).name, slow_s, lane.read, limit_s=2 * LONGEST_S + SLACK_S, last=False)
    if not tools:
        return _always(vendor, Gap("no-sampler", vendor))
    return _always(tools[0].names[0], Gap("no-tool", ", ".join(name for tool in tools for name in tool.names)))


def _always(name: str, gap: Gap) -> Source:
    return Source(name, SELDOM_S, lambda: Look(gaps=(gap,)), last=False)


def _in_turn(turn: threading.Lock, read: Callable[[], Look]) -> Callable[[], Look]:
    """Return a reading that waits for those of other vendors' tools, so that never two tools run at once."""

    def alone() -> Look:
        with turn:
            return read()

    return alone


def _unless(told: Callable[[], bool], source: Source) -> Source:
    """Return a source that is read only where something else does not say it already."""
    return dataclasses.replace(source, read=lambda: Look() if told() else source.read())

"""Which sources there are for one server on this machine."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from orchestrator.accelerators import node_accelerators
from orchestrator.accelerators.tools import TOOLS
from orchestrator.telemetry.container import Container
from orchestrator.telemetry.devices import Cards, Nvidia, nvidia
from orchestrator.telemetry.format import FILE
from orchestrator.telemetry.host import Host
from orchestrator.telemetry.recorder import Recorder
from orchestrator.telemetry.samples import Gap, Look, Source
from orchestrator.telemetry.server import read_server
from orchestrator.telemetry.tools import LONGEST_S, ToolLane, found

FAST_S, SLOW_S = 1.0, 10.0
FILES_SAY_IT = ("AMD", "Hygon")
"""Vendors whose drivers have files with figures."""
NVIDIA = "NVIDIA"
SLACK_S = 2.0


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
    vendors = {vendor for vendor, _, _ in cards}
    if NVIDIA in vendors:
        library = nvidia(container)
        if isinstance(library, Nvidia):
            sources.append(Source("nvml", FAST_S, library.read, close=library.close))
            vendors.discard(NVIDIA)
        else:
            sources.append(_missing("nvml", library))
    return [*sources, *_tools(sorted(vendors), ended, root, slow_s)]


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
    recorder = Recorder(folder / FILE, sources_of(container, samples, ended.is_set, root, slow_s))
    try:
        yield
    finally:
        ended.set()
        recorder.stop()


def _tools(vendors: list[str], ended: Callable[[], bool], root: Path, slow_s: float) -> Iterator[Source]:
    for vendor in vendors:
        tools = TOOLS.get(vendor, ())
        there = [(tool, where) for tool in tools if (where := found(tool, root)) is not None]
        if there:
            tool, where = there[0]
            lane = ToolLane(tool, where, ended)
            yield Source(Path(where).name, slow_s, lane.read, limit_s=2 * LONGEST_S + SLACK_S)
        elif tools:
            yield _missing(tools[0].names[0], Gap("no-tool", ", ".join(name for tool in tools for name in tool.names)))


def _missing(name: str, gap: Gap) -> Source:
    return Source(name, 3600.0, lambda: Look(gaps=(gap,)))

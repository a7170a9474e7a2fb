"""Rules on what was around the server: a busy node, requests of somebody else before, a warm-up that failed."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.results.validity.values import Findings, Reason, Seen, Unchecked, joined
from orchestrator.runs.format.node_load import NodeUse
from orchestrator.text import Text

FOREIGN = 0.10
"""Part of the node's processor time that others may use. A server that needs the processors loses as much as others
take: twice what repetitions on a quiet node scatter by."""
FOREIGN_WAITED = 0.05
"""What others may use where tasks wait for processors as well: then every part that they take is missing."""
CPU_PRESSURE = 0.20
"""Part of the time in which a task waited for a processor, by which others are felt; alone it is no doubt, for a
server on processors makes its own tasks wait."""
STOLEN = 0.05
"""Part of the node's processor time that a hypervisor may give to others; it is gone whatever the server needs."""
MEMORY_PRESSURE = 0.10
"""Part of the time in which tasks may wait for memory: a server that reserves its memory waits for none."""
IO_PRESSURE = 0.25
"""Part of the time in which tasks may wait for disks: a server reads none of them while it serves."""
DEVICE_USE = 0.10
"""Part of its time that a device may be in use while the server has nothing to do; drivers count a display, too."""


def node_busy(seen: Seen) -> Findings:
    """Judge who else used the node, before a measurement and meanwhile."""
    node = seen.record.node
    if node is None or node.during is None or node.during.foreign is None:
        yield Unchecked("node", "what else ran on the node is not known")
    if node is None:
        return
    told = [
        *_use(node.before, "before the measurement", pressure=False),
        *_use(node.during, "during the measurement", pressure=True),
    ]
    told += [
        Text("{device} was {use:.0%} in use before it, while the server had nothing to do", device=device, use=use)
        for device, use in node.devices_before.items()
        if use >= DEVICE_USE
    ]
    if not told:
        return
    text = told[0]
    for further in told[1:]:
        text = joined(text, further)
    if node.load_before is not None and node.during is not None:
        text = Text(
            "{text} (load {load:.1f} on {cpus} processors before it)",
            text=text,
            load=node.load_before,
            cpus=node.during.cpus,
        )
    yield Reason("node-busy", Text("the node was busy: {text}", text=text))


def _use(use: NodeUse | None, when: str, *, pressure: bool) -> Iterator[Text]:
    """Yield what others took; waiting before is not judged, for the server's start makes tasks wait."""
    if use is None:
        return
    foreign, waited = use.foreign or 0.0, use.cpu_pressure or 0.0
    if foreign >= FOREIGN:
        yield Text(
            "other programs used {foreign:.0%} of its processor time {when}",
            foreign=foreign,
            when=when,
        )
    elif pressure and foreign >= FOREIGN_WAITED and waited >= CPU_PRESSURE:
        yield Text(
            "other programs used {foreign:.0%} of its processor time {when}, and tasks waited for a processor "
            "{waited:.0%} of the time",
            foreign=foreign,
            when=when,
            waited=waited,
        )
    if (use.stolen or 0.0) >= STOLEN:
        yield Text("its hypervisor gave {stolen:.0%} of it to others {when}", stolen=use.stolen, when=when)
    if pressure and (use.memory_pressure or 0.0) >= MEMORY_PRESSURE:
        yield Text("tasks waited for memory {waited:.0%} of the time {when}", waited=use.memory_pressure, when=when)
    if pressure and (use.io_pressure or 0.0) >= IO_PRESSURE:
        yield Text("tasks waited for disks {waited:.0%} of the time {when}", waited=use.io_pressure, when=when)


def not_idle(seen: Seen) -> Findings:
    """Judge whether the server had anything to do when the measurement began."""
    if seen.record.idle_before is False:
        yield Reason("not-idle", "the server still had requests of somebody else when the measurement began")


def not_warm(seen: Seen) -> Findings:
    """Judge whether the warm-up succeeded."""
    if seen.record.warm_before is False:
        yield Reason("not-warm", "the warm-up before it failed; what a server does only once may have been measured")


RULES = (node_busy, not_idle, not_warm)

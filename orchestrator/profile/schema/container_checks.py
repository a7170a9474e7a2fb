"""What settings of a container exclude each other, or need each other: docker would say so late, or never."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.profile.schema.problems import Problem
from orchestrator.profile.schema.values import mount_targets
from orchestrator.units import parse_size


def misfits(container: Any) -> Iterator[Problem]:
    """Yield what does not go together in a container section, be its values right or wrong."""
    if not isinstance(container, Mapping):
        return
    yield from _memory(container)
    yield from _mounted_over(container)
    for key in ("hostname", "domainname") if container.get("uts") == "host" else ():
        if container.get(key) is not None:
            yield (key,), "with uts: host the node's own host name counts; leave one of the two out"


def _memory(container: Mapping[str, Any]) -> Iterator[Problem]:
    memory, swap, reserved = (_bytes(container.get(key)) for key in ("memory", "memory_swap", "memory_reservation"))
    given = container.get("memory") is not None
    if not given:
        for key in ("memory_swap", "oom_kill_disable"):
            if container.get(key) not in (None, False):
                yield (key,), f"{key} needs container.memory, a limit of the memory alone"
    if memory is not None and swap is not None and 0 <= swap < memory:
        yield (
            ("memory_swap",),
            "is memory and swap together, so it must not be less than container.memory; -1 is no limit",
        )
    if memory is not None and reserved is not None and reserved > memory:
        yield ("memory_reservation",), "must not be more than container.memory"


def _bytes(value: object) -> int | None:
    if isinstance(value, str):
        try:
            return parse_size(value)
        except ValueError:
            return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _mounted_over(container: Mapping[str, Any]) -> Iterator[Problem]:
    tmpfs = container.get("tmpfs") or ()
    folders = [tmpfs] if isinstance(tmpfs, str) else tmpfs
    targets = {target for _, target in mount_targets(container.get("mounts"))}
    for number, item in enumerate(folders) if isinstance(folders, list | tuple) else ():
        target = item.partition(":")[0].rstrip("/") if isinstance(item, str) else ""
        if target and target in targets:
            yield ("tmpfs", number), f"a mount, or another tmpfs, takes the place of {target}"
        targets.add(target)
    if container.get("read_only") is True and "/tmp" not in targets:
        yield ("read_only",), "the benchmark client writes to /tmp, so with read_only add tmpfs: [/tmp]"

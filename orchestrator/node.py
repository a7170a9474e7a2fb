"""Facts of this machine that belong into the record of a run."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

from orchestrator.accelerators import node_accelerators
from orchestrator.runs.records import NodeFacts


def node_facts(engine_version: str) -> NodeFacts:
    """Return the facts of the machine that orch runs on."""
    return NodeFacts(
        hostname=platform.node(),
        kernel=platform.release(),
        architecture=platform.machine(),
        cpu_model=_cpu_model(),
        cpus=os.cpu_count() or 0,
        numa_nodes=len(list(Path("/sys/devices/system/node").glob("node[0-9]*"))) or 1,
        memory_bytes=psutil.virtual_memory().total,
        engine_version=engine_version,
        accelerators=node_accelerators(),
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Processor")))
    return next(names, platform.processor())

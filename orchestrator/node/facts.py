"""Facts of a node that belong into the record of a run."""

from __future__ import annotations

import hashlib
import os
import platform

import psutil

from orchestrator.accelerators import node_accelerators
from orchestrator.errors import EnvironmentFault
from orchestrator.node.node import Node
from orchestrator.profile.schema.dataset.kinds import Dataset
from orchestrator.runs.format.records import DatasetFacts, NodeFacts
from orchestrator.text import Text

PIECE = 1 << 20


def node_facts(node: Node) -> NodeFacts:
    """Return the facts of a machine; raise EngineError if its engine does not answer."""
    return NodeFacts(
        hostname=platform.node(),
        kernel=platform.release(),
        architecture=platform.machine(),
        cpu_model=_cpu_model(node),
        cpus=os.cpu_count() or 0,
        numa_nodes=len(list(node.path("/sys/devices/system/node").glob("node[0-9]*"))) or 1,
        memory_bytes=psutil.virtual_memory().total,
        engine_version=node.engine.version(),
        accelerators=node_accelerators(node.root),
    )


def dataset_facts(node: Node, dataset: Dataset) -> DatasetFacts | None:
    """Return what the node's file of prompts holds, or None if there is none; raise EnvironmentFault."""
    file, path = dataset.node_file, dataset.client_path
    if file is None or path is None:
        return None
    digest, size = hashlib.sha256(), 0
    try:
        with node.path(file).open("rb") as opened:
            while piece := opened.read(PIECE):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        raise EnvironmentFault(
            Text("bench.dataset.file: {file} cannot be read: {strerror}", file=file, strerror=error.strerror),
            "A relative path is relative to the profile's own file.",
        ) from error
    return DatasetFacts(name=dataset.name, file=file, path=path, size=size, sha256=digest.hexdigest())


def _cpu_model(node: Node) -> str:
    try:
        lines = node.path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Processor")))
    return next(names, platform.processor())

"""Checks, before anything is measured, that the container's client and prompts are what the sweep asks for."""

from __future__ import annotations

from orchestrator.errors import EnvironmentFault
from orchestrator.measuring.driver import Client
from orchestrator.plan.sweep import points
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.dataset.kinds import Dataset
from orchestrator.runs.format.records import DatasetFacts
from orchestrator.text import Text
from orchestrator.vllm.client import Known, dialect_of, unsupported


def check_abilities(bench: Bench, client: Client) -> None:
    """Raise EnvironmentFault, naming keys and options, if the client cannot do what the points ask."""
    dialect = dialect_of(client.name, client.vllm_version, client.options)
    known = Known(client.options, client.datasets, client.backends, client.spread)
    found: dict[str, None] = {}
    for point in points(bench):
        found |= dict.fromkeys(unsupported(point, dialect, known))
    if found:
        lines = "\n".join(f"  {line}" for line in found)
        raise EnvironmentFault(
            Text(
                "the client {client} of vLLM {vllm_version} cannot measure the dataset '{dataset}' as asked:\n{lines}",
                client=client.name,
                vllm_version=client.vllm_version,
                dataset=bench.dataset.name,
                lines=lines,
            ),
            "Take these keys away, or choose another dataset, bench.client or image.  See: docs/how-to/datasets.md",
        )


def seen_dataset(dataset: Dataset, recorded: DatasetFacts | None, client: Client) -> DatasetFacts | None:
    """Return the recorded facts of the prompts; raise EnvironmentFault if the client would read others.

    The client's own file counts: a container that is up keeps the old content of a mounted file that was replaced.
    """
    seen, path = client.dataset, dataset.client_path
    if seen is None or path is None:
        return recorded
    facts = DatasetFacts(name=dataset.name, file=dataset.node_file, path=path, size=seen.size, sha256=seen.sha256)
    if recorded is not None and recorded.sha256 != facts.sha256:
        raise EnvironmentFault(
            Text(
                "{path} in the container is not the file on record: sha256 {sha256}, recorded {recorded}",
                path=path,
                sha256=facts.sha256,
                recorded=recorded.sha256,
            ),
            "Was it replaced since the deployment was made?  orch down, then orch up   A changed file is a new run.",
        )
    return facts

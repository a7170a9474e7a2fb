"""The list of runs as plain data, as `--json` writes it: what manifests say, without profiles and records."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import UsageError
from orchestrator.runs.directory import RunDirectory, settle


def runs_data(runs: Sequence[RunDirectory]) -> list[dict[str, object]]:
    """Return a list of runs as plain data, newest last; of one that cannot be read, why."""
    rows: list[dict[str, object]] = []
    for run in runs:
        try:
            manifest = settle(run.path)
            done = run.done() if manifest.done is None else manifest.done
        except UsageError as error:
            rows.append({"id": run.path.name, "state": "unreadable", "reason": error.message})
            continue
        rows.append(
            {
                "id": manifest.id,
                "profile": manifest.profile,
                "study": manifest.study,
                "varied": manifest.varied,
                "state": manifest.state.value,
                "reason": manifest.reason,
                "created": manifest.created,
                "done": done,
                "planned": len(manifest.measurements),
                "path": str(run.path),
            }
        )
    return rows

"""The list of runs as plain data, as `--json` writes it: what manifests say, without profiles and records."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import UsageError
from orchestrator.runs.directory import settle
from orchestrator.runs.run import Run


def runs_data(runs: Sequence[Run]) -> list[dict[str, object]]:
    """Return a list of runs as plain data, newest last; of one that cannot be read, why."""
    rows: list[dict[str, object]] = []
    for run in runs:
        try:
            manifest = settle(run)
            done = run.done() if manifest.done is None else manifest.done
        except UsageError as error:
            unreadable = {"id": run.path.name, "state": "unreadable"}
            rows.append({**unreadable, "reason": error.message, "cause": error.cause.data()})
            continue
        rows.append(
            {
                "id": manifest.id,
                "profile": manifest.profile,
                "study": manifest.study,
                "varied": manifest.varied,
                "state": manifest.state.value,
                "reason": manifest.reason,
                "cause": None if manifest.cause is None else manifest.cause.data(),
                "created": manifest.created,
                "done": done,
                "planned": len(manifest.measurements),
                "path": str(run.path),
            }
        )
    return rows

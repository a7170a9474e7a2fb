"""Runs, studies and searches as plain data, as `--json` writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.errors import UsageError
from orchestrator.measuring.found import Found
from orchestrator.report.compared import compared
from orchestrator.report.remarks import decided_objectives
from orchestrator.report.repeated import repeated
from orchestrator.report.table import guide_rows, wide_rows
from orchestrator.runs.directory import RunDirectory, settle
from orchestrator.runs.study import Study


def run_data(directory: RunDirectory) -> dict[str, object]:
    """Return a run's results as plain data."""
    rows = wide_rows(directory)
    return {
        "path": str(directory.path),
        "manifest": directory.manifest().model_dump(mode="json", exclude={"done"}),
        "results": rows,
        "guide": guide_rows(rows),
        "objectives": [item.as_data() for item in decided_objectives(directory)],
        "repeated": [point.as_data() for point in repeated(directory)],
    }


def study_data(study: Study) -> dict[str, object]:
    """Return a study's results as plain data."""
    varied = list(study.runs[0].manifest().varied)
    changes = [row for item in compared(study) for row in item.as_data()]
    return {"study": study.id, "varied": varied, "runs": [run_data(run) for run in study.runs], "compared": changes}


def searched_study_data(study: Study, found: Mapping[int, Found]) -> dict[str, object]:
    """Return what the searches of a study came to as plain data."""
    rows = []
    for index, run in enumerate(study.runs):
        manifest = run.manifest()
        facts = {
            "run": manifest.id,
            "varied": manifest.varied,
            "state": manifest.state.value,
            "reason": manifest.reason,
        }
        rows.append({**facts, "found": found[index].as_data() if index in found else None})
    return {"study": study.id, "variants": rows}


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

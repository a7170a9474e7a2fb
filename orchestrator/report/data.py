"""Runs and studies with their results as plain data, as `--json` writes them."""

from __future__ import annotations

from orchestrator.report.assessed import assessed_data
from orchestrator.report.repeated import repeated
from orchestrator.report.table import guide_rows, wide_rows
from orchestrator.runs.directory import RunDirectory
from orchestrator.runs.study import Study


def run_data(directory: RunDirectory) -> dict[str, object]:
    """Return a run's results as plain data."""
    rows = wide_rows(directory)
    return {
        "path": str(directory.path),
        "manifest": directory.manifest().model_dump(mode="json", exclude={"done"}),
        "results": rows,
        "guide": guide_rows(rows),
        "assessed": assessed_data(directory.records()),
        "repeated": [point.as_data() for point in repeated(directory)],
    }


def study_data(study: Study) -> dict[str, object]:
    """Return a study's results as plain data."""
    varied = list(study.runs[0].manifest().varied)
    return {"study": study.id, "varied": varied, "runs": [run_data(run) for run in study.runs]}

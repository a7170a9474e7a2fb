"""Runs and studies with their results as plain data, as `--json` writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.report.repeated import repeated
from orchestrator.report.table import guide_rows, wide_rows
from orchestrator.results.validity import assess
from orchestrator.runs.format.outcome import Measured
from orchestrator.runs.format.records import Manifest, MeasurementRecord
from orchestrator.runs.run import Run
from orchestrator.runs.study import Study
from orchestrator.text import said


def run_data(directory: Run) -> dict[str, object]:
    """Return a run's results as plain data."""
    rows = wide_rows(directory)
    return {
        "path": str(directory.path),
        "manifest": manifest_data(directory.manifest()),
        "results": [{**row, "why": why} for row, why in zip(rows, _why(directory.records()), strict=True)],
        "guide": guide_rows(rows),
        "repeated": [point.as_data() for point in repeated(directory)],
    }


def manifest_data(manifest: Manifest) -> dict[str, object]:
    """Return a manifest as plain data, with what people read beside each id, and the one server by itself."""
    held = manifest.model_dump(mode="json", exclude={"done"})
    return {
        **held,
        "reason": manifest.reason,
        "cause": None if manifest.cause is None else manifest.cause.data(),
        "deployment": None if manifest.deployment is None else manifest.deployment.model_dump(mode="json"),
        "warnings": [warning.data() for warning in manifest.warnings],
    }


def _why(records: Sequence[MeasurementRecord]) -> Iterator[dict[str, object]]:
    """Yield, for each measurement, what speaks against it and what is to be known of it, as ids with fields."""
    assessed = assess(records)
    for record in records:
        found = assessed.get((record.point, record.repetition))
        doubts = found.reasons if found and isinstance(record.outcome, Measured) else ()
        yield {
            "causes": [cause.data() for cause in record.causes],
            "doubts": [{"id": reason.id, **said(reason.text)} for reason in doubts],
            "notes": [{"id": note.id, **said(note.text)} for note in (found.notes if found else ())],
        }


def study_data(study: Study) -> dict[str, object]:
    """Return a study's results as plain data."""
    varied = list(study.runs[0].manifest().varied)
    return {"study": study.id, "varied": varied, "runs": [run_data(run) for run in study.runs]}

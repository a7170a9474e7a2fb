"""What searches came to as plain data, as `--json` writes it."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.measuring.answer import answer_of
from orchestrator.measuring.found import Found
from orchestrator.runs.study import Study


def found_data(found: Found) -> dict[str, object]:
    """Return what a search came to as plain data: in words, and as ids and numbers."""
    return {**found.as_data(), "answer": answer_of(found).model_dump(mode="json")}


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
            "cause": None if manifest.cause is None else manifest.cause.data(),
        }
        rows.append({**facts, "found": found_data(found[index]) if index in found else None})
    return {"study": study.id, "variants": rows}

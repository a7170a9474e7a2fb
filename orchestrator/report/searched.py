"""The searches of a study as plain data, as `--json` writes them."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.measuring.found import Found
from orchestrator.runs.study import Study


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

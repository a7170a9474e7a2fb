"""The files of a run as orch itself reads them, with what people read of them beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.runs.format.reading import read_manifest, read_record

if TYPE_CHECKING:
    from pathlib import Path


def manifest_in(folder: Path) -> dict[str, Any]:
    """Return the manifest in a run's folder."""
    manifest = read_manifest(folder / "manifest.json")
    data = manifest.model_dump(mode="json")
    return {**data, "reason": manifest.reason, "deployment": data["members"][0] if data["members"] else None}


def record_in(folder: Path) -> dict[str, Any]:
    """Return the record in a measurement's folder."""
    record = read_record(folder / "record.json")
    data = record.model_dump(mode="json")
    metrics = None if data["outcome"] is None else data["outcome"].get("metrics")
    return {**data, "state": record.state.value, "reasons": list(map(str, record.reasons)), "metrics": metrics}

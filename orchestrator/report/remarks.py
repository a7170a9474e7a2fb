"""What there is to say of a run that its figures do not say, a line each."""

from __future__ import annotations

from orchestrator.metrics.objectives import missed, parse_objective
from orchestrator.report.thin import LEGEND
from orchestrator.results.validity import assess, thin_percentiles
from orchestrator.runs.directory import RunDirectory
from orchestrator.runs.records import Manifest, RunState


def remarks(directory: RunDirectory) -> list[str]:
    """Return a line for everything about a run that its figures do not say."""
    torn = [f"not trusted: {error.message}" for error in directory.torn()]
    return [*doubts(directory), *missed_objectives(directory), *torn]


def ending(manifest: Manifest) -> list[str]:
    """Return a line for a run that is not done: how far it came, and why no further."""
    if manifest.state is RunState.DONE:
        return []
    reason = "not begun" if manifest.state is RunState.PLANNED else ""
    return [": ".join(filter(None, (manifest.state.value, manifest.reason or reason)))]


def doubts(directory: RunDirectory) -> list[str]:
    """Return a line for each reason not to trust a measurement, and where the output of a failed client is."""
    lines, records = [], directory.records()
    assessed = assess(records)
    for record in records:
        assessment = assessed.get((record.point, record.repetition))
        name = f"{record.label}, repetition {record.repetition}"
        if assessment is None:
            lines.append(f"{record.state.value}: {name}")
        else:
            lines += [f"{assessment.verdict.value}: {name}: {reason.text}" for reason in assessment.reasons]
            lines += [f"note: {name}: {note.text}" for note in assessment.notes]
        if record.state is RunState.FAILED:
            lines.append(f"         {directory.client_log(record)}")
    if any(assessment.thin for assessment in assessed.values()):
        lines.append(LEGEND)
    return lines


def missed_objectives(directory: RunDirectory) -> list[str]:
    """Return a line for each objective of the profile that a measurement does not keep to."""
    objectives = [parse_objective(text) for text in directory.profile().objectives]
    return [
        f"MISSED: {record.label}, repetition {record.repetition}: {phrase}"
        for record in (directory.records() if objectives else [])
        if record.metrics is not None
        for phrase in missed(objectives, record.metrics, thin_percentiles(record.metrics.completed, record.metrics))
    ]

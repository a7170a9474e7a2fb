"""What there is to say of a run that its figures do not say, a line each."""

from __future__ import annotations

from orchestrator.metrics.objectives import known_objectives, missed
from orchestrator.report.thin import LEGEND
from orchestrator.results.validity import assess, thin_percentiles
from orchestrator.runs.format.outcome import Failed
from orchestrator.runs.format.records import Manifest, RunState
from orchestrator.runs.run import Run


def remarks(directory: Run) -> list[str]:
    """Return a line for everything about a run that its figures do not say."""
    torn = [f"not trusted: {error.message}" for error in directory.torn()]
    return [*doubts(directory), *missed_objectives(directory), *torn, *_not_known(directory)]


def _not_known(directory: Run) -> list[str]:
    """Return a line for each thing on record that this version of orch has no place for, and so leaves out."""
    stored = directory.stored()
    lines = [stored.note()] if stored.note() else []
    _, others = known_objectives(stored.profile.objectives)
    lines += [f"the objective '{text}' is not known and was not judged" for text in others]
    lines += [
        f"the parameters on record of the point {point} come to another id, so it is not the point of that id elsewhere"
        for point in directory.manifest().misnamed()
    ]
    lines += [f"{folder} is not among the run's measurements and is left out" for folder in directory.unlisted()]
    return [f"note: {line}" for line in lines]


def ending(manifest: Manifest, *, whole: bool = True) -> list[str]:
    """Return what there is to say of a run that is not done: how far it came, and why no further.

    Args:
        manifest: The run's.
        whole: All that there is to say of the cause, in as many lines, and not its headline alone.
    """
    if manifest.state is RunState.DONE:
        return []
    state = manifest.state.value
    if manifest.cause is not None:
        return [f"{state}: {manifest.reason if whole else manifest.headline}"]
    return [f"{state}: not begun" if manifest.state is RunState.PLANNED else state]


def doubts(directory: Run) -> list[str]:
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
        if isinstance(record.outcome, Failed):
            lines.append(f"         {directory.client_log(record)}")
    if any(assessment.thin for assessment in assessed.values()):
        lines.append(LEGEND)
    return lines


def missed_objectives(directory: Run) -> list[str]:
    """Return a line for each objective of the profile that a measurement does not keep to."""
    objectives, _ = known_objectives(directory.profile().objectives)
    return [
        f"MISSED: {record.label}, repetition {record.repetition}: {phrase}"
        for record in (directory.records() if objectives else [])
        if record.metrics is not None
        for phrase in missed(objectives, record.metrics, thin_percentiles(record.metrics.completed, record.metrics))
    ]

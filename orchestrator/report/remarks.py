"""What there is to say of a run that its figures do not say, a line each."""

from __future__ import annotations

from orchestrator.metrics.objectives import known_objectives
from orchestrator.report.ordered import ordered
from orchestrator.report.thin import LEGEND
from orchestrator.results.decided import Decided, Decision, decided
from orchestrator.results.validity import assess
from orchestrator.runs.directory import RunDirectory
from orchestrator.runs.records import Manifest, RunState


def remarks(directory: RunDirectory) -> list[str]:
    """Return a line for everything about a run that its figures do not say."""
    torn = [f"not trusted: {error.message}" for error in directory.torn()]
    return [*doubts(directory), *missed_objectives(directory), *torn, *_not_known(directory)]


def _not_known(directory: RunDirectory) -> list[str]:
    """Return a line for each thing on record that this version of orch has no place for, and so leaves out."""
    stored = directory.stored()
    lines = [stored.note()] if stored.note() else []
    _, others = known_objectives(stored.profile.objectives)
    lines += [f"the objective '{text}' is not known and was not judged" for text in others]
    lines += [f"{folder} is not among the run's measurements and is left out" for folder in directory.unlisted()]
    return [f"note: {line}" for line in lines]


def ending(manifest: Manifest) -> list[str]:
    """Return a line for a run that is not done: how far it came, and why no further."""
    if manifest.state is RunState.DONE:
        return []
    reason = "not begun" if manifest.state is RunState.PLANNED else ""
    return [": ".join(filter(None, (manifest.state.value, manifest.reason or reason)))]


def doubts(directory: RunDirectory) -> list[str]:
    """Return a line for each reason not to trust a measurement, and where the output of a failed client is."""
    lines, records = [], ordered(directory)
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
    """Return a line for each point and objective of the profile that is missed, or of which that cannot be told."""
    return [
        f"{item.decision.value.upper()}: {item.label}: {item.text()}"
        for item in decided_objectives(directory)
        if item.decision is not Decision.MET
    ]


def decided_objectives(directory: RunDirectory) -> list[Decided]:
    """Return what is decided of each point and objective of the profile that this version knows."""
    profile = directory.profile()
    objectives, _ = known_objectives(profile.objectives)
    return decided(objectives, profile.bench, ordered(directory) if objectives else [])

"""What there is to say of a run that its figures do not say, a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.metrics.objectives import known_objectives
from orchestrator.report.thin import LEGEND
from orchestrator.results.kept import Judged, judged
from orchestrator.results.validity import Assessment, assess
from orchestrator.runs.format.outcome import Failed
from orchestrator.runs.format.records import Manifest, MeasurementRecord, RunState
from orchestrator.runs.run import Run


def remarks(directory: Run) -> list[str]:
    """Return a line for everything about a run that its figures do not say."""
    torn = [f"not trusted: {error.message}" for error in directory.torn()]
    return [*doubts(directory), *missed_objectives(directory), *_barely_kept(directory), *torn, *_not_known(directory)]


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
        if isinstance(record.outcome, Failed):
            lines.append(f"         {directory.client_log(record)}")
    lines += _once(records, assessed)
    if any(assessment.thin for assessment in assessed.values()):
        lines.append(LEGEND)
    return lines


def _once(records: Sequence[MeasurementRecord], assessed: Mapping[tuple[str, int], Assessment]) -> list[str]:
    """Return a line for each kind of note, and of what was not checked, with the first measurement that it is about."""
    told: dict[tuple[str, str], list[str]] = {}
    for record in records:
        assessment = assessed.get((record.point, record.repetition))
        for note in () if assessment is None else assessment.notes:
            told.setdefault(("note", note.id), []).append(
                f"{record.label}, repetition {record.repetition}: {note.text}"
            )
        for each in () if assessment is None else assessment.unchecked:
            told.setdefault(("not checked", each.id), []).append(each.text)
    whole = f" of {len(records)} measurements)" if len(records) > 1 else ""
    return [f"{level}: {name}: {texts[0]}{whole and f' ({len(texts)}{whole}'}" for (level, name), texts in told.items()]


def missed_objectives(directory: Run) -> list[str]:
    """Return a line for each objective of the profile that a point does not keep to on average."""
    return [f"MISSED: {each.text}" for each in _judged(directory) if not each.kept]


def _barely_kept(directory: Run) -> list[str]:
    """Return a line for each objective that a point keeps to on average, but not surely."""
    return [f"note: {each.text}" for each in _judged(directory) if each.kept]


def _judged(directory: Run) -> list[Judged]:
    objectives, _ = known_objectives(directory.profile().objectives)
    return judged(objectives, directory.records() if objectives else [])

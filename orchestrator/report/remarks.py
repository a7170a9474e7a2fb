"""What there is to say of a run that its figures do not say, a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.metrics.catalogue import find
from orchestrator.metrics.objectives import is_thin, known_objectives
from orchestrator.metrics.tail import Tail
from orchestrator.report.ordered import ordered
from orchestrator.report.thin import LEGEND
from orchestrator.results.decided import Decided, Decision, decided
from orchestrator.results.statistics import CONFIDENCE
from orchestrator.results.validity import Assessment, assess, thin_of
from orchestrator.runs.format.outcome import Failed
from orchestrator.runs.format.records import Manifest, MeasurementRecord, RunState
from orchestrator.runs.run import Run


def remarks(directory: Run) -> list[str]:
    """Return a line for everything about a run that its figures do not say."""
    torn = [f"not trusted: {error.message}" for error in directory.torn()]
    return [*doubts(directory), *missed_objectives(directory), *thin_tails(directory), *torn, *_not_known(directory)]


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
    lines, records = [], ordered(directory)
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


def thin_tails(directory: Run) -> list[str]:
    """Return a line for each percentile of too few requests that an objective bounds: within what it lies."""
    objectives, _ = known_objectives(directory.profile().objectives)
    found = [(record, find(name)) for record in ordered(directory) for name in {item.metric for item in objectives}]
    lines = []
    for record, metric in found:
        known = record.tails.get(metric.latency) if metric and record.state is RunState.DONE else None
        if metric is None or known is None or metric.statistic not in known.bounds or record.metrics is None:
            continue
        if is_thin(metric.name, thin_of(record, record.metrics)):
            text = tail_text(known, metric.statistic)
            lines.append(f"note: {record.label}, repetition {record.repetition}: {metric.name} is {text}")
    return lines


def tail_text(known: Tail, percentile: str) -> str:
    """Return within what a percentile lies, with 95 % confidence, and the largest value."""
    low, high = known.bounds[percentile]
    largest = f"the largest of {known.n} is {known.largest:.4g}"
    if high is None:
        least = "bounded by none of its values" if low is None else f"at least {low:.4g} and not bounded above"
        return f"{least}, with {CONFIDENCE:.0%} confidence; {largest}"
    return f"between {0.0 if low is None else low:.4g} and {high:.4g}, with {CONFIDENCE:.0%} confidence; {largest}"


def missed_objectives(directory: Run) -> list[str]:
    """Return a line for each point and objective of the profile that is missed, or of which that cannot be told."""
    return [
        f"{item.decision.value.upper()}: {item.label}: {item.text()}"
        for item in decided_objectives(directory)
        if item.decision is not Decision.MET
    ]


def decided_objectives(directory: Run) -> list[Decided]:
    """Return what is decided of each point and objective of the profile that this version knows."""
    profile = directory.profile()
    objectives, _ = known_objectives(profile.objectives)
    return decided(objectives, profile.bench, ordered(directory) if objectives else [])

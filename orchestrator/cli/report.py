"""The results of one run as a table for people or as JSON, the same for every command that shows them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from orchestrator.cli.output import emit, emit_json, emit_table, say
from orchestrator.errors import ExitCode, Interrupted, RunFailed
from orchestrator.objectives import known_objectives, marked, missed
from orchestrator.plan.variants import short_names
from orchestrator.record import recorded
from orchestrator.report.repeated import repeated
from orchestrator.report.table import Cell, Row, guide_rows, wide_rows
from orchestrator.report.thin import LEGEND
from orchestrator.runs.records import RunKind, RunState
from orchestrator.sweep import lengths_text
from orchestrator.validity import assess, thin_percentiles
from orchestrator.vllm.backend import COMPLETIONS, backend_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.table import Table

    from orchestrator.runs.directory import RunDirectory
    from orchestrator.runs.records import Manifest

SHOWN = {
    "batch": "batch",
    "in/out": "lengths",
    "rep": "repetition",
    "E2E s": "duration_s",
    "req/s": "request_throughput",
    "out tok/s": "output_throughput",
    "total tok/s": "total_token_throughput",
    "TTFT ms": "mean_ttft_ms",
    "P99 TTFT": "p99_ttft_ms",
    "TPOT ms": "mean_tpot_ms",
    "P99 TPOT": "p99_tpot_ms",
    "ITL ms": "mean_itl_ms",
    "P99 ITL": "p99_itl_ms",
    "verdict": "verdict",
}
"""Columns of the table on the screen and what fills them; the CSV has them all."""
WHOLE = {
    **{heading: SHOWN[heading] for heading in ("batch", "in/out", "rep", "E2E s", "req/s", "total tok/s")},
    "E2EL ms": "mean_e2el_ms",
    "P99 E2EL": "p99_e2el_ms",
    "verdict": "verdict",
}
"""The columns where no request generates tokens."""
NARROW = ("batch", "in/out", "out tok/s", "total tok/s", "TTFT ms", "TPOT ms", "ITL ms", "verdict")
"""The columns that are left where the terminal is too narrow for all."""


@contextlib.contextmanager
def kept(directory: RunDirectory, show: Callable[[RunDirectory], None]) -> Iterator[None]:
    """Keep the record of a run while the context lasts; if it fails or is interrupted, show what was measured."""
    try:
        with recorded(directory):
            yield
    except (RunFailed, Interrupted):
        if directory.records():
            show(directory)
        say(f"run: {directory.path}")
        if can_go_on(directory):
            say(f"      go on with it: orch bench --resume {directory.path.name}")
        raise


def can_go_on(directory: RunDirectory) -> bool:
    """Say whether it helps to go on with a run that misses measurements.

    A run whose server failed before anything was measured would fail the same way: its profile stays as it is. What a
    search would measure next depends on what it has, so it is not gone on with.
    """
    manifest = directory.manifest()
    if manifest.kind is not RunKind.SWEEP or not directory.missing():
        return False
    return bool(directory.records()) or manifest.state is not RunState.FAILED


def report(directory: RunDirectory, *, as_json: bool, quiet: bool) -> ExitCode:
    """Show a run that was carried through and say where it lies; return the exit code that it stands for.

    Quiet, a run in which all is well is not shown; JSON that was asked for always is.
    """
    code = exit_code(directory)
    if as_json or code or not quiet:
        show_run(directory, as_json=as_json)
    if code or not quiet:
        say(f"run: {directory.path}")
        say(f"csv: {directory.summary_csv}")
    if code == ExitCode.RUN_FAILED and can_go_on(directory):
        say(f"go on with it: orch bench --resume {directory.path.name}")
    return code


def exit_code(directory: RunDirectory) -> ExitCode:
    """Return what a run that was carried through comes to: failed, INVALID, an objective missed, or all well."""
    records = directory.records()
    failed = [record for record in records if record.state is not RunState.DONE]
    if len(records) < len(directory.manifest().measurements) or any(record.metrics is None for record in failed):
        return ExitCode.RUN_FAILED
    if failed:
        return ExitCode.INVALID
    return ExitCode.OBJECTIVE_MISSED if missed_objectives(directory) else ExitCode.OK


def missed_objectives(directory: RunDirectory) -> list[str]:
    """Return a line for each objective of the profile that a measurement does not keep to."""
    objectives, _ = known_objectives(directory.profile().objectives)
    return [
        f"MISSED: {record.label}, repetition {record.repetition}: {phrase}"
        for record in (directory.records() if objectives else [])
        if record.metrics is not None
        for phrase in missed(objectives, record.metrics, thin_percentiles(record.metrics.completed, record.metrics))
    ]


def show_run(directory: RunDirectory, *, as_json: bool) -> None:
    """Write a run's results to standard output."""
    if as_json:
        emit_json("run", run_data(directory))
    else:
        manifest, rows = directory.manifest(), wide_rows(directory)
        version = manifest.deployment.vllm_version if manifest.deployment else None
        title = f"{manifest.id}   {manifest.profile}   vLLM {version or '?'}   {manifest.state.value}"
        emit_results(title, rows, tuple(manifest.varied))
        for point in repeated(directory):
            emit(point.line())
    for line in remarks(directory):
        say(line)


def run_data(directory: RunDirectory) -> dict[str, object]:
    """Return a run's results as plain data."""
    rows = wide_rows(directory)
    return {
        "path": str(directory.path),
        "manifest": directory.manifest().model_dump(mode="json"),
        "results": rows,
        "guide": guide_rows(rows),
        "repeated": [point.as_data() for point in repeated(directory)],
    }


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


def emit_results(title: str, rows: Sequence[Row], varied: tuple[str, ...]) -> None:
    """Write the table of measurements to standard output, first the keys that varied."""
    names = [(name, key) for key, name in short_names(varied).items()]
    whole = bool(rows) and not any(backend_of(str(row.get("backend") or COMPLETIONS)).generates for row in rows)
    wide = WHOLE if whole else SHOWN
    narrow = [(heading, wide[heading]) for heading in (wide if whole else NARROW)]
    emit_table(
        _table(title, rows, [*names, *wide.items()], len(names)), _table(title, rows, [*names, *narrow], len(names))
    )


def _table(title: str, rows: Sequence[Row], columns: Sequence[tuple[str, str]], left: int) -> Table:
    """Return a table of columns, each a heading and what fills it; the first few are text."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, (heading, _) in enumerate(columns):
        table.add_column(heading, justify="left" if index < left or heading == "verdict" else "right", no_wrap=True)
    for row in rows:
        thin = str(row.get("thin_percentiles") or "").split()
        figures = {name: marked(name, _text(cell), thin) for name, cell in row.items() if cell is not None}
        cells = {**figures, "lengths": _lengths(row)}
        table.add_row(*(Text(_text(cells.get(source))) for _, source in columns))
    return table


def _lengths(row: Row) -> Cell:
    return None if row.get("dataset") is None else lengths_text(row)


def _text(value: Cell) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else str(value)

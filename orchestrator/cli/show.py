"""How runs, studies and searches are shown: their table or their data, and what else there is to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.cli.output import emit, emit_json, emit_table, say
from orchestrator.cli.tables import results_tables, searched_study_table, searched_table
from orchestrator.errors import ExitCode
from orchestrator.plan.naming import label
from orchestrator.report.data import run_data, study_data
from orchestrator.report.meaning import can_go_on, exit_code, exit_code_of_study
from orchestrator.report.remarks import ending, remarks
from orchestrator.report.repeated import repeated
from orchestrator.report.table import study_rows, wide_rows
from orchestrator.report.thin import LEGEND
from orchestrator.runs.format.records import RunState
from orchestrator.runs.run import Run
from orchestrator.runs.study import Study

if TYPE_CHECKING:  # most results are no search's
    from orchestrator.measuring.found import Found
    from orchestrator.measuring.search_plan import SearchPlan


def show_run(directory: Run, *, as_json: bool) -> None:
    """Write a run's results to standard output."""
    if as_json:
        emit_json("run", run_data(directory))
    else:
        manifest, rows = directory.manifest(), wide_rows(directory)
        version = manifest.deployment.vllm_version if manifest.deployment else None
        title = f"{manifest.id}   {manifest.profile}   vLLM {version or '?'}   {manifest.state.value}"
        emit_table(*results_tables(title, rows, tuple(manifest.varied)))
        for point in repeated(directory):
            emit(point.line())
        if manifest.search is not None:
            _show_answer(directory)
    for line in remarks(directory):
        say(line)


def _show_answer(directory: Run) -> None:
    """Write what the search of a run came to below its measurements."""
    from orchestrator.measuring.answered import found_again

    found = found_again(directory)
    if found is not None:
        emit_table(searched_table(found))
        emit(found.statement())


def show_study(study: Study, *, as_json: bool) -> None:
    """Write a study's results to standard output."""
    manifests = [run.manifest() for run in study.runs]
    if as_json:
        emit_json("study", study_data(study))
    else:
        done = sum(manifest.state is RunState.DONE for manifest in manifests)
        rows = [{**row, "verdict": row.get("verdict") or row["state"]} for row in study_rows(study)]
        title = f"{study.id}   {manifests[0].profile}   {done} of {len(manifests)} runs done"
        emit_table(*results_tables(title, rows, tuple(manifests[0].varied)))
        for run, manifest in zip(study.runs, manifests, strict=True):
            for point in repeated(run):
                emit(f"{label(manifest.varied)}: {point.line()}")
    for run, manifest in zip(study.runs, manifests, strict=True):
        ended = [f"{line}   {run.path}" for line in ending(manifest, whole=False)]
        lines = [*ended, *remarks(run)]
        if lines:
            say("\n".join([f"{label(manifest.varied)}:", *(f"  {line}" for line in lines)]))


def show_search(found: Found, *, as_json: bool) -> None:
    """Write what a search came to to standard output."""
    if as_json:
        from orchestrator.report.searched import found_data

        emit_json("search", found_data(found))
        return
    emit_table(searched_table(found))
    emit(found.statement())
    if any(map(found.thin, found.tried)):
        say(LEGEND)


def show_searched_study(study: Study, found: Mapping[int, Found], plan: SearchPlan, *, as_json: bool) -> None:
    """Write what the searches of a study came to to standard output."""
    if as_json:
        from orchestrator.report.searched import searched_study_data

        emit_json("search-study", searched_study_data(study, found))
    else:
        emit_table(searched_study_table(study, found, plan))


def show(found: Run | Study, *, as_json: bool) -> None:
    """Write the results of a run or a study to standard output."""
    if isinstance(found, Study):
        show_study(found, as_json=as_json)
    else:
        show_run(found, as_json=as_json)


def report(found: Run | Study, *, as_json: bool, quiet: bool) -> ExitCode:
    """Show what was carried through and say where it lies; return the exit code that it stands for.

    Quiet, a run in which all is well is not shown; JSON that was asked for always is.
    """
    code = exit_code_of_study(found) if isinstance(found, Study) else exit_code(found)
    if as_json or code or not quiet:
        show(found, as_json=as_json)
    if code or not quiet:
        for line in _where(found):
            say(line)
    if code == ExitCode.RUN_FAILED and any(map(can_go_on, runs_of(found))):
        say(f"go on with it: orch bench --resume {id_of(found)}")
    return code


def _where(found: Run | Study) -> tuple[str, str]:
    if isinstance(found, Study):
        return f"study: {found.id}", f"csv:   orch results csv {found.id}"
    return f"run: {found.path}", f"csv: {found.summary_csv}"


def show_cut_short(found: Run | Study, searched: Found | None, *, as_json: bool) -> None:
    """Show what was measured by the time that a job was cut short, and how to go on with it."""
    if isinstance(found, Study):
        show_study(found, as_json=as_json)
        say(f"study: {found.id}")
    else:
        if searched is not None:
            show_search(searched, as_json=as_json)
        elif found.records():
            show_run(found, as_json=as_json)
        say(f"run: {found.path}")
    if any(map(can_go_on, runs_of(found))):
        indent = " " * len("study: " if isinstance(found, Study) else "run:  ")
        say(f"{indent}go on with it: orch bench --resume {id_of(found)}")


def runs_of(found: Run | Study) -> tuple[Run, ...]:
    """Return the runs of what was found."""
    return found.runs if isinstance(found, Study) else (found,)


def id_of(found: Run | Study) -> str:
    """Return how it is named on the command line."""
    return found.id if isinstance(found, Study) else found.path.name

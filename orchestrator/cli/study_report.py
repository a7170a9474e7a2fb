"""The results of a study in one table, or as JSON: what varied, then the figures of each measurement."""

from __future__ import annotations

from orchestrator.cli.output import emit, emit_json, say
from orchestrator.cli.report import can_go_on, emit_results, ending, exit_code, remarks, run_data
from orchestrator.errors import ExitCode
from orchestrator.plan.variants import label
from orchestrator.report.repeated import repeated
from orchestrator.report.table import study_rows
from orchestrator.runs.records import RunState
from orchestrator.runs.study import Study

WORST_FIRST = (ExitCode.RUN_FAILED, ExitCode.INVALID, ExitCode.OBJECTIVE_MISSED, ExitCode.OK)


def report_study(study: Study, *, as_json: bool, quiet: bool) -> ExitCode:
    """Show a study that was carried through and say where it lies; return the worst exit code of its runs.

    Quiet, a study in which all is well is not shown; JSON that was asked for always is.
    """
    code = min(map(exit_code, study.runs), key=WORST_FIRST.index)
    if as_json or code or not quiet:
        show_study(study, as_json=as_json)
    if code or not quiet:
        say(f"study: {study.id}")
        say(f"csv:   orch results csv {study.id}")
    if code == ExitCode.RUN_FAILED and any(map(can_go_on, study.runs)):
        say(f"go on with it: orch bench --resume {study.id}")
    return code


def show_study(study: Study, *, as_json: bool) -> None:
    """Write a study's results to standard output."""
    manifests = [run.manifest() for run in study.runs]
    varied = tuple(manifests[0].varied)
    if as_json:
        runs = [run_data(run) for run in study.runs]
        emit_json("study", {"study": study.id, "varied": list(varied), "runs": runs})
    else:
        done = sum(manifest.state is RunState.DONE for manifest in manifests)
        rows = [{**row, "verdict": row.get("verdict") or row["state"]} for row in study_rows(study)]
        emit_results(f"{study.id}   {manifests[0].profile}   {done} of {len(manifests)} runs done", rows, varied)
        for run, manifest in zip(study.runs, manifests, strict=True):
            for point in repeated(run):
                emit(f"{label(manifest.varied)}: {point.line()}")
    for run, manifest in zip(study.runs, manifests, strict=True):
        ended = [f"{line.splitlines()[0]}   {run.path}" for line in ending(manifest)]
        lines = [*ended, *remarks(run)]
        if lines:
            say("\n".join([f"{label(manifest.varied)}:", *(f"  {line}" for line in lines)]))

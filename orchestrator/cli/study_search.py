"""A capacity search on each variant of a profile, and the table of what they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.cli.job import job
from orchestrator.cli.output import emit_json, emit_table, say
from orchestrator.cli.study import as_study, carried_through
from orchestrator.errors import ExitCode
from orchestrator.jobs.record import open_study
from orchestrator.measuring.search import run_search
from orchestrator.plan.suits import bench_of
from orchestrator.plan.variants import short_names
from orchestrator.runs.records import RunKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from orchestrator.jobs.study import StudyUnderWay
    from orchestrator.measuring.measure import Sweep
    from orchestrator.measuring.search import Found, SearchPlan
    from orchestrator.plan.variants import Variant
    from orchestrator.runs.directory import RunDirectory
    from orchestrator.runs.study import Study


def search_study(
    chosen: Sequence[Variant], plan: SearchPlan, name: str | None, wait_s: float | None, *, quiet: bool, as_json: bool
) -> ExitCode:
    """Search on variants of a profile; return 1 if one of them failed, 4 if none meets the objectives."""
    benches = [bench_of(variant.profile) for variant in chosen]
    found: dict[int, Found] = {}
    with job(quiet=quiet, as_json=as_json) as this:

        def take(index: int, study: StudyUnderWay) -> None:
            def work(under_way: Sweep) -> None:
                def cut_short(so_far: Found) -> None:
                    found[index] = so_far

                found[index] = run_search(under_way, benches[index], plan, this.reporter.tried(plan), cut_short)

            this.measure(chosen[index].profile, name, wait_s, lambda: study.opened(index), work)

        def make() -> tuple[RunDirectory, ...]:
            return open_study(this.here.runs, chosen, this.engine, RunKind.SEARCH)

        todo = {index: variant.label for index, variant in enumerate(chosen)}
        study = as_study(carried_through(this, make, todo, take))
    _show(study, found, plan, as_json=as_json)
    say(f"study: {study.id}")
    if len(found) < len(chosen) or any(item.cut_short for item in found.values()):
        return ExitCode.RUN_FAILED
    met = any(item.capacity() is not None for item in found.values())
    return ExitCode.OK if met else ExitCode.OBJECTIVE_MISSED


def _show(study: Study, found: Mapping[int, Found], plan: SearchPlan, *, as_json: bool) -> None:
    if not as_json:
        emit_table(_table(study, found, plan))
        return
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
    emit_json("search-study", {"study": study.id, "variants": rows})


def _table(study: Study, found: Mapping[int, Found], plan: SearchPlan) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    names = short_names(tuple(study.runs[0].manifest().varied))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in (*names.values(), plan.over, "goodput", "statement"):
        table.add_column(heading, justify="right" if heading in (plan.over, "goodput") else "left", no_wrap=True)
    for index, run in enumerate(study.runs):
        manifest = run.manifest()
        cells = ["-" if manifest.varied[key] is None else str(manifest.varied[key]) for key in names]
        if index in found:
            capacity, goodput = found[index].capacity(), found[index].goodput()
            cells += [
                "-" if capacity is None else str(capacity),
                "-" if goodput is None else f"{goodput:.2f}",
                found[index].statement(),
            ]
        else:
            first = manifest.reason.partition("\n")[0]
            cells += ["-", "-", f"{manifest.state.value}: {first}"]
        table.add_row(*map(Text, cells))
    return table

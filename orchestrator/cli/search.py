"""`orch search`: the highest load that meets all objectives."""

from __future__ import annotations

import click

from orchestrator.cli import options
from orchestrator.errors import ExitCode
from orchestrator.measuring.measure import Sweep
from orchestrator.measuring.search import Found
from orchestrator.metrics.objectives import Objective
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.profile import Profile
from orchestrator.runs.directory import RunDirectory

HIGHEST = 256
"""The highest load that is tried, unless told otherwise."""


@click.command()
@options.profile_argument
@click.option("--slo", "slos", multiple=True, metavar="OBJECTIVE", help="Such as p99_ttft_ms<2000; may be repeated.")
@click.option(
    "--over", type=click.Choice(["concurrency", "request-rate"]), default="concurrency", show_default=True,
    help="The load that is searched over.",
)  # fmt: skip
@click.option("--from", "lowest", type=click.IntRange(min=1), default=1, show_default=True, help="The first load.")
@click.option("--to", "highest", type=click.IntRange(min=1), help="The highest load.  [default: 256, or --from]")
@click.option(
    "--repetitions", type=click.IntRange(min=1), default=3, show_default=True,
    help="How often both sides of the boundary are measured.",
)  # fmt: skip
@click.option(
    "--resolution", type=click.FloatRange(min=0.0, max=1.0), default=0.0, show_default=True,
    help="How close the two sides must come, as a part of the load; 0 is one step.",
)  # fmt: skip
@click.option(
    "--for", "step", callback=options.duration, metavar="TIME",
    help="How long requests arrive at each rate, such as 5m; with --over request-rate.  [default: 60s]",
)  # fmt: skip
@options.name
@options.wait
@options.sets
@options.quiet
@options.json_output
def search(
    profile: str, slos: tuple[str, ...], over: str, lowest: int, highest: int | None, repetitions: int,
    resolution: float, step: float | None, name: str | None, wait: float | None, sets: tuple[str, ...], quiet: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Find the highest concurrency or request rate that meets all objectives.

    The load is doubled until an objective is missed, then bisected, and both sides of the boundary are measured again.
    The shape of the requests is the sweep's first; objectives are those given with --slo, else the profile's. It runs
    in the deployment that is up if it fits, else in one that is made for it and torn down again. Exit code 4 if no load
    meets the objectives.

    A concurrency of N is measured with N times bench.prompts_per_concurrency requests (4 without that key), a rate with
    as many as arrive in 60 s or --for, both with 8 at least; num_prompts of the profile does not count. A rate at which
    the queue keeps growing is missed, whatever its figures are: each rate must last many times as long as a request.

    A profile that varies its server is searched once for each server, and one table shows what each of them comes to.
    """
    from orchestrator.cli.job import job
    from orchestrator.cli.output import say
    from orchestrator.cli.study_search import search_study
    from orchestrator.jobs.record import open_run
    from orchestrator.measuring.search import SearchPlan, prompts_per_step, run_search
    from orchestrator.plan.suits import bench_of
    from orchestrator.plan.variants import variants
    from orchestrator.runs.records import RunKind

    resolved = options.load(profile, sets, to_start=True)
    chosen = variants(resolved)
    bench = bench_of(chosen[0].profile)
    _check_step(step, over, bench)
    plan = SearchPlan(
        over=over,
        objectives=_objectives(slos, resolved, over),
        lowest=lowest,
        highest=_highest(lowest, highest),
        repetitions=repetitions,
        resolution=resolution,
        prompts_per_step=prompts_per_step(bench, over, step),
    )
    if resolved.vary is not None:
        return search_study(chosen, plan, name, wait, quiet=quiet, as_json=as_json)
    found: list[Found] = []
    cut_short: list[Found] = []
    with job(quiet=quiet, as_json=as_json) as this:

        def open_search() -> RunDirectory:
            return open_run(this.here.runs, resolved, this.engine, RunKind.SEARCH)

        def work(under_way: Sweep) -> None:
            found.append(run_search(under_way, bench, plan, this.reporter.tried(plan), cut_short.append))

        def show_cut_short(directory: RunDirectory) -> None:
            if cut_short:
                _show(cut_short[0], as_json=as_json)
            else:
                this.show(directory)

        directory = this.measure(resolved, name, wait, lambda: this.alone(open_search, show_cut_short), work)
    _show(found[0], as_json=as_json)
    say(f"run: {directory.path}")
    return ExitCode.OK if found[0].capacity() is not None else ExitCode.OBJECTIVE_MISSED


def _check_step(step_s: float | None, over: str, bench: Bench) -> None:
    from orchestrator.errors import UsageError
    from orchestrator.measuring.search import RATE, prompts_per_step
    from orchestrator.units import format_duration

    if step_s is not None and over != RATE:
        raise UsageError("--for is how long a rate lasts", f"Give --over {RATE} with it.")
    if step_s is not None and step_s <= 0:
        raise UsageError("--for must be longer than nothing", "Such as: --for 5m")
    if over == RATE and (lasts_s := prompts_per_step(bench, over, step_s)) >= bench.deadline:
        raise UsageError(
            f"each rate lasts {format_duration(lasts_s)}, and bench.deadline ends a measurement after "
            f"{format_duration(bench.deadline)}",
            "Give a shorter --for, or more time: --set bench.deadline=…",
        )


def _highest(lowest: int, highest: int | None) -> int:
    from orchestrator.errors import UsageError

    if highest is not None and highest < lowest:
        raise UsageError(f"--to {highest} is less than --from {lowest}", "The search goes up from --from to --to.")
    return max(lowest, HIGHEST) if highest is None else highest


def _objectives(slos: tuple[str, ...], profile: Profile, over: str) -> tuple[Objective, ...]:
    from orchestrator.errors import UsageError
    from orchestrator.measuring.search import RATE
    from orchestrator.metrics.objectives import parse_objective

    texts = slos or profile.objectives
    if not texts:
        raise UsageError(
            "there is no objective to search for", "Give one: --slo 'p99_ttft_ms<2000'   or objectives: in the profile"
        )
    try:
        objectives = tuple(parse_objective(text) for text in texts)
    except ValueError as error:
        raise UsageError(str(error)) from error
    unreported = [profile.bench.unreported(item.metric) for item in objectives] if profile.bench else []
    if problems := list(dict.fromkeys(filter(None, unreported))):
        raise UsageError("; ".join(problems), "Search for a metric that the client of this sweep reports.")
    if over != RATE and all(objective.from_below for objective in objectives):  # a rate can still be too high
        raise UsageError(
            f"{' and '.join(map(str, objectives))} would let the concurrency grow without end",
            "Give an objective beside it that bounds from above, such as --slo 'p99_ttft_ms<2000'.",
        )
    return objectives


def _show(found: Found, *, as_json: bool) -> None:
    from orchestrator.cli.output import emit, emit_json, emit_table, say
    from orchestrator.report.thin import LEGEND

    if as_json:
        emit_json("search", found.as_data())
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    figures = ("req/s", "goodput", "out tok/s", "TTFT ms", "TPOT ms", "E2EL ms")
    for heading in (found.plan.over, "rep", *figures, "verdict", "met"):
        table.add_column(heading, justify="left" if heading in ("verdict", "met") else "right", no_wrap=True)
    for item in sorted(found.tried, key=lambda item: (item.load, item.record.repetition)):
        metrics = item.record.metrics
        values = (
            (
                metrics.request_throughput, metrics.request_goodput, metrics.output_throughput, metrics.ttft_ms.mean,
                metrics.tpot_ms.mean, metrics.e2el_ms.mean,
            )
            if metrics
            else (None,) * len(figures)
        )  # fmt: skip
        shown = ("-" if figure is None else f"{figure:.2f}" for figure in values)
        table.add_row(
            str(item.load),
            str(item.record.repetition),
            *shown,
            found.verdict(item).value,
            "yes" if item.met else "; ".join(item.reasons),
        )
    emit_table(table)
    emit(found.statement())
    if any(map(found.thin, found.tried)):
        say(LEGEND)

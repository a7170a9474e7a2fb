"""`orch search`: how much load a server takes while it still meets its objectives."""

from __future__ import annotations

from collections.abc import Sequence

import click

from orchestrator.cli import options
from orchestrator.cli.loading import load
from orchestrator.cli.output import say
from orchestrator.cli.session import session
from orchestrator.cli.show import show_search, show_searched_study
from orchestrator.errors import ExitCode
from orchestrator.jobs import searches
from orchestrator.measuring.search_plan import SearchPlan, plan_search
from orchestrator.plan.variants import Variant, variants


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
    resolved = load(profile, sets, to_start=True)
    chosen = variants(resolved)
    plan = plan_search(
        chosen[0].profile,
        slos,
        over=over,
        lowest=lowest,
        highest=highest,
        repetitions=repetitions,
        resolution=resolution,
        step_s=step,
    )
    if resolved.vary is not None:
        return _search_study(chosen, plan, name, wait, quiet=quiet, as_json=as_json)
    with session(quiet=quiet, as_json=as_json) as here:
        searched = searches.search(here, resolved, plan, name, wait)
    show_search(searched.found, as_json=as_json)
    say(f"run: {searched.run.path}")
    return ExitCode.OK if searched.found.capacity() is not None else ExitCode.OBJECTIVE_MISSED


def _search_study(
    chosen: Sequence[Variant], plan: SearchPlan, name: str | None, wait: float | None, *, quiet: bool, as_json: bool
) -> ExitCode:
    with session(quiet=quiet, as_json=as_json) as here:
        searched = searches.search_study(here, chosen, plan, name, wait)
    show_searched_study(searched, plan, as_json=as_json)
    say(f"study: {searched.study.id}")
    found = searched.found.values()
    if len(found) < len(chosen) or any(item.cut_short for item in found):
        return ExitCode.RUN_FAILED
    return ExitCode.OK if any(item.capacity() is not None for item in found) else ExitCode.OBJECTIVE_MISSED

"""Commands that measure, or bring up what is measured.

A declaration imports nothing that its command needs, so that help and completion answer at once; see `work`.
"""

from __future__ import annotations

import click

from orchestrator.cli import options
from orchestrator.cli.work import work


@click.command()
@options.profile_argument
@options.name
@options.wait
@options.sets
@options.dry_run
@options.quiet
@options.json_output
@work("orchestrator.cli.run:run")
def run() -> None:
    """Bring a deployment up, benchmark it and take it down again.

    Whatever happens on the way, nothing is left running; what was measured until then is kept.

    A profile that varies its server is a study: one server after the other is brought up, benchmarked and taken down,
    and one table shows all of them. A server that does not start does not end the others; the exit code is 1 then.
    """


@click.command()
@options.profile_argument
@options.name
@options.ttl
@options.wait
@options.sets
@options.dry_run
@options.quiet
@options.json_output
@work("orchestrator.cli.up:up")
def up() -> None:
    """Start a container with a vLLM server and wait until it is healthy.

    The deployment stays until `orch down`, or until its --ttl is over. If the same deployment is up and healthy
    already, nothing is done but to begin its --ttl anew.
    """


@click.command()
@options.optional_profile_argument
@options.name
@options.resume
@options.wait
@options.sets
@options.dry_run
@options.quiet
@options.json_output
@work("orchestrator.cli.bench:bench")
def bench() -> None:
    """Run a benchmark sweep inside the deployment that is up.

    Without PROFILE the sweep is the one of the profile that the deployment was made from. With PROFILE its own sweep
    is run, provided that its container and server are those of the deployment.

    With --resume the measurements that a run, or a study, has not done are taken, under the conditions it was begun
    under: in the deployment that is up if it fits, else in one that is made for it and torn down again.
    """


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
    help="How often both sides of the boundary are measured again.",
)  # fmt: skip
@click.option(
    "--resolution", type=click.FloatRange(min=0.0, max=1.0), default=0.0, show_default=True,
    help="How close the two sides must come, as a part of the load; 0 is one step.",
)  # fmt: skip
@click.option(
    "--for", "step", callback=options.duration, metavar="TIME",
    help="How long requests arrive at each rate, such as 5m; with --over request-rate.  [default: 60s]",
)  # fmt: skip
@click.option(
    "--range-ratio", "range_ratio", type=click.FloatRange(min=0.0, max=1.0, max_open=True), metavar="R",
    help="Draw lengths of X tokens from X·(1 - R) to X·(1 + R); 0 keeps them exact.  [default: 0.5 at a concurrency]",
)  # fmt: skip
@options.name
@options.wait
@options.sets
@options.quiet
@options.json_output
@work("orchestrator.cli.search:search")
def search() -> None:
    """Find the highest concurrency or request rate that meets all objectives.

    The load is doubled until an objective is missed, then bisected, and both sides of the boundary are measured again,
    by turns. The statement rests on those repeats alone: in how many of them the objectives were met, and in what part
    of measurements on this server start at least, with 95 % confidence. Objectives are those given with --slo, else the
    profile's. It runs in the deployment that is up if it fits, else in one that is made for it and torn down again.
    Exit code 4 if no load meets the objectives.

    Requests have the shape of the sweep's first point. A concurrency of N is measured with N times
    bench.prompts_per_concurrency requests (10 without that key), of lengths that vary by --range-ratio: of one length
    they would stay in step. A rate is measured with as many as arrive in 60 s or --for. Both have 8 at least;
    num_prompts of the profile does not count. A rate at which the queue keeps growing is missed, whatever its figures
    are: each rate must last many times as long as a request.

    A profile that varies its server is searched once for each server, and one table shows what each of them comes to.
    """

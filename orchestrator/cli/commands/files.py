"""Commands about profiles and runs, which need no engine.

A declaration imports nothing that its command needs, so that help and completion answer at once; see `work`.
"""

from __future__ import annotations

import click

from orchestrator.cli import options
from orchestrator.cli.completion import complete_profile
from orchestrator.cli.work import work


@click.command()
@options.profile_argument
@options.name
@options.sets
@options.json_output
@work("orchestrator.cli.plan:plan")
def plan() -> None:
    """Show what a profile comes to; nothing is started and no engine is needed.

    The docker run line, the server's command, each point with its benchmark command, settings that weaken the
    container's isolation, and an estimate of the time. The printed line makes the same container as orch does.

    Of a profile that varies its server: how many servers are started, and all of this for each of them.
    """


@click.group()
def profile() -> None:
    """List, show and check profiles."""


@profile.command("list")
@options.json_output
@work("orchestrator.cli.profile.listing:list_command")
def list_command() -> None:
    """List the profiles that go by name, first match first."""


@profile.command("show")
@options.profile_argument
@click.option("--resolved", is_flag=True, help="Show what comes out: bases merged, defaults filled.")
@options.sets
@options.json_output
@work("orchestrator.cli.profile.showing:show_command")
def show_command() -> None:
    """Show a profile as it is written, or resolved.

    The resolved profile is itself a profile: saved to a file, it loads to the same.
    """


@profile.command("lint")
@click.argument("profiles", nargs=-1, required=True, metavar="PROFILE...", shell_complete=complete_profile)
@click.option("--image", "ask_image", is_flag=True, help="Also check the flags against the parsers of the image.")
@options.sets
@options.json_output
@work("orchestrator.cli.profile.lint:lint_command")
def lint_command() -> None:
    """Check profiles: faults, and remarks on what deserves a second look.

    With --image, the vLLM of each profile's image says which flags of server and client it knows, and which values they
    take. The image must be on this node. It is asked once, in a throw-away container, which takes about as long as
    vLLM's import; the answer is kept. Another image: --set container.image=IMAGE.

    Exits 2 if a profile has a fault, 3 if an image cannot be asked, 0 with remarks alone.
    """


@profile.command("schema")
@work("orchestrator.cli.profile.schema:schema_command")
def schema_command() -> None:
    """Print the JSON Schema of a profile's file, for editors."""


@click.group()
def results() -> None:
    """List runs, show their results, write them as CSV.

    RUN is the id of a run or of a study, the beginning of one, or a run's path; without it the newest is meant. A
    study is all runs that one command made of the variants of a profile.
    """


@results.command("list")
@options.json_output
@work("orchestrator.cli.results.listing:list_")
def list_() -> None:
    """List the runs, newest last."""


@results.command()
@options.run_argument
@options.json_output
@work("orchestrator.cli.results.showing:show")
def show() -> None:
    """Show the results of a run, or of a study in one table."""


@results.command("csv")
@options.run_argument
@click.option("--guide", is_flag=True, help="Only the ten columns of the DCU guide, under its names and in its order.")
@work("orchestrator.cli.results.csv:csv_")
def csv_() -> None:
    """Write the results of a run or a study as CSV, everything in one wide table."""

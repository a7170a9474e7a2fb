"""Options that several commands share, each declared once."""

from __future__ import annotations

import re

import click

from orchestrator.cli.completion import complete_deployment, complete_profile, complete_run
from orchestrator.units import parse_duration

json_output = click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")


def duration(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Read an option that is a time, such as 2h, into seconds."""
    if value is None:
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _lifetime(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    seconds = duration(ctx, param, value)
    if seconds is not None and seconds <= 0:
        raise click.BadParameter("must be longer than nothing; to end a deployment: orch down")
    return seconds


def _name(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    from orchestrator.profile.schema.values import PROFILE_NAME_PATTERN

    if re.match(PROFILE_NAME_PATTERN, value):
        return value
    raise click.BadParameter("a name has letters, digits, '_', '.' and '-', and begins with a letter or digit")


name = click.option(
    "--name",
    metavar="NAME",
    callback=_name,
    help="Name of the deployment.  [default: the profile's name; for bench the only one that is up]",
)
sets = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a profile key, such as server.port=8010; may be repeated.",
)

wait = click.option(
    "--wait",
    callback=duration,
    metavar="TIME",
    help="If somebody else holds the devices, queue for them this long, such as 2h.  [default: give up at once]",
)
resume = click.option(
    "--resume",
    metavar="RUN",
    shell_complete=lambda _ctx, _param, incomplete: complete_run(incomplete),
    help="Go on with a run, or a study, that is not complete; a search is begun anew instead.",
)
dry_run = click.option("--dry-run", is_flag=True, help="Show the plan and do nothing.")
quiet = click.option("-q", "--quiet", is_flag=True, help="Say nothing unless something is wrong.")


ttl = click.option(
    "--ttl",
    callback=_lifetime,
    metavar="TIME",
    help="End the deployment after this long, such as 2h, without any client.",
)
profile_argument = click.argument("profile", metavar="PROFILE", shell_complete=complete_profile)
optional_profile_argument = click.argument(
    "profile", metavar="[PROFILE]", required=False, shell_complete=complete_profile
)


run_argument = click.argument(
    "run",
    metavar="[RUN]",
    required=False,
    shell_complete=lambda _ctx, _param, incomplete: complete_run(incomplete),
)
deployment_argument = click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_deployment)

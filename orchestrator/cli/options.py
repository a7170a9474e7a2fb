"""Options that several commands share, each declared once."""

from __future__ import annotations

import re
from typing import Any

import click
from click.shell_completion import CompletionItem

from orchestrator.cli.settings import Settings, settings
from orchestrator.engine import Engine
from orchestrator.profile.reading.node_files import ReadPath
from orchestrator.profile.schema.profile import Profile

json_output = click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")


def duration(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Read an option that is a time, such as 2h, into seconds."""
    if value is None:
        return None
    from orchestrator.units import parse_duration

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


def complete_run(incomplete: str) -> list[CompletionItem]:
    """Return the studies and the runs that begin with what was typed."""
    from orchestrator.runs.directory import list_runs
    from orchestrator.runs.study import study_of

    names: dict[str, None] = {}
    for run in list_runs(settings().runs):
        if run.path.name.startswith(incomplete):
            study = study_of(run)
            names |= dict.fromkeys([*([study] if study else []), run.path.name])
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_profile(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the profiles that begin with what was typed."""
    from orchestrator.profile.text.find import list_profiles

    found = list_profiles(settings().profiles)
    return [CompletionItem(item.name, help=item.description) for item in found if item.name.startswith(incomplete)]


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


def load(profile: str, sets: tuple[str, ...], *, to_start: bool = False) -> Profile:
    """Return the resolved profile of a name or a path; to start it, with the variables that the shell passes on."""
    from orchestrator.profile.inherited import with_values
    from orchestrator.profile.reading.load import load_profile

    here = settings()
    loaded = load_profile(profile, here.profiles, sets)
    return with_values(loaded, here.environ) if to_start else loaded


def read_paths(profile: str, sets: tuple[str, ...]) -> tuple[ReadPath, ...]:
    """Return what was made of the paths that a profile does not write out."""
    from orchestrator.profile.reading.load import load_resolved

    return load_resolved(profile, settings().profiles, sets).paths


def only_variant(resolved: Profile) -> Profile:
    """Return the profile of the one server that a profile comes to; raise UsageError if it varies and comes to more."""
    from orchestrator.errors import UsageError
    from orchestrator.plan.variants import variants

    found = variants(resolved)
    if len(found) == 1:
        return found[0].profile
    chosen = " ".join(f"--set {key}=…" for key in found[0].varied)
    raise UsageError(
        f"the profile {resolved.name} varies: it comes to {len(found)} servers",
        f"All of them, one after the other: orch run PROFILE   One of them: --set vary= {chosen}",
    )


def engine_swept(here: Settings) -> Engine:
    """Return the engine of this node, with what nobody wants any more cleaned away."""
    from orchestrator.deployment.registry import collect_garbage
    from orchestrator.engine import connect

    engine = connect(here.environ)
    collect_garbage(engine, here.state)
    return engine


def dump(profile: Profile) -> dict[str, Any]:
    """Return a profile as plain data."""
    return profile.model_dump(mode="json")


def complete_deployment(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the deployments of this node that begin with what was typed; none if the engine does not answer."""
    from orchestrator.deployment.registry import deployments
    from orchestrator.engine import connect
    from orchestrator.errors import EngineError

    try:
        found = deployments(connect(settings().environ))
    except EngineError:
        return []
    return [CompletionItem(item.name, help=item.profile) for item in found if item.name.startswith(incomplete)]


deployment_argument = click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_deployment)

"""What the shell offers at a key press: names of runs, profiles and deployments.

Each imports what it needs when it is asked, for the sake of the commands that only declare it.
"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


def complete_run(incomplete: str) -> list[CompletionItem]:
    """Return the studies and the runs that begin with what was typed."""
    from orchestrator.cli.settings import settings
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
    from orchestrator.cli.settings import settings
    from orchestrator.profile.text.find import list_profiles

    found = list_profiles(settings().profiles)
    return [CompletionItem(item.name, help=item.description) for item in found if item.name.startswith(incomplete)]


def complete_deployment(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the deployments of this node that begin with what was typed; none if the engine does not answer."""
    from orchestrator.cli.settings import settings
    from orchestrator.deployment.registry import deployments
    from orchestrator.engine import connect
    from orchestrator.errors import EngineError

    try:
        found = deployments(connect(settings().environ))
    except EngineError:
        return []
    return [CompletionItem(item.name, help=item.profile) for item in found if item.name.startswith(incomplete)]

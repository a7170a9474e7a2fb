"""`orch plan`: everything that a profile comes to, without an engine."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.cli.loading import load, read_paths
from orchestrator.cli.output import emit, emit_json
from orchestrator.cli.settings import settings
from orchestrator.plan.plan import plan as make_plan
from orchestrator.plan.variants import variants
from orchestrator.profile.reading.node_files import ReadPath
from orchestrator.profile.schema.profile import Profile
from orchestrator.report.plans import plan_data, plan_lines


def plan(profile: str, name: str | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Show what a profile comes to; nothing is started and no engine is needed."""
    resolved = load(profile, sets)
    show_plan(resolved, name, as_json=as_json, paths=read_paths(profile, sets))


def show_plan(profile: Profile, name: str | None, *, as_json: bool, paths: Sequence[ReadPath] = ()) -> None:
    """Write the plan to standard output; that of a profile which varies holds one for each server.

    Args:
        profile: The resolved profile.
        name: Name of the deployment; the profile's unless given.
        as_json: Write data instead of lines.
        paths: Paths that the profile does not write out, and what they were read as.
    """
    name = name or profile.name
    folder = str(settings().state / "deployments" / f"{name}-by-hand")
    plans = [(variant, make_plan(variant.profile, name, folder)) for variant in variants(profile)]
    if as_json:
        emit_json(*plan_data(profile, plans, paths))
    else:
        emit("\n".join(plan_lines(profile, plans, paths)))

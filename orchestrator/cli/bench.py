"""`orch bench`: a sweep against the deployment that is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orchestrator.cli import options
from orchestrator.cli.settings import settings
from orchestrator.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.deployment.registry import Listed
    from orchestrator.deployment.up import Deployment
    from orchestrator.engine import Engine
    from orchestrator.profile.schema import Profile
    from orchestrator.run import Outcome


@click.command()
@options.optional_profile_argument
@options.name
@options.sets
@options.dry_run
@options.quiet
@options.json_output
def bench(
    profile: str | None, name: str | None, sets: tuple[str, ...], dry_run: bool, quiet: bool, as_json: bool
) -> int:
    """Run a benchmark sweep inside the deployment that is up.

    Without PROFILE the sweep is the one of the profile that the deployment was made from. With PROFILE its own sweep is
    run, provided that its container and server are those of the deployment.
    """
    from orchestrator.cli.launch import engine_of
    from orchestrator.cli.plan import show_plan
    from orchestrator.cli.progress import Reporter
    from orchestrator.deployment.registry import choose, deployments
    from orchestrator.deployment.watchdog import Watch, Watchdog
    from orchestrator.interruption import Interruption
    from orchestrator.run import bench_of, conclude, measure, open_run, recorded

    if dry_run and profile is not None:
        show_plan(options.load(profile, sets), name, as_json=as_json)
        return ExitCode.OK
    here = settings()
    with Interruption() as interruption, Reporter(quiet=quiet).live() as reporter:
        engine = engine_of(here)
        listed = choose(deployments(engine), name)
        resolved = fitting_profile(listed, profile, sets)
        bench_of(resolved)
        if dry_run:
            show_plan(resolved, listed.name, as_json=as_json)
            return ExitCode.OK
        deployment = attach(engine, listed, resolved)
        directory = open_run(here.runs, resolved, engine)
        watchdog = Watchdog(Watch(None, None, str(directory.path)), here.environ, here.state / "logs" / "watchdog.log")
        try:
            with recorded(directory):
                try:
                    outcome = measure(engine, directory, resolved, deployment, reporter.step)
                finally:
                    interruption.disarm()
                    save_log(engine, deployment, directory.server_log)
                conclude(outcome)
        finally:
            interruption.disarm()
            watchdog.dismiss()
    return report(outcome, as_json=as_json)


def fitting_profile(listed: Listed, profile: str | None, sets: tuple[str, ...]) -> Profile:
    """Return the profile whose sweep is to be run; raise UsageError if its server is not the one that is up."""
    from orchestrator.deployment.folder import PROFILE
    from orchestrator.errors import UsageError
    from orchestrator.profile.difference import differences

    made_from = listed.folder / PROFILE
    if not made_from.is_file():
        raise UsageError(
            f"the deployment {listed.name} has no record on this node",
            "It can be served and ended, not benchmarked.",
        )
    serving = options.load(str(made_from), ())
    wanted = options.load(profile, sets) if profile else options.load(str(made_from), sets)
    changed = differences(options.dump(serving), options.dump(wanted), ("container", "server"))
    if changed:
        lines = "\n".join(f"  {line}" for line in changed)
        raise UsageError(
            f"the deployment {listed.name} is not what {wanted.name} asks for:\n{lines}",
            f"orch down {listed.name} && orch up {profile or wanted.name}",
        )
    return wanted


def attach(engine: Engine, listed: Listed, profile: Profile) -> Deployment:
    """Return the deployment that is up; raise ServerFailed if it is not healthy or another server answers."""
    from orchestrator.deployment.health import check_identity
    from orchestrator.deployment.up import Deployment, server_api
    from orchestrator.errors import ServerFailed
    from orchestrator.plan.container import Identity
    from orchestrator.vllm.flags import served_model

    api = server_api(profile)
    state = engine.state(listed.container)
    if not state.running or not api.healthy():
        raise ServerFailed(
            f"the deployment {listed.name} is not healthy (container {state.status}, exit code {state.exit_code})",
            f"orch logs {listed.name}   then: orch down {listed.name}",
        )
    return Deployment(
        identity=Identity(listed.name, listed.launch, str(listed.folder)),
        container=listed.container,
        image=engine.image(str(engine.inspect(listed.container)["Image"])),
        api=api,
        vllm_version=check_identity(api, served_model(profile.server.model, profile.server.flags)),
        log=None,
    )


def save_log(engine: Engine, deployment: Deployment, path: Path) -> None:
    """Copy the server's log so far into the run; a log that cannot be had is said and does not undo the results."""
    from orchestrator.atomic import write_atomic
    from orchestrator.cli.output import say
    from orchestrator.errors import EngineError

    try:
        write_atomic(path, b"".join(engine.logs(deployment.container, follow=False)))
    except EngineError as error:
        say(f"the server's log could not be saved: {error.message}")


def report(outcome: Outcome, *, as_json: bool) -> ExitCode:
    """Show a run and say where it lies; return the exit code that it stands for."""
    from orchestrator.cli.output import say
    from orchestrator.cli.report import show_run

    show_run(outcome.directory, as_json=as_json)
    say(f"run: {outcome.directory.path}")
    say(f"csv: {outcome.directory.summary_csv}")
    if not outcome.failed:
        return ExitCode.OK
    for record in outcome.failed:
        say(f"failed: {record.label}: {'; '.join(record.reasons)}")
        say(f"        {outcome.directory.client_log(record)}")
    return ExitCode.RUN_FAILED

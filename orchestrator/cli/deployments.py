"""`orch down`, `status`, `ps`, `logs` and `gc`: what is up, and its end."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli import options
from orchestrator.cli.settings import settings
from orchestrator.errors import Busy, ExitCode

if TYPE_CHECKING:
    from orchestrator.deployment.registry import Listed
    from orchestrator.engine import Engine
    from orchestrator.vllm.api import Api


@click.command()
@options.deployment_argument
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="End all deployments of this node that no living orch owns; with --force the others too.",
)
@click.option("--force", is_flag=True, help="Also if a living orch process owns or uses it.")
@options.json_output
def down(name: str | None, everything: bool, force: bool, as_json: bool) -> None:
    """End a deployment: stop its server and remove its container.

    Without NAME the only one there is. Nothing to end is no error, so that it can be called twice.
    """
    from orchestrator.cli.output import emit, emit_json, say
    from orchestrator.deployment.folder import drop_folder
    from orchestrator.deployment.registry import choose, deployments
    from orchestrator.deployment.teardown import teardown
    from orchestrator.engine import connect
    from orchestrator.errors import UsageError

    if everything and name is not None:
        raise UsageError(f"--all ends every deployment, {name} names one", "Give one or the other.")
    engine = connect(settings().environ)
    found = deployments(engine)
    if everything:
        chosen = [deployment for deployment in found if force or not deployment.tenure.owned]
    elif not any(name in (None, deployment.name) for deployment in found):
        chosen = []
        if found:
            say(f"no deployment is named {name}; there is {', '.join(deployment.name for deployment in found)}")
    else:
        chosen = [choose(found, name)]
        if chosen[0].tenure.owned and not force:
            raise Busy(
                f"the deployment {chosen[0].name} is {chosen[0].held(time.time())}", "End it all the same: --force"
            )
    for deployment in chosen:
        teardown(engine, deployment.launch)
        drop_folder(deployment.folder)
    if as_json:
        emit_json("down", {"ended": [deployment.name for deployment in chosen]})
    else:
        emit(
            "\n".join(f"{deployment.name} is down" for deployment in chosen)
            or ("nothing was ended" if found else "nothing was up")
        )


@click.command()
@options.deployment_argument
@options.json_output
def status(name: str | None, as_json: bool) -> int:
    """Say how one deployment is: container, health, model, who wants it. Exit code 1 if it is not healthy."""
    from orchestrator.cli.output import emit, emit_json
    from orchestrator.deployment.registry import choose, deployments
    from orchestrator.engine import connect

    engine = connect(settings().environ)
    facts = _facts(engine, choose(deployments(engine), name))
    if as_json:
        emit_json("status", facts)
    else:
        emit("\n".join(f"{key:<12} {'-' if value is None else value}" for key, value in facts.items()))
    return ExitCode.OK if facts["healthy"] else ExitCode.RUN_FAILED


@click.command()
@options.json_output
def ps(as_json: bool) -> None:
    """List the deployments on this node: what is up, whose it is, since when and until when, what it holds and why."""
    from orchestrator.cli.output import emit, emit_json, emit_table
    from orchestrator.deployment.registry import deployments
    from orchestrator.engine import connect

    found = deployments(connect(settings().environ))
    now = time.time()
    rows = [
        {
            "name": deployment.name,
            "profile": deployment.profile,
            "status": deployment.status,
            "age_s": round(now - deployment.created),
            "held": deployment.held(now),
            "holds": list(deployment.holds),
            "holds_why": list(deployment.holds_why),
            "owned": deployment.tenure.owned,
            "until": deployment.tenure.until if deployment.tenure.known and not deployment.tenure.owned else None,
            "container": deployment.container[:12],
        }
        for deployment in found
    ]
    if as_json:
        emit_json("ps", {"deployments": rows})
    elif rows:
        emit_table(_ps_table(rows))
    else:
        emit("nothing is up")


@click.command()
@options.deployment_argument
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows, until the container ends.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="LINES", help="Only the last lines.")
def logs(name: str | None, follow: bool, tail: int | None) -> None:
    """Write the server's log to standard output, its secrets masked."""
    from orchestrator.deployment.log import read_log
    from orchestrator.deployment.registry import choose, deployments
    from orchestrator.engine import connect

    engine = connect(settings().environ)
    deployment = choose(deployments(engine), name)
    for piece in read_log(engine, deployment.container, deployment.folder, follow=follow, tail=tail):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


@click.command()
@options.json_output
def gc(as_json: bool) -> None:
    """Remove deployments whose owner is dead or whose time is up, and nothing else."""
    from orchestrator.cli.output import emit, emit_json
    from orchestrator.deployment.registry import collect_garbage
    from orchestrator.engine import connect

    here = settings()
    gone = collect_garbage(connect(here.environ), here.state)
    if as_json:
        emit_json("gc", {"removed": [{"name": item.name, "container": item.container[:12]} for item in gone]})
    else:
        emit("\n".join(f"removed {item.name} ({item.container[:12]})" for item in gone) or "nothing to clean")


def _facts(engine: Engine, deployment: Listed) -> dict[str, Any]:
    state = engine.state(deployment.container)
    api = _api(deployment)
    healthy = state.running and api is not None and api.healthy()
    models = api.models() if api is not None and healthy else []
    return {
        "name": deployment.name,
        "profile": deployment.profile,
        "healthy": healthy,
        "url": api.url if api is not None else None,
        "model": models[0].id if models else None,
        "vllm_version": api.version() if api is not None and healthy else None,
        "container": deployment.container[:12],
        "status": state.status,
        "exit_code": None if state.running else state.exit_code,
        "oom_killed": state.oom_killed,
        "started": state.started_at,
        "held": deployment.held(time.time()),
        "holds": "; ".join(deployment.holds_why),
    }


def _api(deployment: Listed) -> Api | None:
    """Return how the server is asked, as far as this user may: without its key, or None where nothing is recorded."""
    from orchestrator.cli.output import say
    from orchestrator.deployment.attach import serving
    from orchestrator.deployment.up import server_api
    from orchestrator.errors import EnvironmentFault, UsageError

    try:
        return server_api(serving(deployment).profile, _secrets_if_ours(deployment))
    except UsageError:
        return None
    except EnvironmentFault as fault:
        say(fault.message)
        return None


def _secrets_if_ours(deployment: Listed) -> dict[str, str]:
    from orchestrator.cli.output import say
    from orchestrator.deployment.folder import read_values
    from orchestrator.errors import EnvironmentFault

    try:
        return read_values(deployment.folder)
    except EnvironmentFault as fault:
        say(fault.message)
        return {}


def _ps_table(rows: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - rich is imported only where a table is made
    from rich import box
    from rich.table import Table

    from orchestrator.profile.units import format_duration

    columns = ("name", "profile", "container", "status", "age", "held", "holds")
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        age = format_duration(row["age_s"])
        cells = (row["name"], row["profile"], row["container"], row["status"], age, row["held"])
        table.add_row(*cells, "\n".join(row["holds_why"]))
    return table

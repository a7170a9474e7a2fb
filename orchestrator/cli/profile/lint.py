"""`orch profile lint`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from orchestrator.cli import options
from orchestrator.cli.completion import complete_profile
from orchestrator.cli.output import emit, emit_json, say
from orchestrator.cli.settings import settings
from orchestrator.errors import ExitCode
from orchestrator.interruption import Interruption
from orchestrator.jobs.checks import Checked, asking, check
from orchestrator.jobs.places import place


@click.command("lint")
@click.argument("profiles", nargs=-1, required=True, metavar="PROFILE...", shell_complete=complete_profile)
@click.option("--image", "ask_image", is_flag=True, help="Also check the flags against the parsers of the image.")
@options.sets
@options.json_output
def lint_command(profiles: tuple[str, ...], ask_image: bool, sets: tuple[str, ...], as_json: bool) -> int:
    """Check profiles: faults, and remarks on what deserves a second look.

    With --image, the vLLM of each profile's image says which flags of server and client it knows, and which values they
    take. The image must be on this node. It is asked once, in a throw-away container, which takes about as long as
    vLLM's import; the answer is kept. Another image: --set container.image=IMAGE.

    Exits 2 if a profile has a fault, 3 if an image cannot be asked, 0 with remarks alone.
    """
    checked = list(_checked(profiles, sets, ask_image=ask_image))
    if as_json:
        emit_json("lint", {"profiles": [_as_data(item) for item in checked]})
    else:
        for item in checked:
            _show(item)
    if any(item.faults for item in checked):
        return ExitCode.USAGE
    return ExitCode.ENVIRONMENT if any(item.not_asked for item in checked) else ExitCode.OK


def _checked(names: tuple[str, ...], sets: tuple[str, ...], *, ask_image: bool) -> Iterator[Checked]:
    here = settings()
    with contextlib.ExitStack() as stack:
        ask = None
        if ask_image:
            ask = asking(stack.enter_context(place(here, interruption=stack.enter_context(Interruption()))))
        for name in names:
            yield check(name, here.profiles, sets, ask)


def _as_data(checked: Checked) -> dict[str, Any]:
    return {
        "profile": checked.name,
        "path": str(checked.path),
        "faults": [asdict(item) for item in checked.faults],
        "remarks": [asdict(item) for item in checked.remarks],
        "vllm_version": checked.vllm,
        "not_asked": _not_asked(checked),
    }


def _show(checked: Checked) -> None:
    for fault in checked.faults:
        emit(str(fault))
    for remark in checked.remarks:
        emit(f"{checked.name}: {remark.key} — {remark.text}")
    if checked.not_asked is not None:
        say(f"{checked.name}: container.image — {_not_asked(checked)}")
    elif not checked.faults and not checked.remarks:
        say(f"{checked.name}: nothing to remark")


def _not_asked(checked: Checked) -> str | None:
    error = checked.not_asked
    return None if error is None else f"{error.message}\n  {error.hint}"

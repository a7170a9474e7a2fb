"""`orch profile lint`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from orchestrator.cli.output import emit, emit_json, say
from orchestrator.cli.settings import settings
from orchestrator.errors import ExitCode
from orchestrator.interruption import Interruption
from orchestrator.jobs.checks import Checked, asking, check
from orchestrator.jobs.places import place
from orchestrator.profile.schema.profile import Profile
from orchestrator.text import said
from orchestrator.vllm.parser import ImageParsers


def lint_command(profiles: tuple[str, ...], ask_image: bool, sets: tuple[str, ...], as_json: bool) -> int:
    """Check profiles: faults, and remarks on what deserves a second look."""
    here = settings()
    checked = [check(name, here.profiles, sets, _ask if ask_image else None) for name in profiles]
    if as_json:
        emit_json("lint", {"profiles": [_as_data(item) for item in checked]})
    else:
        for item in checked:
            _show(item)
    if any(item.faults for item in checked):
        return ExitCode.USAGE
    return ExitCode.ENVIRONMENT if any(item.not_asked for item in checked) else ExitCode.OK


def _ask(profile: Profile) -> ImageParsers:
    with Interruption() as interruption, place(settings(), interruption=interruption) as here:
        return asking(here)(profile)


def _as_data(checked: Checked) -> dict[str, Any]:
    return {
        "profile": checked.name,
        "path": str(checked.path),
        "faults": [asdict(item) for item in checked.faults],
        "remarks": [{"key": item.key, **said(item.text)} for item in checked.remarks],
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

"""`orch profile show`."""

from __future__ import annotations

from typing import Any

from orchestrator.cli.loading import load
from orchestrator.cli.output import emit, emit_json, say
from orchestrator.cli.settings import settings
from orchestrator.errors import UsageError
from orchestrator.profile.dump import dump_profile
from orchestrator.profile.text.document import read_text
from orchestrator.profile.text.find import find_profile


def show_command(profile: str, resolved: bool, sets: tuple[str, ...], as_json: bool) -> None:
    """Show a profile as it is written, or resolved."""
    if sets and not resolved:
        raise UsageError("--set changes what comes out, not what is written", "add --resolved")
    path = find_profile(profile, settings().profiles)
    body: dict[str, Any] = {"path": str(path)}
    if resolved:
        made = load(profile, sets)
        text, body["profile"] = dump_profile(made), made.model_dump(mode="json")
    else:
        text = body["text"] = read_text(path)
    if as_json:
        emit_json("profile", body)
    else:
        say(f"# {path}")
        emit(text.removesuffix("\n"))

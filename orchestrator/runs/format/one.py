"""Reads format 1: sentences become the cause `told`, and state, reasons and metrics one outcome."""

from __future__ import annotations

from typing import Any

from orchestrator.causes import Cause, nested, told


def manifest(old: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest of format 1 as one of format 2; what that has beyond it is not known."""
    reason, deployment = old.get("reason"), old.get("deployment")
    return {
        **_without(old, "reason", "deployment"),
        "format": 2,
        "cause": nested(told(reason)) if reason else None,
        "members": [] if deployment is None else [deployment],
        "warnings": [nested(_in_words(text)) for text in old.get("warnings", ())],
    }


def record(old: dict[str, Any]) -> dict[str, Any]:
    """Return a record of format 1 as one of format 2."""
    return {**_without(old, "state", "reasons", "metrics", "label"), "format": 2, "outcome": _outcome(old)}


def _outcome(old: dict[str, Any]) -> dict[str, Any] | None:
    state, metrics = old["state"], old.get("metrics")
    causes = [nested(_in_words(text)) for text in old.get("reasons", ())]
    if state == "done" and metrics is not None:
        return {"came": "measured", "metrics": metrics}
    if state in ("done", "failed"):
        return {"came": "failed", "causes": causes, "metrics": metrics}
    if state == "interrupted":
        return {"came": "interrupted", "cause": causes[0] if causes else nested(Cause("orch-killed"))}
    return None


def _in_words(text: str) -> Cause:
    return Cause("told", {"text": text})


def _without(old: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in old.items() if key not in keys}

"""Flags of vLLM and of its client that stand where a profile has keys, each with where it belongs."""

from __future__ import annotations

from orchestrator.profile.checking.ways.way import WayOut
from orchestrator.profile.schema.bench_checks import KEY_FLAGS, OWN_FLAGS
from orchestrator.profile.text.tree import Keys
from orchestrator.vllm.dataset import owned_flags
from orchestrator.vllm.flag_forms import form_of
from orchestrator.vllm.flag_names import read_name

_OF_CLIENT: tuple[Keys, ...] = (("bench",), ("bench", "dataset"))
_OF_SERVER: tuple[Keys, ...] = ((), ("container",), ("server",))


_GIVEN = WayOut(how="orch itself gives it to the client", leave_out=True)


def of_key(keys: Keys, _: object) -> WayOut | None:
    """Return what to write for a key that a profile does not have and that is a flag; None for any other word."""
    flag = read_name(str(keys[-1])).flag
    if keys[:-1] in _OF_CLIENT:
        if flag in OWN_FLAGS:
            return _GIVEN
        meant = {**KEY_FLAGS, **owned_flags()}.get(flag)
        if meant is not None:
            return WayOut(key=meant)
        return _below("bench.client_flags") if form_of(flag, program="bench") else None
    return _below("server.flags") if keys[:-1] in _OF_SERVER and form_of(flag) else None


def _below(section: str) -> WayOut:
    return WayOut(how=f"it is a flag, and flags stand below {section}")

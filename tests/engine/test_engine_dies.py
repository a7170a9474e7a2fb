"""T5: when the engine dies in the middle orch ends with an engine error, and the next command cleans up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from engine.kit.command import Orch
    from engine.kit.private_engine import PrivateEngine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

ENDS_S = 30.0


def wait_for_the_watchdog(orch: Orch) -> None:
    """Wait until it has seen the engine again, and found nothing for long enough."""
    end = time.monotonic() + 120
    while any(str(orch.folder) in word for process in psutil.process_iter(["cmdline"]) for word in watchdog(process)):
        assert time.monotonic() < end
        time.sleep(0.2)


def watchdog(process: psutil.Process) -> list[str]:
    words = process.info["cmdline"] or []
    return words if "orchestrator.deployment.watchdog" in words else []


def test_the_engine_dies_in_the_middle_of_a_run(orch: Orch, private: PrivateEngine) -> None:
    name = orch.profile(
        "orphaned",
        container={"network": "host"},
        server={"env": {"STUB_TPOT_MS": "1000"}},
        bench={"lengths": [[8, 64]]},
    )
    environment = {**orch.environ(), "DOCKER_HOST": private.url}
    started = orch.start("run", name, env=environment)
    started.wait_for("ready http")
    private.kill()
    killed = time.monotonic()
    code = started.wait(ENDS_S + 60)
    took = time.monotonic() - killed
    assert code in (3, 70), started.err
    assert took < ENDS_S, f"{took:.0f} s"
    assert "engine" in started.err
    private.start()
    orch.ok("gc", env=environment)
    wait_for_the_watchdog(orch)
    end = time.monotonic() + 60
    while private.docker("ps", "--all", "--quiet") and time.monotonic() < end:
        time.sleep(0.5)
    assert private.docker("ps", "--all", "--quiet") == ""
    assert orch.json("results", "list")["runs"][0]["state"] in ("failed", "interrupted")

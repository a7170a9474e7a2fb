"""T6: several deployments live beside each other and are told apart by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from engine.kit import containers
from engine.kit.together import together

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = pytest.mark.engine


def test_two_deployments_of_one_profile_are_told_apart_by_name(orch: Orch) -> None:
    profile = orch.profile("twin")
    one, other = f"{orch.prefix}-one", f"{orch.prefix}-two"
    orch.ok("up", profile, "--name", one)
    taken = orch("up", profile, "--name", other)
    assert taken.returncode == 3
    assert "is in use" in taken.stderr
    port = int(orch.json("status", one)["url"].rpartition(":")[2])
    orch.ok("up", profile, "--name", other, "--set", f"server.port={port + 1}")
    for command in ("bench", "status", "logs", "down"):
        done = orch(command)
        assert done.returncode == 2
        assert f"{one}, " in done.stderr
        assert other in done.stderr
        assert "Say which" in done.stderr
    runs = together(lambda name: orch.json("bench", "--name", name), [one, other])
    assert [runs[name]["manifest"]["deployment"]["url"][-5:] for name in (one, other)] == [str(port), str(port + 1)]
    assert {runs[name]["manifest"]["state"] for name in (one, other)} == {"done"}
    assert orch.ok("down", one) == f"{one} is down\n"
    assert orch.json("status", other)["healthy"]
    orch.ok("down", other)
    assert containers.listed(orch.prefix) == []


def test_a_name_that_is_mistyped_ends_nothing(orch: Orch) -> None:
    name = orch.profile("kept")
    orch.ok("up", name)
    for command, code in (("down", 0), ("status", 2), ("logs", 2)):
        done = orch(command, f"{name}x")
        assert done.returncode == code
        assert f"no deployment is named {name}x; there is " in done.stderr
        assert name in done.stderr.partition("there is")[2]
    assert orch.json("status", name)["healthy"]
    orch.ok("down", name)


def test_two_sweeps_do_not_share_a_server_at_once(orch: Orch) -> None:
    name = orch.profile("busy", server={"env": {"STUB_TPOT_MS": "5000"}}, bench={"lengths": [[8, 1], [8, 64]]})
    orch.ok("up", name)
    first = orch.start("bench", "--name", name)
    first.wait_for("[1/2]")
    second = orch("bench", "--name", name)
    assert second.returncode == 75
    assert name in second.stderr
    refused = orch("down", name)
    assert refused.returncode == 75, "a living orch uses it"
    assert first.process.poll() is None
    orch.ok("down", name, "--force")
    assert first.wait() in (1, 5), first.err
    assert orch.manifest_of(name)["state"] == "failed"

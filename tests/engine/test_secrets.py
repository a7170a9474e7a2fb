"""S1: a secret reaches the server's process, and is found nowhere else, also when things go wrong."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.parse
from typing import TYPE_CHECKING

import pytest
from engine.kit import containers
from engine.kit.together import together

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

FROM_ENV = "canary-env '\"/+\\ $(x) ü\nsecond-line-of-env-canary"
FROM_FILE = "canary-file \"'/+% <&>\nsecond-line-of-file-canary"
PRINTER = r"""
import os, sys
with open("/dump/seen", "w") as file:
    file.write(repr({name: os.environ[name] for name in ("FROM_ENV", "FROM_FILE")}))
os.execvp("vllm", ["vllm", "serve", *sys.argv[1:]])
"""
"""Writes its secrets where only this test looks, and becomes the server."""
TELLTALE = r"""
import os, sys
print("Token:", os.environ["FROM_ENV"], flush=True)
sys.exit("Error: bad credentials " + os.environ["FROM_FILE"])
"""
"""A server that prints its secrets and dies: what it says itself goes through orch's hands."""


def forms(secret: str) -> list[bytes]:
    """Return a secret as it may be written: raw, each of its lines, base64, URL- and JSON-escaped."""
    raw = secret.encode()
    return [
        raw,
        *(line.encode() for line in secret.splitlines()),
        base64.b64encode(raw),
        base64.urlsafe_b64encode(raw),
        urllib.parse.quote(secret).encode(),
        urllib.parse.quote_plus(secret).encode(),
        json.dumps(secret)[1:-1].encode(),
        json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        repr(secret)[1:-1].encode(),
    ]


ALL_FORMS = [form for secret in (FROM_ENV, FROM_FILE) for form in forms(secret)]


def assert_no_secret(data: bytes | str, where: str) -> None:
    raw = data.encode() if isinstance(data, str) else data
    for form in ALL_FORMS:
        assert form not in raw, where


@pytest.fixture
def profile(orch: Orch) -> Iterator[str]:
    """Write a profile with two secrets, whose server tells the test that it has them."""
    (orch.folder / "dump").mkdir()
    (orch.folder / "secret").write_text(f"{FROM_FILE}\n", encoding="utf-8")
    orch.variables = {**orch.variables, "ORCH_TEST_CANARY": FROM_ENV}
    yield secretive(orch, "secretive", PRINTER)
    orch.ok("down", f"{orch.prefix}-secretive")


def secretive(orch: Orch, label: str, program: str, **server: object) -> str:
    return orch.profile(
        label,
        container={
            "mounts": [f"{orch.folder / 'dump'}:/dump"],
            "env": {"FROM_ENV": {"from_env": "ORCH_TEST_CANARY"}},
        },
        server={
            "command": ["python3", "-c", program],
            "env": {"FROM_FILE": {"from_file": str(orch.folder / "secret")}},
            **server,
        },
    )


def test_a_secret_reaches_the_server_and_nothing_else(orch: Orch, profile: str) -> None:
    outputs = [orch("--debug", *words) for words in (("plan", profile), ("plan", profile, "--json"), ("up", profile))]
    assert [done.returncode for done in outputs] == [0, 0, 0], outputs
    seen = (orch.folder / "dump" / "seen").read_text(encoding="utf-8")
    assert seen == repr({"FROM_ENV": FROM_ENV, "FROM_FILE": FROM_FILE})
    container = f"orch-{profile}"
    assert_no_secret(containers.docker("inspect", container), "inspect")
    assert_no_secret(containers.docker("exec", container, "env"), "the environment of other processes")
    assert_no_secret(containers.docker("logs", container, both=True), "the server's log")
    outputs.append(orch("--debug", "bench", "--name", profile))
    told = (
        ("status", profile), ("status", profile, "--json"), ("ps", "--json"),
        ("logs", profile), ("results", "show"), ("results", "show", "--json"), ("results", "csv"),
        ("profile", "show", "--resolved", profile), ("profile", "lint", profile), ("up", profile),
    )  # fmt: skip
    outputs += together(lambda words: orch("--debug", *words), told).values()
    for done in outputs:
        assert_no_secret(done.stdout + done.stderr, f"output of {done.args}")
    files = [path for path in (*orch.state.rglob("*"), *orch.runs.rglob("*")) if path.is_file()]
    holding = [path for path in files if path.name == "secrets.json"]
    assert [path.stat().st_mode & 0o777 for path in holding] == [0o600]
    for path in files:
        if path not in holding:
            assert_no_secret(path.read_bytes(), str(path))
    orch.ok("down", profile)
    assert not holding[0].exists()


@pytest.mark.parametrize("command", ["up", "run"])
def test_a_secret_that_the_server_prints_as_it_dies_is_not_repeated(orch: Orch, profile: str, command: str) -> None:
    assert profile
    done = orch("--debug", command, secretive(orch, "telltale", TELLTALE))
    assert done.returncode == 1
    assert_no_secret(done.stdout + done.stderr, "output")
    for path in (*orch.state.rglob("*"), *orch.runs.rglob("*")):
        if path.is_file():
            assert_no_secret(path.read_bytes(), str(path))


def test_a_secret_of_a_killed_orch_is_gone_with_it(orch: Orch, profile: str) -> None:
    assert profile
    name = secretive(orch, "killed", PRINTER, flags={})
    started = orch.start("run", name, "--set", "server.env.STUB_PHASE_HANG=memory")
    started.wait_for("sizing the KV cache")
    assert len(secret_files(orch.state)) == 1
    started.kill()
    assert containers.left_after(name) == []
    orch.ok("gc")
    assert secret_files(orch.state) == []


def test_a_secret_reaches_a_server_that_is_not_root(orch: Orch, profile: str) -> None:
    assert profile
    (orch.folder / "dump").chmod(0o777)
    name = secretive(orch, "user", PRINTER)
    done = orch("up", name, "--set", "container.user=1234:1234")
    assert done.returncode == 0, done.stderr
    assert "canary-env" in (orch.folder / "dump" / "seen").read_text(encoding="utf-8")
    for path in secret_files(orch.state):
        assert path.stat().st_mode & 0o077 == 0
    orch.ok("down", name)


def test_other_users_cannot_read_a_secret(orch: Orch, profile: str) -> None:
    orch.ok("up", profile)
    (path,) = secret_files(orch.state)
    reading = f"import os; os.setgid(65534); os.setuid(65534); open({str(path)!r})"
    done = subprocess.run(["python3", "-c", reading], capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert "PermissionError" in done.stderr


def secret_files(state: Path) -> list[Path]:
    return list(state.rglob("secrets.json"))


def test_another_user_gets_neither_the_secrets_nor_a_log_that_could_hold_them(orch: Orch) -> None:
    name = orch.profile("ours", server={"env": {"TOKEN": {"from_env": "OUR_TOKEN"}}})
    orch.ok("up", name, env={**orch.environ(), "OUR_TOKEN": FROM_ENV})
    other = orch.another_user()
    for words in (("logs", name), ("bench", "--name", name), ("up", name)):
        done = other(*words)
        assert (done.returncode, done.stdout) == (3, ""), words
        assert "the secrets of this deployment are another user's" in done.stderr
    assert other.json("status", name)["healthy"]
    assert name in {row["name"] for row in other.json("ps")["deployments"]}
    assert orch.ok("logs", name)
    orch.ok("down", name)

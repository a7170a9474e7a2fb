"""Runs the Docker client and other long commands: logged, never silent for long, failing with advice.

Every failure leaves here as a BuildError that says what failed, where, and what to do next.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PULL_PATIENCE_S = 15.0  # until a registry begins to answer
PULL_DEADLINE_S = 600.0
PROGRESS_EVERY_S = 30.0
TAIL_LINES = 15
MAX_LINE = 300
# What a log says, and what helps then; the first match counts.
HINTS = (
    (
        "No space left on device",
        "free some disk space (`docker system df` shows Docker's share) and run this again",
    ),
    (
        "CERTIFICATE_VERIFY|certificate verify",
        "name the right CA bundle: `pip config set global.cert FILE`, SSL_CERT_FILE",
    ),
    ("No matching distribution", "see that `pip config list` names an index that carries the pinned release"),
    (
        "Temporary failure|[Cc]onnection|timed out|Could not fetch|resolve",
        "check the network and run this again",
    ),
)
DEFAULT_HINT = "read the whole log; when run again, finished steps are not repeated"


class BuildError(Exception):
    """A step failed: the message says what and where, `hint` what to do next."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def say(text: str) -> None:
    """Tell the person at the terminal; standard output is for image tags."""
    print(text, file=sys.stderr, flush=True)


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log, without colours and each cut to a readable length."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(encoding="utf-8", errors="replace"))
    return "\n".join(line[:MAX_LINE] for line in text.splitlines()[-lines:])


def hint_for(text: str) -> str:
    """Choose the advice for a failure by what it printed."""
    return next((hint for pattern, hint in HINTS if re.search(pattern, text)), DEFAULT_HINT)


def answer_of(command: Sequence[str]) -> str:
    """Return what a short command prints, or an empty string when it fails or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def start_logged(command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a command whose output goes to `log` alone."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=env)


def run_logged(step: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
    """Run a long command with a sign of life every half minute; raises BuildError."""
    say(f"{step} (log: {log})")
    started = time.monotonic()
    process = start_logged(command, log, env)
    try:
        while True:
            try:
                code = process.wait(PROGRESS_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                say(f"  {time.monotonic() - started:.0f} s: {tail(log, 1)[:90]}")
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code:
        end = tail(log)
        raise BuildError(f"{step}: exit code {code}; the end of {log}:\n{end}", hint_for(end))
    say(f"  done in {time.monotonic() - started:.0f} s")


@dataclass(frozen=True)
class Docker:
    """A Docker client on this machine that reaches an engine."""

    client: str

    def __call__(self, *arguments: str) -> str:
        """Run a short command and return its output; raises BuildError."""
        done = subprocess.run([self.client, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            complaint = done.stderr.strip()
            raise BuildError(f"docker {' '.join(arguments)}: {complaint}", hint_for(complaint))
        return done.stdout.strip()

    def image_id(self, name: str) -> str:
        """Return the id of an image, or an empty string when the engine has none of that name."""
        return answer_of([self.client, "image", "inspect", "--format", "{{.Id}}", name])

    def pull(self, name: str, log: Path) -> bool:
        """Try to pull an image, giving up soon when the registry does not even begin to answer."""
        say(f"pulling {name} (log: {log})")
        process = start_logged([self.client, "pull", name], log)
        try:
            return process.wait(PULL_PATIENCE_S) == 0
        except subprocess.TimeoutExpired:
            with_answer = "Pulling" in tail(log)
        try:
            return with_answer and process.wait(PULL_DEADLINE_S) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            process.kill()
            process.wait()

    def build(self, tag: str, context: Path, arguments: Mapping[str, str], log: Path) -> None:
        """Build `context` on the host's network and give the finished image its tag; raises BuildError."""
        # The classic builder is in every engine; BuildKit needs a plugin that not every client brings.
        env = {"DOCKER_BUILDKIT": "0", **os.environ}
        flags = [f"--build-arg={name}={value}" for name, value in arguments.items() if value]
        proxies = ("http_proxy", "https_proxy", "no_proxy")
        flags += [f"--build-arg={name}" for name in os.environ if name.lower() in proxies]
        # --force-rm: a failed step's container would keep its stage from being removed later.
        command = [self.client, "build", "--network=host", "--force-rm", *flags, "--tag", tag, str(context)]
        run_logged(f"building {tag}", command, log, env)

    def drop_builder_stages(self) -> None:
        """Remove what the first stages left behind: gigabytes that no image needs."""
        self("image", "prune", "--force", "--filter", "label=orch.build.stage=builder")


def find_docker() -> Docker:
    """Return the first client on PATH that reaches an engine; raises BuildError."""
    complaint = "no `docker` on PATH"
    for folder in os.get_exec_path():
        client = shutil.which("docker", path=folder)
        if client is None:
            continue
        command = [client, "version", "--format", "{{.Server.Version}}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        except subprocess.TimeoutExpired:
            complaint = f"{client}: the engine does not answer"
            continue
        if done.returncode == 0:
            return Docker(client)
        complaint = f"{client}: {done.stderr.strip()}"
    raise BuildError(f"no Docker engine: {complaint}", "install Docker, start `dockerd`, or set DOCKER_HOST")

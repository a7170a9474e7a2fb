"""The named moments of a run at which tests end it, each held still so that it is hit for sure."""

from __future__ import annotations

import csv
import grp
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from engine.kit.files import record_in
from engine.kit.proxy import Proxy
from engine.kit.silent import Silent

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Session
    from engine.kit.command import Orch, Started

SLOW_CREATE_S = 5.0
PHASES = {
    "starting vLLM": "platform",
    "loading weights": "load",
    "sizing the KV cache": "memory",
    "capturing graphs": "graphs",
    "opening the port": "http",
}
"""What orch says, and the phase of the stub that then never ends."""
MOMENTS = (
    *("getting the image", "looking into the image", "creating the container", *PHASES),
    *("warming up", "measuring", "tearing down"),
)
FOREVER = {"STUB_TPOT_MS": "5000", "STUB_TTFT_MS": "1"}
"""A request for one token is answered at once, one for many takes minutes."""


@dataclass
class Run:
    """A run of orch that has come to its moment."""

    moment: str
    name: str
    started: Started
    proxy: Proxy | None = None


class Stage:
    """Brings runs to their moments."""

    def __init__(self, orch: Orch, session: Session) -> None:
        self._orch = orch
        self._session = session

    def begin(self, moment: str, label: str = "", **options: Any) -> Run:
        """Start a run and return when it has come to a moment."""
        name, proxy = f"{label}{moment.replace(' ', '-')}", None
        if moment == "getting the image":
            registry = Silent()
            self._session.cleanup.callback(registry.close)
            container = {"image": f"127.0.0.1:{registry.port}/none:{name}", "pull": "missing"}
            run = self._start(moment, self._orch.profile(name, container=container), None, options)
            registry.wait_for_visitor()
        elif moment in ("looking into the image", "creating the container"):
            proxy = self._proxy(SLOW_CREATE_S)
            # A group by name is looked up in the image, which takes a container before the real one.
            groups = {"group_add": [a_group()]} if moment == "looking into the image" else {}
            run = self._start(moment, self._orch.profile(name, container=groups), proxy, options)
            proxy.wait_for_request("/containers/create")
        elif moment in PHASES:
            profile = self._orch.profile(name, server={"env": {"STUB_PHASE_HANG": PHASES[moment]}})
            run = self._start(moment, profile, None, options)
            run.started.wait_for(moment)
        elif moment == "warming up":
            run = self._start(moment, self._bench(name, [[8, 64]], 1), None, options)
            wait_for_record(self._orch, run, "warmup/*/record.json", "running")
        elif moment == "measuring":
            run = self._start(moment, self._bench(name, [[8, 1], [8, 64]], 0), None, options)
            wait_for_record(self._orch, run, "points/*/r1/record.json", "running", 2)
        else:
            proxy = self._proxy(0.0)
            profile = self._orch.profile(name, server={"env": {"STUB_IGNORE_SIGTERM": "1"}})
            run = self._start(moment, profile, proxy, options)
            proxy.wait_for_request("/stop")
        return run

    def _start(self, moment: str, profile: str, proxy: Proxy | None, options: dict[str, Any]) -> Run:
        env = {**self._orch.environ(), **({"DOCKER_HOST": proxy.url} if proxy else {})}
        return Run(moment, profile, self._orch.start("run", profile, **{"env": env, **options}), proxy)

    def _bench(self, name: str, lengths: list[list[int]], warmup: int) -> str:
        bench = {"lengths": lengths, "num_prompts": 2, "warmup": warmup}
        return self._orch.profile(name, server={"env": FOREVER}, bench=bench)

    def _proxy(self, delay_s: float) -> Proxy:
        proxy = Proxy(self._session.folder / f"way{next(self._session.count)}.sock", delay_s)
        self._session.cleanup.callback(proxy.close)
        return proxy


def wait_for_record(orch: Orch, run: Run, pattern: str, state: str, count: int = 1, timeout_s: float = 240.0) -> None:
    """Wait until there are so many records, and one of them says a state."""
    end = time.monotonic() + timeout_s
    while True:
        found = [path for folder in orch.runs.glob(f"*-{run.name}-????") for path in folder.glob(pattern)]
        states = [record_in(path.parent)["state"] for path in found]
        if len(states) >= count and state in states:
            return
        assert run.started.process.poll() is None, run.started.err
        assert time.monotonic() < end, f"{states}\n{run.started.err}"
        time.sleep(0.05)


def a_group() -> str:
    """Return the name of a group of this node."""
    return grp.getgrall()[-1].gr_name


def wait_for_state(orch: Orch, name: str, timeout_s: float = 15.0) -> dict[str, Any]:
    """Return the manifest of a run once it says that it has ended, or as it is when time is up."""
    end = time.monotonic() + timeout_s
    while (manifest := orch.manifest_of(name))["state"] in ("planned", "running") and time.monotonic() < end:
        time.sleep(0.1)
    return manifest


def assert_whole(folder: Path) -> None:
    """Say that every file of a run can be read as what it is; hidden ones, such as a write that was cut, are none."""
    for path in folder.rglob("*"):
        if path.name.startswith(".") or path.is_dir():
            continue
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix == ".jsonl":
            for line in path.read_text(encoding="utf-8").splitlines():
                json.loads(line)
        elif path.suffix == ".yaml":
            assert yaml.safe_load(path.read_text(encoding="utf-8"))["container"]
        elif path.suffix == ".csv":
            lines = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
            assert len({len(line) for line in lines}) <= 1
        else:
            assert path.suffix == ".log", path

"""V1: every reason to doubt a measurement is provoked, found by its name, and gone without its cause.

vLLM's own client measures; the server is the stub, in the same container, with the tokenizer that the client has, or
for the last one real vLLM.
"""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit.command import free_port
from engine.kit.containers import docker
from engine.kit.together import together

from orchestrator.plan.bench_command import sent_folder

if TYPE_CHECKING:
    from engine.kit.command import Orch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

STUB = Path(__file__).parents[2] / "docker" / "stub" / "vllm_stub"
MODEL = "/opt/models/tiny-qwen2"
TOKENIZER = {"STUB_TOKENIZER": f"{MODEL}/tokenizer.json"}
STEADY = {"STUB_TTFT_MS": "800", "STUB_TPOT_MS": "20"}
"""A server so slow that what a busy machine adds to its times is small beside them."""
SIDE_BY_SIDE = 2
OF_THE_MACHINE = {"node-busy"}
"""Reasons that are true of this machine, on which tests run side by side, whatever the server does."""
Reasons = dict[tuple[Any, ...], list[str]]


@dataclass(frozen=True)
class Case:
    """A server or a sweep with something wrong, and the reasons that each measurement is to have."""

    reasons: Reasons
    """By the values of `key` in its row."""
    key: tuple[str, ...] = ("repetition",)
    env: dict[str, str] = field(default_factory=dict)
    bench: dict[str, Any] = field(default_factory=dict)
    also: frozenset[str] = frozenset()
    """Reasons that may come with them."""


CASES = {
    "the server is cold": Case(
        {(1,): ["first-slow"], (2,): [], (3,): []},
        env={"STUB_COLD_REQUESTS": "8"},
        bench={"repetitions": 3},
        also=frozenset({"not-steady", "stalled"}),
    ),
    "the server was cold and is warmed up": Case(
        {(number,): [] for number in (1, 2, 3)},
        env={"STUB_COLD_REQUESTS": "8"},
        bench={"repetitions": 3, "warmup": 8},
    ),
    "the load does not come about": Case(
        {
            ("inf", 4): [],
            ("inf", 64): ["concurrency-missed"],
            (20, 4): ["rate-missed", "client-queue"],
            (20, 64): [],
        },
        ("request_rate", "max_concurrency"),
        bench={"concurrency": [4, 64], "request_rate": ["inf", 20], "num_prompts": 16},
    ),
    "requests come faster than they can be served": Case(
        {(1,): ["queue-grows"]}, bench={"concurrency": 64, "request_rate": 20, "num_prompts": 48}
    ),
    "it is over at once": Case(
        {(1,): ["too-short"]}, env={"STUB_TTFT_MS": "400"}, bench={"lengths": [[32, 2]], "num_prompts": 4}
    ),
    "the server grows slower while it is measured": Case(
        {(1,): ["not-steady"]}, env={"STUB_DRIFT": "0.03"}, bench={"num_prompts": 32}
    ),
    "the server is slower the next time": Case(
        {(1,): ["spread"], (2,): ["spread"]}, env={"STUB_DRIFT": "0.1"}, bench={"num_prompts": 4, "repetitions": 2}
    ),
    "streams come in one piece": Case(
        {(1,): ["buffered"]}, env={"STUB_BUFFER_STREAM": "1", "STUB_TTFT_MS": "2000"}, bench={"lengths": [[32, 9]]}
    ),
    "first tokens are late at the client": Case(
        {(1,): ["client-ttft"]}, env={"STUB_SEND_DELAY_MS": "1000"}, bench={"lengths": [[32, 128]]}
    ),
    "the client cannot keep up": Case(
        {(1,): ["client-saturated"]},
        env={"STUB_COMMENTS_PER_TOKEN": "2000", "STUB_TTFT_MS": "1", "STUB_TPOT_MS": "0"},
        bench={"lengths": [[32, 64]], "concurrency": 1},
        also=frozenset({"client-ttft", "not-steady"}),
    ),
    "the server counts other tokens than the client": Case({(1,): ["prompt-length"]}, env={"STUB_TOKENIZER": ""}),
    "the client does not come to an end": Case({(1,): ["incomplete"]}, bench={"deadline": "2s", "num_prompts": 4000}),
    "answers are cut off and pass for complete": Case(  # the client counts them by its tokenizer: more than was asked
        {(1,): ["incomplete"]},
        env={"STUB_STREAM_ERROR_EVERY": "3"},
        bench={"ignore_eos": False, "num_prompts": 12},
    ),
    "answers are shorter than their range of lengths": Case(
        {(1,): ["incomplete"]},
        env={"STUB_STREAM_ERROR_EVERY": "3"},
        bench={"dataset": {"name": "random", "range_ratio": 0.1}, "num_prompts": 12},
    ),
    "the server does not say what it counted": Case({(1,): ["counters-lost"]}, env={"STUB_MUTE_AFTER_REQUESTS": "8"}),
    "the warm-up does not come to an end": Case(
        {(1,): ["not-warm"]}, env={"STUB_COLD_REQUESTS": "4"}, bench={"deadline": "5s", "warmup": 4}
    ),
    "requests fail": Case({(1,): ["incomplete"] * 3}, env={"STUB_FAIL_EVERY": "7"}),
}


def profile(orch: Orch, label: str, env: dict[str, str], bench: dict[str, Any], *, caching: bool = False) -> str:
    variables = {**STEADY, **TOKENIZER, "STUB_VLLM_VERSION": "0.32.0", "PYTHONPATH": "/opt/stub", **env}
    return orch.profile(
        label.replace(" ", "-"),
        container={"image": "orch-cpu:0.32.0", "mounts": [f"{STUB}:/opt/stub/vllm_stub:ro"]},
        server={
            "model": MODEL,
            "command": ["python3", "-B", "-m", "vllm_stub.cli", "serve"],
            "flags": {"max-num-seqs": 8, "enable-prefix-caching": caching},
            "env": {name: value for name, value in variables.items() if value},
        },
        bench={"lengths": [[32, 32]], "concurrency": 4, "num_prompts": 8, "deadline": "5m", **bench},
    )


def reasons(told: dict[str, Any], key: tuple[str, ...] = ("repetition",)) -> Reasons:
    """Return the names of the reasons of each measurement; none is VALID, one that is not done is INVALID."""
    found = {}
    for row in told["results"]:
        named = re.findall(r"(?:^|; )([a-z-]+): ", row["doubts"])
        verdict = "INVALID" if row["state"] == "failed" else "SUSPECT" if named else "VALID"
        assert row["verdict"] == verdict, row["doubts"]
        found[tuple(row[name] for name in key)] = [name for name in named if name not in OF_THE_MACHINE]
    return found


@pytest.fixture(scope="module")
def shown(module_orch: Orch) -> dict[str, dict[str, Any]]:
    """Run all cases and return what `orch results show --json` says of each."""

    def attempt(label: str) -> dict[str, Any]:
        case = CASES[label]
        name = profile(module_orch, label, case.env, case.bench)
        done = module_orch("run", name, timeout_s=600)
        assert done.returncode in (0, 1, 5), done.stderr
        return module_orch.json("results", "show", module_orch.run_of(name))

    return together(attempt, CASES, SIDE_BY_SIDE)


@pytest.mark.parametrize("label", CASES)
def test_a_reason_is_found_where_its_cause_is_and_nowhere_else(label: str, shown: dict[str, dict[str, Any]]) -> None:
    told, case = shown[label], CASES[label]
    assert told["manifest"]["deployment"]["client_mode"] == "fork"
    found = reasons(told, case.key)
    assert {key: [name for name in named if name not in case.also] for key, named in found.items()} == case.reasons


@pytest.fixture
def served(orch: Orch) -> str:
    """Bring a server up that stays up, and return the name of its profile."""
    name = profile(orch, "shared", {}, {}, caching=True)
    orch.ok("up", name, timeout_s=600)
    return name


def test_prompts_that_the_server_knows_are_not_sent_again_and_found_in_its_cache_if_they_are(
    orch: Orch, served: str
) -> None:
    runs = [orch.json("bench", "--name", served, timeout_s=600) for _ in range(3)]
    assert [reasons(run) for run in runs] == [{(1,): []}] * 3
    seeds = [run["results"][0]["seed"] for run in runs]
    assert len(set(seeds)) == 3
    facts = runs[0]["manifest"]["deployment"]
    command = orch.json("plan", served)["measurements"][0]["command"]
    assert f"--seed {seeds[0]}" in command, "the first prompts are those of the plan"
    docker("exec", facts["container"], "rm", "-r", sent_folder(facts["container"]))
    again = orch.json("bench", "--name", served, timeout_s=600)
    assert again["results"][0]["seed"] == seeds[0]
    assert reasons(again) == {(1,): ["prefix-cache"]}
    orch.ok("down", served)


def test_requests_of_somebody_else_are_noticed(orch: Orch, served: str) -> None:
    url = orch.json("status", served)["url"]
    with ThreadPoolExecutor(6) as pool:
        started = orch.start("bench", "--name", served, "--set", "bench.num_prompts=40", "--json")
        while running(url) < 4:
            assert started.process.poll() is None, started.err
            time.sleep(0.05)
        assert list(pool.map(lambda _: complete(url, 1), range(6))) == [200] * 6
        assert started.wait(600) == 0, started.err
    assert reasons(json.loads(started.out)) == {(1,): ["foreign-requests"]}

    over = threading.Event()

    def keep_busy(tokens: int) -> None:
        while not over.is_set():
            complete(url, tokens)

    with ThreadPoolExecutor(2) as pool:  # of different lengths, so that one is always under way
        pool.submit(keep_busy, 400)
        pool.submit(keep_busy, 730)
        found = orch.json("bench", "--name", served, timeout_s=600)
        over.set()
    assert {"not-idle", "foreign-requests"} <= set(reasons(found)[1,])
    orch.ok("down", served)


def test_on_real_vllm_a_load_that_fits_is_valid_and_one_that_does_not_is_preempted(orch: Orch) -> None:
    changes = [
        f"server.port={free_port()}", "server.flags.num-gpu-blocks-override=12", "server.flags.max-model-len=1024",
        "bench.lengths=[[64, 256]]", "bench.concurrency=[2, 8]", "bench.prompts_per_concurrency=6",
    ]  # fmt: skip
    sets = [word for change in changes for word in ("--set", change)]
    told = orch.json("run", "cpu-tiny", "--name", f"{orch.prefix}-real", *sets, timeout_s=900)
    found = reasons(told, ("max_concurrency",))
    assert found[2,] == []
    assert set(found[8,]) - {"not-steady"} == {"preempted"}, "while a request is preempted it makes no tokens"


def complete(url: str, tokens: int) -> int:
    """Ask a server for so many tokens, wait for them all, and return the status of its answer."""
    body = {"model": MODEL, "prompt": "some words", "max_tokens": tokens, "ignore_eos": True}
    asked = urllib.request.Request(f"{url}/v1/completions", json.dumps(body).encode())  # noqa: S310 - our own server
    with urllib.request.urlopen(asked, timeout=600) as answer:  # noqa: S310
        answer.read()
        return int(answer.status)


def running(url: str) -> float:
    """Return how many requests a server is working on."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:  # noqa: S310 - our own server
        (line,) = re.findall(rb"^vllm:num_requests_running\S* (\S+)$", answer.read(), re.MULTILINE)
        return float(line)

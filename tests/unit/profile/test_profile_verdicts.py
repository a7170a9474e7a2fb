"""Promise C4: orch and the JSON Schema judge alike; rules that a schema cannot say are listed with the reason."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from profile_folder import Folder

from orchestrator.profile.docs.jsonschema import json_schema
from orchestrator.profile.schema.bench_kinds import Estimate, LengthProduct
from orchestrator.profile.schema.dataset.kinds import NAMED, OtherDataset
from orchestrator.profile.schema.dataset.random import RangeRatio
from orchestrator.profile.schema.devices import CdiDevice, DeviceSpec, GpuRequest
from orchestrator.profile.schema.keys import valid_keys
from orchestrator.profile.schema.precision import Precision
from orchestrator.profile.schema.values import FromEnv, FromFile, Inherit, MountSpec, UlimitSpec
from orchestrator.profile.text.document import parse_profile
from orchestrator.profile.text.tree import plain
from orchestrator.workload.arrival import RampUp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

VALIDATOR = jsonschema.Draft202012Validator(json_schema())
VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 100, 0.5, True, False, None),
    *("1", "-1", "8k", "inf", "auto", "none", "a", "a=1", "a:b", "/a", "/a:/b", "10.0.0.2", ""),
    *([], [None], [1.5], ["a"], ["a="], ["/a"], ["/a:/b"], [""], [[1, 2]], [{}]),
    *({}, {"a": 1.5}, {"a": None}, {"a": ""}, {"A": "x"}, {"a": []}),
)  # fmt: skip
"""What is tried as the value of each key."""
HEAD: dict[str, Any] = {"container": {"image": "i:1"}, "server": {"model": "/m"}}
SWEEP: dict[str, Any] = {"lengths": [[64, 16]], "num_prompts": 20}
SENT_BY: dict[str, dict[str, Any]] = {
    "random-mm": {"backend": "openai-chat"},
    "random-rerank": {"backend": "vllm-rerank", "lengths": {"input": [5]}},
    "custom_image": {"backend": "openai-chat"},
    "custom_audio": {"backend": "openai-audio"},
}
INNER: tuple[tuple[str, tuple[type[BaseModel], ...], dict[str, Any]], ...] = (
    ("container.gpus", (GpuRequest,), {}),
    ("container.mounts[]", (MountSpec,), {"source": "/a", "target": "/b"}),
    ("container.devices[]", (DeviceSpec,), {"source": "/a", "target": "/b"}),
    ("container.devices[]", (CdiDevice,), {}),
    ("container.ulimits.core", (UlimitSpec,), {"soft": 1, "hard": 1}),
    ("container.env.A", (FromEnv, FromFile, Inherit), {}),
    ("server.env.A", (FromEnv, FromFile, Inherit), {}),
    ("bench.lengths", (LengthProduct,), {"input": [1], "output": [1]}),
    ("bench.dataset.range_ratio", (RangeRatio,), {}),
    ("bench.estimate", (Estimate,), {}),
    ("bench.repetitions.auto", (Precision,), {}),
    ("bench.ramp_up", (RampUp,), {"strategy": "linear", "from": 1, "to": 9}),
)
"""Mappings within sections: where each stands, whose keys it has, and what must stand beside the key that is tried."""
EXCEPTIONS: dict[str, dict[str, str]] = {
    "another file may give what is missing, or set what null takes away": {
        "null": r"has no value, and no extended profile sets it",
        "key": r"required key is missing",
        "file of a dataset": r"is a file: give file|needs path: a name on the hub",
        "kind of a dataset": r"not a key of '",
    },
    "keys go together, and another file may set one of them": {
        "memory": r"needs container\.memory",
        "tmp": r"add tmpfs: \[/tmp\]",
        "rate": r"burstiness has no effect without",
        "prompts": r"give either num_prompts or|multiplies concurrency",
        "lengths": r"dataset needs lengths|^lengths belong to|write lengths as",
        "backend": r"batch_size is for backends|does not speak to|takes queries with documents|has no ignore_eos|leave output_len out|goes with",
        "reranker": r"without a reranker",
        "mount": r"only a volume can have it|only a path of the node can have it",
        "axes": r"varies nothing; give axes|is not an axis|leaves no combination",
    },
    "a number is compared with another one": {
        "limits": r"is above the hard limit",
        "rates": r"the rate must rise",
        "bounds": r"at_least is",
        "shares": r"cannot be shared evenly",
    },
    "a command is read word by word": {
        "command": r"would run the model as a program of its own",
    },
    "it depends on what is there, or on what is near": {
        "base": r"there is no profile '.*' to extend|^cannot read",
        "dataset": r"^unknown dataset; did you mean",
    },
}  # fmt: skip
"""By reason: what orch alone refuses, by the sentence that says so."""
PATTERNS = [pattern for kinds in EXCEPTIONS.values() for pattern in kinds.values()]


@dataclass(frozen=True)
class Judged:
    """What both say of one profile."""

    profile: str
    problems: tuple[str, ...]
    """What orch finds wrong."""
    valid: bool
    """Whether the schema takes it."""


def judged(folder: Folder, text: str, base: str = "") -> Judged:
    """Return both verdicts on a profile's text; `base` is what it extends, which the schema does not see."""
    if base:
        folder.write("_base.yaml", base)
    faults = folder.faults_in(f"extends: _base\n{text}" if base else text)
    root = parse_profile(text, "p.yaml").root
    assert root is not None
    return Judged(text, tuple(fault.partition(" — ")[2] for fault in faults), VALIDATOR.is_valid(plain(root)))


def put(value: Any, *keys: str, sweep: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a whole profile with a value at some keys."""
    data: dict[str, Any] = json.loads(json.dumps({**HEAD, "bench": sweep} if sweep else HEAD))
    inner = data
    for key in keys[:-1]:
        inner[key] = inner[key] if isinstance(inner.get(key), dict) else {}
        inner = inner[key]
    inner[keys[-1]] = value
    return data


def profiles() -> Iterator[dict[str, Any]]:
    """Yield a profile for each key and each of the values."""
    for value in VALUES:
        for section in ("container", "server", "health"):
            for key in valid_keys((section,)):
                yield put(value, section, key)
        for key in (*valid_keys(()), "extends"):
            yield put(value, key)
        for key in valid_keys(("bench",)):
            yield put(value, "bench", key, sweep=SWEEP)
        for section, key in (
            ("container", "env"),
            ("container", "labels"),
            ("container", "sysctls"),
            ("container", "ulimits"),
            ("container", "log_options"),
            ("container", "extra_hosts"),
            ("server", "env"),
            ("server", "flags"),
        ):
            yield put({"name": value}, section, key)
        yield put({"name": value}, "bench", "client_flags", sweep=SWEEP)
        for name in ("image", "name"):
            yield put({name: value}, "health", "expected")
        for key in valid_keys(("vary",)):
            yield put({"axes": {"server.flags.a": [1, 2]}, key: value}, "vary")
        yield from _inner(value)
        yield from _of_datasets(value)


def _inner(value: Any) -> Iterator[dict[str, Any]]:
    """Yield profiles with a value at each key of the mappings within sections."""
    for place, models, beside in INNER:
        keys, listed = place.removesuffix("[]").split("."), place.endswith("[]")
        for key in (key for model in models for key in keys_of(model)):
            made = {**beside, key: value}
            yield put([made] if listed else made, *keys, sweep=SWEEP if keys[0] == "bench" else None)


def _of_datasets(value: Any) -> Iterator[dict[str, Any]]:
    models: dict[str, type[BaseModel]] = {**NAMED, "timed_trace": OtherDataset}
    for name, model in models.items():
        drawn = name.startswith("random") or name == "sonnet"
        sweep = {"num_prompts": 20, **({"lengths": [[64, 16]]} if drawn else {}), **SENT_BY.get(name, {})}
        for key in keys_of(model):
            path = {"path": "/a.jsonl"} if "path" in model.model_fields and key not in ("path", "file") else {}
            yield put({"name": name, **path, key: value}, "bench", "dataset", sweep=sweep)
    for key in valid_keys(("bench", "dataset")):
        yield put({key: value}, "bench", "dataset", sweep=SWEEP)


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(field.alias or name for name, field in model.model_fields.items())


@pytest.fixture(scope="module")
def all_judged(tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    folder = Folder(tmp_path_factory.mktemp("profiles"))
    return [judged(folder, text) for text in dict.fromkeys(map(json.dumps, profiles()))]


def test_both_verdicts_occur_often(all_judged: list[Judged]) -> None:
    taken = [item for item in all_judged if not item.problems]
    assert len(taken) > 500
    assert len(all_judged) - len(taken) > 2000


def test_the_schema_takes_whatever_orch_takes(all_judged: list[Judged]) -> None:
    assert [item.profile for item in all_judged if not item.problems and not item.valid] == []


def test_what_orch_alone_refuses_a_schema_cannot_say(all_judged: list[Judged]) -> None:
    alone = [item for item in all_judged if item.problems and item.valid]
    said = [
        item for item in alone if any(all(not re.search(p, problem) for p in PATTERNS) for problem in item.problems)
    ]
    assert [(item.profile, item.problems) for item in said] == []


def test_every_exception_is_needed(all_judged: list[Judged]) -> None:
    problems = {problem for item in all_judged if item.valid for problem in item.problems}
    assert [p for p in PATTERNS if not any(re.search(p, problem) for problem in problems)] == []


IMAGE, MODEL = "container: {image: i, %s}\nserver: {model: m}\n", "container: {image: i}\nserver: {model: m, %s}\n"
POINTS = "container: {image: i}\nserver: {model: m}\nbench: {num_prompts: 5, lengths: [[1, 1]], %s}\n"


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        *((IMAGE % text, True) for text in (
            "extra_hosts: {hub: 10.0.0.2, lab: host-gateway}", "extra_hosts: {hub: [10.0.0.2, '::1']}",
            "extra_hosts: 'hub=[::1]'", "labels: {a: 1.5}", "labels: [a=, b]", "gpus: {count: all}", "gpus: [0, 1.5]",
            "gpus: 'device=0,2'", "gpus: '\"device=0,2\"'", "gpus: 'all,capabilities=compute'", "gpus: -1", "memory: 1g, memory_swap: '-1'",
            "ulimits: [memlock=-1, nofile=1:2]", "user: 1.5", "dns: ['::1', 10.0.0.2]",
            "devices: ['/dev/a:r', /dev/a:/dev/b:rw, nvidia.com/gpu=0]",
            "mounts: [./a:/a, ~/b:/b, cache:/c, '/a/b:/d:ro,rslave', 'type=bind,src=/a,dst=/e,readonly']",
            "env: {A: {from_file: ./token}, B: {inherit: if-set}}", "network: nonesuch",
        )),
        *((IMAGE % text, False) for text in (
            "extra_hosts: {hub: 300.0.0.2}", "extra_hosts: {hub: 1}", "extra_hosts: {'a b': 10.0.0.2}", "extra_hosts: hub",
            "labels: {a: true}", "labels: {orch.x: a}", "labels: [orch.x=a]", "labels: [=a]", "sysctls: [net.a=]", "sysctls: [net.a]", "gpus: {count: 0}", "gpus: some", "gpus: 0",
            "gpus: ['0,2']", "ulimits: {MEMLOCK: 1}", "ulimits: [memlock=unlimited]", "dns: lab", "devices: [dev/kfd]", "devices: [/dev/a:ro]",
            "mounts: [/a]", "mounts: ['/a:b']", "mounts: ['$HOME/a:/b']", "mounts: ['/a:/b:cached']", "mounts: ['type=tmpfs,target=/x']",
            "mounts: [{source: /a, target: /b, read_only: null}]", "env: {A: {inherit: 1}}", "env: {A: {from_file: $HOME/x}}", "network: none", "network: container:x",
        )),
        (MODEL % "host: '::1'", True), (MODEL % "host: localhost", False),
        (MODEL % "env: {A: {inherit: true}}", False), (MODEL % "env: {A: {from_env: A}}", True),
        *((POINTS % text, True) for text in ("percentiles: 99.9", "percentiles: [0.1]", "repetitions: {auto: {metric: p99.9_ttft_ms}}, percentiles: 99.9")),
        *((POINTS % text, False) for text in ("percentiles: 0", "percentiles: [100]", "repetitions: {auto: {metric: ttft}}")),
        (POINTS % "seed: 1" + "objectives: ['p99_ttft_ms < 200']\n", True), (POINTS % "seed: 1" + "objectives: [ttft<2]\n", False),
        ("container: {image: i}\nserver: {model: m}\nvary: {axes: {server.port: [1, 2]}, linked: [[server.port]]}\n", False),
    ],
)  # fmt: skip
def test_both_judge_alike(folder: Folder, text: str, taken: bool) -> None:
    item = judged(folder, text)
    assert (not item.problems, item.valid) == (taken, taken), item.problems


@pytest.mark.parametrize(
    ("base", "text"),
    [
        ("container: {image: i, labels: [a=1]}\nserver: {model: m}\n", "container: {labels: {a: null}}\n"),
        ("container: {image: i, extra_hosts: ['a:10.0.0.2']}\nserver: {model: m}\n", "container: {extra_hosts: {a: null}}\n"),
        ("container: {image: i, ulimits: {core: {soft: 1, hard: 2}}}\nserver: {model: m}\n", "container: {ulimits: {core: {hard: 3}}}\n"),
        ("container: {image: i, gpus: {options: {a: x}}}\nserver: {model: m}\n", "container: {gpus: {options: {a: null}}}\n"),
        ("container: {image: i}\nserver: {model: m}\nhealth: {expected: {image: 5}}\n", "health: {expected: {image: null}}\n"),
        (POINTS % "ramp_up: {strategy: linear, from: 1, to: 2}", "bench: {ramp_up: {to: 3}}\n"),
        (POINTS % "dataset: {prefix_len: 1}", "bench: {dataset: {prefix_len: null, range_ratio: 0.5}}\n"),
        ("container: {image: i}\nserver: {model: m}\nbench: {num_prompts: 5, dataset: {name: custom, path: /a.jsonl}}\n", "bench: {dataset: {output_len: 5, path: null, file: b.jsonl}}\n"),
    ],
)  # fmt: skip
def test_what_a_file_says_of_what_it_extends_is_taken_by_both(folder: Folder, base: str, text: str) -> None:
    item = judged(folder, text, base)
    assert (item.problems, item.valid) == ((), True)


def test_one_number_is_told_from_another_by_orch_alone(folder: Folder) -> None:
    """JSON does not tell 8000.0 from 8000."""
    item = judged(folder, MODEL % "port: 8000.0")
    assert (item.problems, item.valid) == (("must be a whole number",), True)

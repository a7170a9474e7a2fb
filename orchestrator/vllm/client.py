"""How the serving benchmark of each vLLM version is called; differences are rows of one table, newest last.

Sources: the argument parsers of vLLM 0.8.0 to 0.33.0 (`vllm/benchmarks/serve.py`), and `vllm-rs bench serve --help`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from orchestrator.metrics.catalogue import LATENCIES, WHOLE
from orchestrator.metrics.values import PERCENTILES
from orchestrator.text import Text
from orchestrator.vllm.dataset import Said, said_of_dataset
from orchestrator.vllm.flag_names import read_name
from orchestrator.vllm.flags import lookup, to_argv
from orchestrator.vllm.versions import OLDEST, Version, parse_version
from orchestrator.workload.backend import BACKENDS, COMPLETIONS
from orchestrator.workload.point import Measurement, Point

RESULT_NAME = "result.json"
EXTRA_BODY = "extra-body"
"""Flag of the client for what is to be added to the body of each request."""
RANGE_FLAG = "random-range-ratio"
"""The flag by which a script is told in its own words how lengths vary."""
FORCED_EOS = frozenset({"random", "random-mm", "timed_trace"})
"""Datasets with which newer clients ignore the end of answers unasked."""

VLLM = "vllm"
"""The client that `vllm bench serve` starts."""
RUST = "vllm-rs"
"""The Rust client; official wheels of vLLM carry it in the package, under this name."""


@dataclass(frozen=True)
class ClientDialect:
    """What `vllm bench serve` wants to hear, from one version on."""

    since: Version
    """First version it holds for, and only where the parser cannot be asked."""
    protocol: tuple[str, ...]
    """Flags that choose the OpenAI completions protocol; other backends have the same name in all versions."""
    sampling: tuple[str, ...]
    """Flags that make sampling greedy; empty where greedy is the default or the flag is missing or broken."""

    detailed: bool = True
    """It knows `--save-detailed`; 0.8.0 to 0.9.0 do not, and give the figures of each request unasked."""

    spread: bool = True
    """`--random-range-ratio` r means lengths from X·(1 - r) to X·(1 + r); others mean lengths from X·r to X by it."""
    own_output: bool = True
    """The custom dataset can say the output length of each line."""
    chat_template: bool = True
    """It puts the model's chat template around the prompts of the custom dataset, unless it is told not to."""

    each_ratio: bool = False
    """The range ratio can be one for prompts and another one for outputs."""
    forces_eos: bool = True
    """With random prompts it ignores the end of answers whether or not it is told to."""
    quiet: tuple[str, ...] = ()
    """Flags that keep it from sending a test request first, which the server would count and cache; empty where there
    are none. Those of 0.10.1 and 0.10.2 make it fail instead, and 0.11.0 is not known to be better."""

    def protocol_of(self, backend: str) -> tuple[str, ...]:
        """Return the flags that choose a backend."""
        return self.protocol if backend == COMPLETIONS else (self.protocol[0], backend)

    def needs(self) -> set[str]:
        """Return the options that a parser must know."""
        words = (*self.protocol, *self.sampling, *(("--save-detailed",) if self.detailed else ()))
        return {word for word in words if word.startswith("--")}


QUIET = ("--ready-check-timeout-sec", "0")
QUIET_KNOWN = {"--ready-check-timeout-sec", "--num-warmups"}
"""What a parser that takes QUIET knows: the second option is as old as the version from which on it can be trusted."""
DIALECTS = (
    ClientDialect(
        *((0, 8, 0), ("--endpoint-type", "openai-comp"), ()),
        detailed=False, spread=False, own_output=False, forces_eos=False,
    ),
    ClientDialect((0, 9, 1), ("--endpoint-type", "openai"), (), own_output=False, forces_eos=False),
    ClientDialect((0, 11, 0), ("--backend", "openai"), (), own_output=False, forces_eos=False),
    ClientDialect((0, 11, 1), ("--backend", "openai"), (), own_output=False, quiet=QUIET),
    ClientDialect((0, 15, 0), ("--backend", "openai"), ("--temperature", "0"), quiet=QUIET),
    ClientDialect((0, 20, 0), ("--backend", "openai"), ("--temperature", "0"), each_ratio=True, quiet=QUIET),
)  # fmt: skip
SCRIPT_DIALECT = ClientDialect((0, 7, 0), ("--backend", "openai"), (), own_output=False, forces_eos=False)
"""The script benchmark_serving.py, which the vLLM repository had until 0.10.1."""
RUST_DIALECT = ClientDialect(
    (0, 32, 0), ("--backend", "openai"), ("--temperature", "0"), chat_template=False, each_ratio=True
)
"""The Rust client."""
OLD_RUST_DIALECT = dataclasses.replace(RUST_DIALECT, since=(0, 27, 0), spread=False, each_ratio=False)
"""The Rust client before the version whose range ratio is known to mean what it means to the others."""
LATEST = "0.33.0"
OLD_PROMPT_GROWTH = 1.35


@dataclass(frozen=True)
class Target:
    """The server as the client inside the container reaches it."""

    host: str
    port: int
    model: str
    """Model path or hub name; the client loads its tokenizer."""
    served_model: str
    """Name under which the server offers it."""
    trust_remote_code: bool


def longest_prompt(tokens: int, version: str | None) -> int:
    """Return how many tokens a random prompt of so many can have for the server.

    The client of vLLM 0.8 sends what it has drawn as text without tokenising that once more; up to 29 % more were seen.
    """
    parsed = parse_version(version or "")
    return int(tokens * OLD_PROMPT_GROWTH) if parsed is not None and parsed[:2] == (0, 8) else tokens


def is_rust(client: str) -> bool:
    """Say whether a client is the Rust client, by its name alone or by its path."""
    return client.rpartition("/")[2] == RUST


def dialect_of(client: str, version: str, options: Collection[str] | None = None) -> ClientDialect:
    """Return the dialect of a client: of `vllm bench serve`, of the Rust client, or of a script.

    Args:
        client: `vllm`, `vllm-rs`, or the path of either a `vllm-rs` or a benchmark_serving.py.
        version: Version of the client.
        options: What its parser knows, if it was asked.
    """
    if is_rust(client):
        parsed = parse_version(version)
        return OLD_RUST_DIALECT if parsed and OLDEST < parsed < RUST_DIALECT.since else RUST_DIALECT
    return client_dialect(version, options) if client == VLLM else SCRIPT_DIALECT


def client_dialect(version: str, options: Collection[str] | None = None) -> ClientDialect:
    """Return the dialect of a client.

    Args:
        version: Version of vLLM; one older than the table gets its first row, an unknown one its last.
        options: What its parser knows, if it was asked: a vendor's build may differ from the version it bears.
    """
    parsed = parse_version(version)
    if parsed is None or parsed < OLDEST:  # a build from source, whose version says nothing
        parsed = DIALECTS[-1].since
    newest_first = sorted(DIALECTS, key=lambda dialect: (dialect.since <= parsed, dialect.since), reverse=True)
    if options is None:
        return newest_first[0] if newest_first[0].since <= parsed else DIALECTS[0]
    return next((dialect for dialect in newest_first if dialect.needs() <= set(options)), DIALECTS[0])


def client_argv(
    client: str,
    dialect: ClientDialect,
    target: Target,
    measurement: Measurement,
    result_dir: str,
    options: frozenset[str] | None = None,
) -> list[str]:
    """Return the command that measures one point once and leaves `RESULT_NAME` in a folder of the container.

    Args:
        client: `vllm`, or the path in the container of benchmark_serving.py or of the Rust client.
        dialect: How it wants to be called.
        target: The server.
        measurement: What is to be measured.
        result_dir: The folder; it exists.
        options: What its parser knows, if it was asked; a flag that has had several names is told by the one it knows.

    A range ratio is passed only where the profile asks for one: the default is exact lengths in all versions.
    """
    point = measurement.point
    backend = BACKENDS[point.backend]
    argv = [*_command(client), *dialect.protocol_of(point.backend)]
    if point.backend != COMPLETIONS or point.endpoint is not None:
        argv += ["--endpoint", point.endpoint or backend.endpoint]
    argv += [*_address(target), "--model", target.model]
    if target.served_model != target.model:
        argv += ["--served-model-name", target.served_model]
    if target.trust_remote_code:
        argv.append("--trust-remote-code")
    argv += ["--dataset-name", point.dataset]
    if point.dataset_path is not None:
        argv += ["--dataset-path", point.dataset_path]
    argv += _words(_said_of_prompts(point), options)
    argv += ["--num-prompts", str(point.num_prompts)]
    if point.max_concurrency is not None:
        argv += ["--max-concurrency", str(point.max_concurrency)]
    flags = _further_flags(point, dialect)
    argv += ["--request-rate", str(point.request_rate), *_words(_said_of_arrival(point), options)]
    argv += ["--seed", str(measurement.seed)]
    argv += dialect.sampling if point.greedy and backend.samples and lookup(flags, "temperature") is None else ()
    argv += dialect.quiet if options is None or options >= QUIET_KNOWN else ()
    argv += ["--percentile-metrics", ",".join(LATENCIES if backend.generates else WHOLE)]
    percentiles = (*PERCENTILES, *(each for each in point.percentiles if each not in PERCENTILES))
    argv += ["--metric-percentiles", ",".join(f"{percentile:g}" for percentile in percentiles)]
    argv += ["--save-detailed"] if dialect.detailed and (options is None or "--save-detailed" in options) else []
    argv += ["--disable-tqdm", "--save-result", "--result-dir", result_dir, "--result-filename", RESULT_NAME]
    return argv + to_argv(flags, program="bench")


def _further_flags(point: Point, dialect: ClientDialect) -> dict[str, Any]:
    """Return the further flags of a point.

    A client that ignores the end of answers by itself sends what it is told to send besides, and that counts.
    """
    flags: dict[str, Any] = json.loads(point.client_flags)
    if point.ignore_eos is not False or not dialect.forces_eos or point.dataset not in FORCED_EOS:
        return flags
    name = next((name for name in flags if name.replace("_", "-") == EXTRA_BODY), EXTRA_BODY)
    return {**flags, name: {**extra_body(flags), "ignore_eos": False}}


def extra_body(flags: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return what further flags add to the body of each request, as far as it can be read."""
    found = lookup(flags, EXTRA_BODY)
    if isinstance(found, str):
        with contextlib.suppress(ValueError):
            found = json.loads(found)
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Known:
    """What a client said of itself; None for what it was not asked or did not say."""

    options: frozenset[str] | None = None
    """What its parser knows."""
    datasets: frozenset[str] | None = None
    """The names of datasets that it knows."""
    backends: frozenset[str] | None = None
    """The APIs that it speaks, under its own names."""
    spread: bool | None = None
    """Its range ratio r means lengths from X·(1 - r) to X·(1 + r)."""


def unsupported(point: Point, dialect: ClientDialect, known: Known) -> list[str]:
    """Return what a point asks for and its client cannot do, each with the key of the profile; empty if nothing.

    Args:
        point: The point.
        dialect: How the client wants to be called.
        known: What the client said of itself.
    """
    found = []
    name = dialect.protocol_of(point.backend)[-1]
    if known.backends is not None and name not in known.backends:
        found.append(f"bench.backend: no backend '{name}'; it knows {', '.join(sorted(known.backends))}")
    if known.datasets is not None and point.dataset not in known.datasets:
        text = Text(
            "no dataset '{dataset}'; it knows {datasets}",
            dataset=point.dataset,
            datasets=", ".join(sorted(known.datasets)),
        )
        return [*found, f"bench.dataset.name: {text}"]
    options = known.options
    found += [
        f"{said.key}: no option {said.names[0]}"
        for said in (*_said_of_prompts(point), *_said_of_arrival(point))
        if options is not None and options.isdisjoint(said.names)
    ]
    if options is not None:
        found += [f"bench.client_flags.{flag}: no option --{flag}" for flag in _unknown_flags(point, options)]
    if not point.greedy and not dialect.sampling:
        found.append("bench.greedy: it asks for temperature 0 by itself; give one in client_flags instead")
    asked = json.loads(point.dataset_options)
    if "range_ratio" in asked and not (dialect.spread if known.spread is None else known.spread):
        found.append("bench.dataset.range_ratio: it draws lengths from X·r to X instead")
    elif isinstance(asked.get("range_ratio"), dict) and not dialect.each_ratio:
        found.append("bench.dataset.range_ratio: it knows one number for prompts and outputs")
    if point.dataset == "custom" and point.generates and point.output_len is None and not dialect.own_output:
        found.append("bench.dataset.output_len: it needs one length for all lines")
    if point.dataset == "custom" and "skip_chat_template" not in asked and not dialect.chat_template:
        found.append("bench.dataset.skip_chat_template: it sends prompts as they are; say so with true")
    return found


def _unknown_flags(point: Point, options: frozenset[str]) -> list[str]:
    """Return the further flags that a parser does not know, be it as the beginning of another one."""
    flags = json.loads(point.client_flags)
    given = {
        name: ("--no-" if value is False else "--") + read_name(name).flag
        for name, value in flags.items()
        if value is not None and len(name) > 1
    }
    return [name for name, option in given.items() if not any(known.startswith(option) for known in options)]


def _address(target: Target) -> list[str]:
    """Return the words that tell a client where the server is.

    Clients of 0.8.5 and 0.9.2 put an IPv6 address before the port without brackets, which 0.11.2 adds; all of them,
    and the Rust client, take a whole address as it is (`args.base_url` in `vllm/benchmarks/serve.py`).
    """
    if ":" in target.host:
        return ["--base-url", f"http://[{target.host}]:{target.port}"]
    return ["--host", target.host, "--port", str(target.port)]


def _command(client: str) -> list[str]:
    if client == VLLM:
        return ["vllm", "bench", "serve"]
    return [client, "bench", "serve"] if is_rust(client) else ["python3", client]


def _said_of_prompts(point: Point) -> list[Said]:
    options = json.loads(point.dataset_options)
    said = said_of_dataset(
        point.dataset, point.input_len, point.output_len, options, generates=BACKENDS[point.backend].generates
    )
    key = "bench.dataset" if point.ignore_eos is None else "bench.ignore_eos"
    return [*said, Said(key, ("--ignore-eos",))] if point.ignores_eos else said


def _said_of_arrival(point: Point) -> list[Said]:
    said = []
    if not point.poisson:
        said.append(Said("bench.burstiness", ("--burstiness",), f"{point.burstiness:g}"))
    if point.ramp_up is not None:
        said.append(Said("bench.ramp_up", ("--ramp-up-strategy",), point.ramp_up.strategy))
        said.append(Said("bench.ramp_up", ("--ramp-up-start-rps",), str(point.ramp_up.start)))
        said.append(Said("bench.ramp_up", ("--ramp-up-end-rps",), str(point.ramp_up.end)))
    return said


def _words(said: list[Said], options: frozenset[str] | None) -> list[str]:
    return [word for item in said for word in (item.name(options), item.value) if word is not None]

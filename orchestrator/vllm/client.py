"""How the serving benchmark of each vLLM version is called; differences are rows of one table, newest last.

Sources: the argument parsers of vLLM 0.8.0 to 0.33.0 (`vllm/benchmarks/serve.py`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.vllm.flags import to_argv

if TYPE_CHECKING:
    from collections.abc import Collection

    from orchestrator.sweep import Measurement

RESULT_NAME = "result.json"
PERCENTILES = (50, 90, 95, 99)
LATENCIES = ("ttft", "tpot", "itl", "e2el")

VLLM = "vllm"
"""The client that `vllm bench serve` starts."""
Version = tuple[int, int, int]


@dataclass(frozen=True)
class ClientDialect:
    """What `vllm bench serve` wants to hear, from one version on."""

    since: Version
    """First version it holds for, and only where the parser cannot be asked."""
    protocol: tuple[str, ...]
    """Flags that choose the OpenAI completions protocol."""
    sampling: tuple[str, ...]
    """Flags that make sampling greedy; empty where greedy is the default or the flag is missing or broken."""

    detailed: bool = True
    """It knows `--save-detailed`; 0.8.0 to 0.9.0 do not, and give the figures of each request unasked."""

    def needs(self) -> set[str]:
        """Return the options that a parser must know."""
        words = (*self.protocol, *self.sampling, *(("--save-detailed",) if self.detailed else ()))
        return {word for word in words if word.startswith("--")}


DIALECTS = (
    ClientDialect((0, 8, 0), ("--endpoint-type", "openai-comp"), (), detailed=False),
    ClientDialect((0, 9, 1), ("--endpoint-type", "openai"), ()),
    ClientDialect((0, 11, 0), ("--backend", "openai"), ()),
    ClientDialect((0, 15, 0), ("--backend", "openai"), ("--temperature", "0")),
)
SCRIPT_DIALECT = ClientDialect((0, 7, 0), ("--backend", "openai"), ())
"""The script benchmark_serving.py, which the vLLM repository had until 0.10.1."""
LATEST = "0.33.0"
OLD_PROMPT_GROWTH = 1.35
OLDEST = (0, 6, 0)
"""No benchmark of a version before this one is known; builds from source call themselves 0.0.0 or 0.1.dev1."""


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


def parse_version(text: str) -> Version | None:
    """Return the first three numbers of a version such as `0.8.5+das.opt1`, or None where there is none."""
    match = re.search(r"(?<![\d.])v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def longest_prompt(tokens: int, version: str | None) -> int:
    """Return how many tokens a random prompt of so many can have for the server.

    The client of vLLM 0.8 sends what it has drawn as text without tokenising that once more; up to 29 % more were seen.
    """
    parsed = parse_version(version or "")
    return int(tokens * OLD_PROMPT_GROWTH) if parsed is not None and parsed[:2] == (0, 8) else tokens


def version_in_image(image: str) -> str | None:
    """Return the vLLM version that an image reference names, as in `vllm:0.8.5-ubuntu22.04`, or None."""
    match = re.search(r"(?:vllm(?:[\w.-]*:|[_-])|orch-cpu:)v?(\d+\.\d+\.\d+)", image)
    return match[1] if match else None


def dialect_of(client: str, version: str, options: Collection[str] | None = None) -> ClientDialect:
    """Return the dialect of a client, which is the script's if the client is a script."""
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
) -> list[str]:
    """Return the command that measures one point once and leaves `RESULT_NAME` in a folder of the container.

    Args:
        client: `vllm`, or the path of benchmark_serving.py in the container.
        dialect: How it wants to be called.
        target: The server.
        measurement: What is to be measured.
        result_dir: The folder; it exists.

    `--random-range-ratio` is never passed: its meaning changed between versions, and the default is exact in all.
    """
    point = measurement.point
    argv = ["vllm", "bench", "serve"] if client == VLLM else ["python3", client]
    argv += dialect.protocol
    argv += ["--host", target.host, "--port", str(target.port), "--model", target.model]
    if target.served_model != target.model:
        argv += ["--served-model-name", target.served_model]
    if target.trust_remote_code:
        argv.append("--trust-remote-code")
    argv += ["--dataset-name", point.dataset]
    if point.dataset_path is not None:
        argv += ["--dataset-path", point.dataset_path]
    if point.input_len is not None and point.output_len is not None:
        argv += ["--random-input-len", str(point.input_len), "--random-output-len", str(point.output_len)]
        argv.append("--ignore-eos")
    argv += ["--num-prompts", str(point.num_prompts)]
    if point.max_concurrency is not None:
        argv += ["--max-concurrency", str(point.max_concurrency)]
    argv += ["--request-rate", str(point.request_rate), "--seed", str(measurement.seed), *dialect.sampling]
    argv += ["--percentile-metrics", ",".join(LATENCIES)]
    argv += ["--metric-percentiles", ",".join(str(percentile) for percentile in PERCENTILES)]
    argv += ["--save-detailed"] if dialect.detailed else []
    argv += ["--disable-tqdm", "--save-result", "--result-dir", result_dir, "--result-filename", RESULT_NAME]
    return argv + to_argv(json.loads(point.client_flags))

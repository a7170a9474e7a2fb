"""Rules on the lengths of prompts and answers: whether they are what was asked for."""

from __future__ import annotations

from typing import Any

from orchestrator.results.validity.values import Findings, Note, Reason, Seen
from orchestrator.text import Text
from orchestrator.vllm.counters import Served
from orchestrator.workload.backend import COMPLETIONS, Backend, backend_of
from orchestrator.workload.point import lengths_vary

PROMPT_LENGTH = 0.10
"""How far the prompts' real length may be from the length asked for, or else from the client's count."""
PROMPTS_OFF = 0.25
"""Part of the prompts that may each be further than 10 % from the length asked for.

With a vocabulary of a few thousand tokens several of a hundred random prompts are, and the mean is right."""
PROMPTS_LONGER = 0.02
"""By how much prompts may be longer or shorter on average before it is worth a note."""


def prompt_length(seen: Seen) -> Findings:
    """Judge the mean length of prompts as the server counted them, and each one's as the client did."""
    found = list(_by_mean(seen)) or list(_by_each(seen))
    yield from found or _slightly(seen)


def _by_mean(seen: Seen) -> Findings:
    record, metrics = seen.record, seen.metrics
    served = record.served
    if served is None or not metrics.completed or not served.prompt_tokens:
        return
    asked = asked_prompt(record.parameters)
    expected = asked or metrics.total_input_tokens / metrics.completed
    real = _real_length(served, metrics.completed, expected)
    if not expected or abs(real / expected - 1.0) <= PROMPT_LENGTH:
        return
    if asked and real > expected and backend(record.parameters).templated:  # how long a template is nobody has said
        return
    said = (
        Text("{asked} were asked for", asked=asked)
        if asked
        else Text("the client counted {expected:.0f}", expected=expected)
    )
    yield Reason("prompt-length", Text("prompts had {real:.0f} tokens on average, {said}", real=real, said=said))


def _real_length(served: Served, completed: int, expected: float) -> float:
    """Return the mean prompt as the server counted it.

    What the server counts beside the client's requests may have had prompts as long as theirs, or next to none.
    """
    lengths = [served.prompt_tokens / count for count in (completed, max(completed, served.requests))]
    return min(lengths, key=lambda length: abs(length - expected))


def _by_each(seen: Seen) -> Findings:
    requests = seen.record.requests
    if requests is None or requests.inputs is None or (requests.inputs_off or 0.0) <= PROMPTS_OFF:
        return
    if backend(seen.record.parameters).templated:
        return
    least, most = requests.inputs
    yield Reason(
        "prompt-length",
        Text(
            "{off:.0%} of the prompts are more than 10 % longer or shorter than asked for: they have {least} to {most} "
            "tokens",
            off=requests.inputs_off,
            least=least,
            most=most,
        ),
    )


def _slightly(seen: Seen) -> Findings:
    asked, served = asked_prompt(seen.record.parameters), seen.record.served
    if not asked or served is None or not served.prompt_tokens or backend(seen.record.parameters).templated:
        return
    off = _real_length(served, max(seen.metrics.completed, 1), asked) / asked - 1.0
    if abs(off) >= PROMPTS_LONGER:
        yield Note(
            "prompts-off",
            Text("prompts had {off:+.1%} of the {asked} tokens that were asked for", off=off, asked=asked),
        )


def asked_prompt(parameters: dict[str, Any]) -> int | None:
    """Return the tokens of a request; None where the dataset decides, lengths vary, or an input length is a limit."""
    length, options = parameters["input_len"], parameters.get("dataset_options", {})
    if not length or parameters["dataset"] == "sonnet" or lengths_vary(parameters, "input") or "reranker" in options:
        return None
    prefix = options.get("prefix_len", 0) if parameters["dataset"].startswith("random") else 0
    return int(length + prefix) * int(options.get("batch_size", 1))


def backend(parameters: dict[str, Any]) -> Backend:
    """Return the API that a point asks."""
    return backend_of(parameters.get("backend", COMPLETIONS))


def shorter(seen: Seen) -> Findings:
    """Note answers that ended by themselves, because nothing forced a length: throughputs depend on their lengths."""
    parameters, tokens = seen.record.parameters, seen.metrics.total_output_tokens
    asked = parameters["output_len"]
    if parameters.get("ignore_eos") is not False or not asked or tokens is None or lengths_vary(parameters, "output"):
        return
    reached = tokens / seen.metrics.completed
    if reached < asked:
        yield Note(
            "shorter",
            Text(
                "answers had {reached:.1f} of at most {asked} output tokens on average; their ends were heeded",
                reached=reached,
                asked=asked,
            ),
        )


RULES = (prompt_length, shorter)

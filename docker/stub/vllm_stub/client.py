"""The stub's `vllm bench serve`: random prompts at a concurrency or a rate, measured and reported."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
import traceback
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vllm_stub import http1, results
from vllm_stub.load import Outcome, Target, send
from vllm_stub.stats import Run

if TYPE_CHECKING:
    import argparse

    from vllm_stub.faults import Faults
    from vllm_stub.style import Style

_VOCABULARY = 32000
_SHOWN_ERRORS = 10


@dataclass(frozen=True)
class Plan:
    """What will be sent where: the prompts (each with its length in tokens) and when (s from the start)."""

    target: Target
    prompts: list[tuple[str, int]]
    due: list[float]


def bench(args: argparse.Namespace, faults: Faults, style: Style) -> int:
    """Run the benchmark as a command: its exit code, 1 after the traceback of an uncaught error.

    Raises:
        SystemExit: STUB_CLIENT_EXIT_CODE says so.
    """
    try:
        run(args, faults, style)
    except (ValueError, OSError, KeyError):
        traceback.print_exc()
        return 1
    return 0


def run(args: argparse.Namespace, faults: Faults, style: Style) -> dict[str, Any] | None:
    """Run the benchmark that `args` ask for, print its table, write its result; 0.8.x does not return it.

    Raises:
        ValueError: the test request failed, or an argument makes no sense to vLLM either.
        OSError: the result cannot be written, or no server answers for a missing --model.
        KeyError: 0.8.x after the result is written, if not all of ttft, tpot, itl and 99 were selected.
        SystemExit: STUB_CLIENT_EXIT_CODE says so.
    """
    time.sleep(faults.client_startup_s)
    while faults.client_hang:
        time.sleep(3600)
    if faults.client_exit_code is not None and faults.client_exit_when == "before":
        raise SystemExit(faults.client_exit_code)
    print(args, flush=True)
    if not style.old:
        args.ignore_eos = True
    measured = asyncio.run(_measure(args, style))
    _warn(measured)
    print("\n".join(results.table(measured)), flush=True)
    result = results.result_json(measured)
    if args.save_result:
        results.save(measured, result, truncated=faults.client_bad_json)
        if style.old:
            for name in ("ttft", "tpot", "itl"):
                result[f"p99_{name}_ms"]
    if faults.client_exit_code is not None:
        raise SystemExit(faults.client_exit_code)
    return None if style.old else result


def _warn(measured: Run) -> None:
    if not measured.successes:
        print("UserWarning: All requests failed. This is likely due to a misconfiguration.", file=sys.stderr)
    errors = [outcome.error for outcome in measured.outcomes if not outcome.success]
    if errors and not measured.style.old:
        print(f"Failed requests during benchmark run detected (capping to {_SHOWN_ERRORS}):")
        for number, error in enumerate(errors[:_SHOWN_ERRORS]):
            print(f"Error {number}: {error}")


async def _measure(args: argparse.Namespace, style: Style) -> Run:
    model, target = await _target(args, style)
    plan = _plan(args, target)
    test_s = 1 if style.old else args.ready_check_timeout_sec
    print("Starting initial single prompt test run...", flush=True)
    if test_s > 0:
        outcome = await _first_answer(plan, 0.0 if style.old else test_s)
        if not outcome.success:
            raise ValueError(
                "Initial test run failed - Please make sure benchmark arguments are correctly specified. "
                f"Error: {outcome.error}"
            )
        print("Initial test run completed.", end=" " if style.old else "\n")
    else:
        print("Skipping endpoint ready check.")
    limit = asyncio.Semaphore(args.max_concurrency) if args.max_concurrency else nullcontext()
    if not style.old and args.num_warmups:
        print(f"Warming up with {args.num_warmups} requests...", flush=True)
        await asyncio.gather(*(_limited(plan, 0, limit) for _ in range(args.num_warmups)))
        print("Warmup run completed.")
    print("Starting main benchmark run...")
    print(f"Traffic request rate: {args.request_rate}")
    kind = "Poisson process" if args.burstiness == 1 else "Gamma distribution"
    print(f"Burstiness factor: {args.burstiness} ({kind})")
    print(f"Maximum request concurrency: {args.max_concurrency}", flush=True)
    start = time.perf_counter()
    tasks = []
    for number, due in enumerate(plan.due):
        await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
        tasks.append(asyncio.create_task(_limited(plan, number, limit)))
    outcomes = list(await asyncio.gather(*tasks))
    return Run(args, style, model, outcomes, time.perf_counter() - start)


async def _limited(plan: Plan, number: int, limit: asyncio.Semaphore | nullcontext[None]) -> Outcome:
    wanted = time.perf_counter()
    async with limit:
        outcome = await send(plan.target, *plan.prompts[number])
    outcome.queued = outcome.start - wanted
    return outcome


async def _first_answer(plan: Plan, timeout_s: float) -> Outcome:
    """The outcome of the first request, tried again until it succeeds or `timeout_s` is over."""
    end = time.monotonic() + timeout_s
    while True:
        outcome = await send(plan.target, *plan.prompts[0])
        if outcome.success or time.monotonic() >= end:
            return outcome
        await asyncio.sleep(min(1.0, timeout_s / 10))


def _plan(args: argparse.Namespace, target: Target) -> Plan:
    """The prompts and times of `args`: the same seed gives the same prompts, fewer of them a subset."""
    draw = random.Random(args.seed)
    prefix = [f"t{draw.randrange(_VOCABULARY)}" for _ in range(args.random_prefix_len)]
    offsets = [draw.randrange(_VOCABULARY) for _ in range(args.num_prompts)]
    prompts = []
    for number, offset in enumerate(offsets):
        words = [f"t{(offset + number + i) % _VOCABULARY}" for i in range(args.random_input_len)]
        prompts.append((" ".join(prefix + words), len(prefix) + len(words)))
    return Plan(target, prompts, _due(args, draw))


def _due(args: argparse.Namespace, draw: random.Random) -> list[float]:
    """When each request is due: all at once, or with gamma-distributed gaps (Poisson at burstiness 1)."""
    if args.request_rate == float("inf"):
        return [0.0] * args.num_prompts
    scale_s = 1 / (args.request_rate * args.burstiness)
    gaps = (draw.gammavariate(args.burstiness, scale_s) for _ in range(args.num_prompts - 1))
    return list(accumulate(gaps, initial=0.0))[: args.num_prompts]


async def _target(args: argparse.Namespace, style: Style) -> tuple[str, Target]:
    """The model's id, and where and how to ask it."""
    url = urlsplit(args.base_url or f"http://{args.host}:{args.port}")
    host, port = url.hostname or "127.0.0.1", url.port or 80
    path = url.path.rstrip("/") + args.endpoint
    chat = (args.endpoint_type if style.old else args.backend) == "openai-chat"
    if chat != path.endswith("chat/completions"):
        wanted = "'chat/completions'" if chat else "'completions'"
        raise ValueError(f"OpenAI {'Chat ' if chat else ''}Completions API URL must end with {wanted}.")
    model = args.model or await _first_model(host, port)
    extra: dict[str, Any] = {"temperature": 0.0 if style.old else args.temperature}
    if extra["temperature"] is None:
        del extra["temperature"]
        print("WARNING: vllm bench serve no longer sets temperature==0 (greedy) in requests by default.")
    if args.ignore_eos:
        extra["ignore_eos"] = True
    return model, Target(host, port, path, args.served_model_name or model, args.random_output_len, extra)


async def _first_model(host: str, port: int) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /v1/models HTTP/1.1\r\nhost: stub\r\n\r\n")
    _, _, headers = await http1.read_status(reader)
    body = await reader.readexactly(int(headers["content-length"]))
    writer.close()
    return str(json.loads(body)["data"][0]["id"])

"""The sweep: the ordered measurements of a profile, a pure function of its resolved `bench` section."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterable

from orchestrator.profile.schema.bench import Bench, LengthProduct
from orchestrator.profile.schema.dataset.random import PrefixRepetitionDataset
from orchestrator.workload.arrival import POISSON
from orchestrator.workload.backend import backend_of
from orchestrator.workload.canonical import canonical_json
from orchestrator.workload.point import Measurement, Point
from orchestrator.workload.seeds import derive_seed

MOST_WARMUP = 64
WARMUP_OUTPUT = 32


def points(bench: Bench) -> tuple[Point, ...]:
    """Return the distinct points of a sweep: for each load, each pair of lengths, as in the guide's loop."""
    flags, options = canonical_json(dict(bench.client_flags)), canonical_json(bench.dataset.options())
    found: dict[Point, None] = {}
    for rate, concurrency in itertools.product(bench.request_rate, bench.concurrency or (None,)):
        prompts = bench.num_prompts or ((bench.prompts_per_concurrency or 1) * (concurrency or 1),)
        for num_prompts, (input_len, output_len) in itertools.product(prompts, _lengths(bench)):
            point = Point(
                bench.dataset.name,
                bench.dataset.client_path,
                input_len,
                output_len,
                num_prompts,
                concurrency,
                rate,
                flags,
                options,
                POISSON if rate == "inf" else bench.burstiness,
                bench.ramp_up,
                bench.backend,
                bench.asked_endpoint,
                greedy=bench.greedy,
                percentiles=bench.percentiles,
            )
            if bench.ignore_eos not in (None, point.ignores_eos):
                point = dataclasses.replace(point, ignore_eos=bench.ignore_eos)
            found[point] = None
    return tuple(found)


def _lengths(bench: Bench) -> list[tuple[int | None, int | None]]:
    """Return the pairs of input and output length, each None where the dataset decides or there is no output."""
    dataset = bench.dataset
    if isinstance(bench.lengths, LengthProduct):
        return list(itertools.product(bench.lengths.input, bench.lengths.output or (None,)))
    if bench.lengths:
        return list(bench.lengths)
    output = dataset.asked_output_len if backend_of(bench.backend).generates else None
    if isinstance(dataset, PrefixRepetitionDataset):
        return [(dataset.prefix_len + dataset.suffix_len, output)]
    return [(None, output)]


def sweep(bench: Bench) -> tuple[Measurement, ...]:
    """Return the measurements in order: the whole sweep once, then again for each further repetition.

    Repetitions of a point lie far apart in time, so that a slow drift shows as spread instead of hiding. Where the
    results decide how many there are, these are those that each point gets in any case.
    """
    fewest, _ = repetition_range(bench)
    return tuple(
        measurement(bench, point, number) for number in range(1, fewest + 1) for point in in_round(bench, number)
    )


def in_round(bench: Bench, number: int) -> tuple[Point, ...]:
    """Return the points in the order in which a round of repetitions measures them; rounds count from 1.

    Loads that rise with time cannot be told from a node that grows slower, so the order is drawn by the seed. Every
    other round is reversed: over two rounds each point then has the same mean place, and a steady drift cancels out.
    The order is the same for every variant of a study.
    """
    found = points(bench)
    if bench.order == "seeded":
        found = tuple(sorted(found, key=lambda point: derive_seed(bench.seed, f"{point.id}/order", 0)))
        return found[::-1] if number % 2 == 0 else found
    return found


def repetition_range(bench: Bench) -> tuple[int, int]:
    """Return how often each point is measured at least and at most."""
    if isinstance(bench.repetitions, int):
        return bench.repetitions, bench.repetitions
    return bench.repetitions.auto.at_least, bench.repetitions.auto.at_most


def measurement(bench: Bench, point: Point, repetition: int) -> Measurement:
    """Return one repetition of a point, with its seed."""
    return Measurement(point, repetition, derive_seed(bench.seed, point.id, repetition))


def measurements(bench: Bench, named: Iterable[tuple[str, int]]) -> list[Measurement]:
    """Return the measurements of a sweep with these point ids and repetitions, in their order.

    Raises:
        KeyError: The sweep does not come to a point with one of these ids; see `strangers`.
    """
    by_id = {point.id: point for point in points(bench)}
    return [measurement(bench, by_id[point], repetition) for point, repetition in named]


def strangers(bench: Bench, ids: Iterable[str]) -> list[str]:
    """Return the point ids among some that a sweep does not come to, each once."""
    known = {point.id for point in points(bench)}
    return [point for point in dict.fromkeys(ids) if point not in known]


def warmup(bench: Bench, point: Point) -> Measurement | None:
    """Return what warms the server up for a point, or None if nothing is to.

    It has the point's input length and concurrency, `MOST_WARMUP` at most, prompts of its own, and a short output: most
    of what a server does for the first time (graphs, kernels, caches of its own) depends on those. What depends on the
    output's length, or on larger batches than that, is not warm then; `bench.warmup` can ask for more requests.
    """
    prompts = bench.warmup if isinstance(bench.warmup, int) else min(point.batch, MOST_WARMUP)
    if prompts == 0:
        return None
    output = None if point.output_len is None else min(point.output_len, WARMUP_OUTPUT)
    shape = dataclasses.replace(
        point,
        num_prompts=point.prompts_of(prompts),
        output_len=output,
        request_rate="inf",
        burstiness=POISSON,
        ramp_up=None,
        dataset_options=_for_any_number_of_prompts(point.dataset_options),
    )
    return Measurement(shape, 0, derive_seed(bench.seed, shape.id, 0))


def _for_any_number_of_prompts(options: str) -> str:
    """Return a dataset's options with one shared prefix instead of several, which few prompts could not be split by."""
    values = json.loads(options)
    return canonical_json({**values, "num_prefixes": 1}) if "num_prefixes" in values else options


def warmups(bench: Bench) -> tuple[Measurement, ...]:
    """Return the different warm-ups of a sweep, each once."""
    found = {item.point.id: item for point in points(bench) if (item := warmup(bench, point)) is not None}
    return tuple(found.values())

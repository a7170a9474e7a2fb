"""The seeds of prompts: each measurement has its own, and none that its server has seen."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection

from orchestrator.workload.point import Measurement

SEED_RANGE = 2**31


def unseen(measurement: Measurement, sent: Collection[int]) -> Measurement:
    """Return the measurement with prompts that its server has not seen, which might be in its prefix cache.

    On a server that is new they are those of the plan.

    Args:
        measurement: As planned.
        sent: Seeds whose prompts were sent to the server before.
    """
    seed, times = measurement.seed, 0
    while seed in sent:
        times += 1
        seed = derive_seed(measurement.seed, "again", times)
    return dataclasses.replace(measurement, seed=seed)


def derive_seed(base: int, name: str, number: int) -> int:
    """Return the seed, in [0, 2**31), of one of the numbered things of a name, such as the repetitions of a point."""
    digest = hashlib.sha256(f"{base}/{name}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % SEED_RANGE

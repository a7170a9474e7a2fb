"""Whether a sweep can be served: there is one, and no point needs more context than the server gives."""

from __future__ import annotations

from orchestrator.errors import UsageError
from orchestrator.plan.sweep import points
from orchestrator.profile.schema.bench import Bench
from orchestrator.profile.schema.profile import Profile
from orchestrator.text import Text
from orchestrator.vllm.flags import lookup, whole_number


def bench_of(profile: Profile) -> Bench:
    """Return the sweep of a profile; raise UsageError if it has none, or one that its server cannot serve."""
    if profile.bench is None:
        raise UsageError(
            Text("the profile {profile} has no bench section", profile=profile.name),
            "Add one, or name a profile that has: orch profile list",
        )
    check_context(profile.bench, flagged_context(profile))
    return profile.bench


def check_context(bench: Bench, max_model_len: int | None) -> None:
    """Raise UsageError if a point needs more context than the server gives; newer vLLM would cut it without a word."""
    if max_model_len is None:
        return
    for point in points(bench):
        needed = point.longest
        if needed > max_model_len:
            raise UsageError(
                Text(
                    "the point {label} needs {needed} tokens of context, the server gives {max_model_len}",
                    label=point.label(),
                    needed=needed,
                    max_model_len=max_model_len,
                ),
                "Raise server.flags.max-model-len or shorten bench.lengths (of some datasets: their own lengths).",
            )


def flagged_context(profile: Profile) -> int | None:
    """Return the context length that the profile's flags ask for, if they say it as a number."""
    return whole_number(lookup(profile.server.flags, "max-model-len"))

"""What a server's flags say of the devices it takes and of how it serves, with vLLM's defaults.

Sources: `ParallelConfig`, `CacheConfig` and `SpeculativeConfig` in `vllm/config` of 0.8.5 to 0.33.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator.vllm.flag_values import as_mapping
from orchestrator.vllm.flags import lookup, tensor_parallel_size, whole_number

AUTO = "auto"
"""What a flag says that leaves it to vLLM."""


@dataclass(frozen=True)
class Serving:
    """How a model is served."""

    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    data_parallel_size: int = 1
    prefill_context_parallel_size: int = 1
    quantization: str | None = None
    """None where the model's own configuration decides."""
    kv_cache_dtype: str = AUTO
    """`auto`: that of the model."""
    max_num_seqs: int | None = None
    """Requests that the server runs at once; None where vLLM decides by version and device."""
    speculation: str | None = None
    """The method of speculative decoding, or else the drafting model; `auto` where neither is named; None without."""
    draft_tokens: int | None = None
    """Tokens that are drafted in each step; None without speculation, and where the drafting model decides."""

    @property
    def devices(self) -> int:
        """Return how many devices the server takes; other kinds of parallelism share these."""
        of_a_replica = self.tensor_parallel_size * self.pipeline_parallel_size * self.prefill_context_parallel_size
        return of_a_replica * self.data_parallel_size


UNFLAGGED = Serving()
"""What no flag at all says."""


def serving(flags: Mapping[str, JsonValue]) -> Serving:
    """Return what a profile's `server.flags` say."""
    drafting = as_mapping(lookup(flags, "speculative-config"))
    said = {} if drafting is None else drafting
    return Serving(
        tensor_parallel_size=tensor_parallel_size(flags),
        pipeline_parallel_size=whole_number(lookup(flags, "pipeline-parallel-size")) or 1,
        data_parallel_size=whole_number(lookup(flags, "data-parallel-size")) or 1,
        prefill_context_parallel_size=whole_number(lookup(flags, "prefill-context-parallel-size")) or 1,
        quantization=_word(lookup(flags, "quantization")),
        kv_cache_dtype=_word(lookup(flags, "kv-cache-dtype")) or AUTO,
        max_num_seqs=whole_number(lookup(flags, "max-num-seqs")),
        speculation=None if drafting is None else _word(said.get("method")) or _word(said.get("model")) or AUTO,
        draft_tokens=whole_number(said.get("num_speculative_tokens")),
    )


def _word(value: JsonValue) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None

"""The APIs that vLLM's benchmark clients speak, each under the name that the newest client gives it.

Sources: `ASYNC_REQUEST_FUNCS` and the checks of addresses in `endpoint_request_func.py` of vLLM 0.8.5 to 0.33.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COMPLETIONS = "openai"
"""The backend that is used unless another one is asked for."""
CHAT_PATH = "chat/completions"


@dataclass(frozen=True)
class Backend:
    """One API, as a client speaks it with a vLLM server."""

    endpoint: str
    """Path of the server that is asked unless the profile names another one."""
    endings: tuple[str, ...]
    """How a path must end for the client to take it."""
    generates: bool = True
    """Answers are tokens that come as a stream; otherwise a request has one answer and nothing but a latency."""
    samples: bool = True
    """The client takes sampling parameters for it, and `--ignore-eos` has an effect."""
    templated: bool = False
    """The server puts the model's chat template around the prompt."""


_COMPLETIONS = Backend("/v1/completions", ("completions",))
_EMBEDDINGS = Backend("/v1/embeddings", ("embeddings",), generates=False, samples=False)
_EMBEDDINGS_CHAT = Backend("/v1/embeddings", ("embeddings",), generates=False, samples=False, templated=True)
BACKENDS: Mapping[str, Backend] = {
    "openai": _COMPLETIONS,
    "vllm": Backend("/v1/completions", ("completions",)),
    "openai-chat": Backend("/v1/chat/completions", (CHAT_PATH,), templated=True),
    "openai-responses": Backend("/v1/responses", ("responses",), templated=True),
    "openai-audio": Backend(
        "/v1/audio/transcriptions", ("transcriptions", "translations"), samples=False, templated=True
    ),
    "openai-embeddings": _EMBEDDINGS,
    "openai-embeddings-chat": _EMBEDDINGS_CHAT,
    "openai-embeddings-clip": _EMBEDDINGS_CHAT,
    "openai-embeddings-vlm2vec": _EMBEDDINGS_CHAT,
    "infinity-embeddings": _EMBEDDINGS,
    "infinity-embeddings-clip": _EMBEDDINGS,
    "vllm-pooling": Backend("/pooling", ("pooling",), generates=False, samples=False),
    "vllm-rerank": Backend("/rerank", ("rerank",), generates=False, samples=False),
}
"""Every backend; what a vLLM server does not serve, such as `tgi` of old scripts, is left out."""
OTHER_NAMES = {
    "openai-comp": "openai", "completions": "openai", "chat": "openai-chat", "embeddings": "openai-embeddings",
    "embedding": "openai-embeddings", "embed": "openai-embeddings", "rerank": "vllm-rerank",
    "score": "vllm-rerank", "classify": "vllm-pooling", "pooling": "vllm-pooling", "audio": "openai-audio",
    "responses": "openai-responses", "vllm-chat": "openai-chat",
}  # fmt: skip
"""What people and older clients call some of them."""


def backend_of(name: str) -> Backend:
    """Return the backend of a name on record; one that is not known any more is taken for the usual one."""
    return BACKENDS.get(name, _COMPLETIONS)


def fits(backend: str, endpoint: str) -> bool:
    """Say whether a backend's requests can be sent to a path; one of chats ends as one of completions does."""
    if not endpoint.endswith(BACKENDS[backend].endings):
        return False
    return BACKENDS[backend].templated or not endpoint.endswith(CHAT_PATH)


def fitting(endpoint: str) -> list[str]:
    """Return the backends whose requests can be sent to a path."""
    return [name for name in BACKENDS if fits(name, endpoint)]

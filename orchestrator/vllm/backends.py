"""Which versions of `vllm bench serve` lack a backend.

Source: `ASYNC_REQUEST_FUNCS` of `endpoint_request_func.py` in vLLM 0.8.5 to 0.33.0.
"""

from __future__ import annotations

LACKED_UP_TO = {
    "openai": (0, 7, 3),
    "vllm": (0, 9, 0),
    "openai-chat": (0, 9, 0),
    "openai-responses": (0, 14, 1),
    "openai-audio": (0, 9, 0),
    "openai-embeddings": (0, 9, 2),
    "openai-embeddings-chat": (0, 9, 2),
    "openai-embeddings-clip": (0, 9, 2),
    "openai-embeddings-vlm2vec": (0, 9, 2),
    "infinity-embeddings": (0, 9, 2),
    "infinity-embeddings-clip": (0, 9, 2),
    "vllm-pooling": (0, 14, 1),
    "vllm-rerank": (0, 9, 2),
}
"""The newest version whose `vllm bench serve` is known to lack each backend."""

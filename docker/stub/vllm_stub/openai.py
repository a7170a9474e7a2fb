"""The OpenAI shapes: what a completion request asks for, and the JSON of its answers."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vllm_stub.flags import ServeConfig
    from vllm_stub.style import Style
    from vllm_stub.tokens import Tokenize

Json = dict[str, Any]
_DEFAULT_MAX_TOKENS = 16


class ApiError(Exception):
    """An answer other than 200: `status`, and the message and type of the error body."""

    def __init__(self, status: int, message: str, kind: str = "BadRequestError") -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


@dataclass(frozen=True)
class Asked:
    """What a completion or chat request asks for; `prompt` is its tokens."""

    chat: bool
    model: str
    prompt: list[str]
    max_tokens: int
    ignore_eos: bool
    stream: bool
    usage: bool


def parse_body(body: bytes) -> Json:
    """The JSON object of a request body.

    Raises:
        ApiError: 400, it is not one.
    """
    try:
        value = json.loads(body)
    except ValueError as error:
        raise ApiError(400, f"JSON decode error: {error}") from error
    if not isinstance(value, dict):
        raise ApiError(400, "Input should be a valid dictionary")
    return value


def prompt_tokens(value: Json, tokenize: Tokenize) -> list[str]:
    """The tokens of `prompt` (text, or token ids) or of the `messages`.

    Raises:
        ApiError: 400, there is neither.
    """
    if "messages" in value:
        contents = [message.get("content") or "" for message in value["messages"]]
        parts = [content if isinstance(content, list) else [{"text": content}] for content in contents]
        return [token for part in parts for piece in part for token in tokenize(str(piece.get("text", "")))]
    prompt = value.get("prompt")
    if isinstance(prompt, list):
        return [token for item in prompt for token in str(item).split()]
    if not isinstance(prompt, str):
        raise ApiError(400, "Either prompt or prompt_embeds must be provided and non-empty. (parameter=prompt)")
    return tokenize(prompt)


def parse_asked(body: bytes, *, chat: bool, config: ServeConfig, style: Style, tokenize: Tokenize) -> Asked:
    """What a request asks for, with `max_tokens` as the emulated version limits it to the model's length.

    Raises:
        ApiError: 400 malformed or too long, 404 no such model.
    """
    value = parse_body(body)
    model = str(value.get("model") or config.served[0])
    if model not in config.served:
        raise ApiError(404, f"The model `{model}` does not exist.", "NotFoundError")
    prompt = prompt_tokens(value, tokenize)
    room = config.max_model_len - len(prompt)
    wanted = value.get("max_completion_tokens") or value.get("max_tokens")
    tokens = int(wanted or (room if chat else _DEFAULT_MAX_TOKENS))
    length = f"This model's maximum context length is {config.max_model_len} tokens."
    if style.old and tokens > room:
        raise ApiError(
            400,
            f"{length} However, you requested {len(prompt) + tokens} tokens ({len(prompt)} in the messages, "
            f"{tokens} in the completion). Please reduce the length of the messages or completion.",
        )
    if room < 1:
        raise ApiError(
            400,
            f"{length} However, your prompt contains at least {config.max_model_len + 1} input tokens, which exceeds "
            "this limit even without any output tokens. Please reduce the length of the input prompt.",
        )
    usage = bool((value.get("stream_options") or {}).get("include_usage"))
    return Asked(
        chat,
        model,
        prompt,
        min(tokens, room),
        bool(value.get("ignore_eos")),
        bool(value.get("stream")),
        usage,
    )


def error_json(error: ApiError, *, bare: bool) -> Json:
    """The body of an error: `bare` as whole answers of 0.8.x have it, else under "error"."""
    inner: Json = {"object": "error"} if bare else {}
    inner.update(message=str(error), type=error.kind, param=None, code=error.status)
    return inner if bare else {"error": inner}


@dataclass(frozen=True)
class Shape:
    """The JSON of the answers to one request: its id, and whether it is a chat."""

    asked: Asked
    number: int

    def envelope(self, choices: list[Json], *, stream: bool) -> Json:
        """`choices` within the common fields of an answer or of a chunk of a stream."""
        kind = ("chat.completion" + (".chunk" if stream else "")) if self.asked.chat else "text_completion"
        prefix = "chatcmpl" if self.asked.chat else "cmpl"
        return {
            "id": f"{prefix}-{self.number:032x}",
            "object": kind,
            "created": int(time.time()),
            "model": self.asked.model,
            "choices": choices,
        }

    def piece(self, text: str, finish_reason: str | None) -> Json:
        """One chunk of a stream that carries `text`."""
        content: Json = {"delta": {"content": text}} if self.asked.chat else {"text": text}
        choice = {
            "index": 0,
            **content,
            "logprobs": None,
            "finish_reason": finish_reason,
            "stop_reason": None,
        }
        return self.envelope([choice], stream=True)

    def role(self) -> Json:
        """The first chunk of a chat stream, which carries no text."""
        delta = {
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "logprobs": None,
            "finish_reason": None,
        }
        return self.envelope([delta], stream=True)

    def usage(self, generated: int) -> Json:
        """The token counts of the request."""
        prompt = len(self.asked.prompt)
        return {"prompt_tokens": prompt, "total_tokens": prompt + generated, "completion_tokens": generated}

    def whole(self, text: str, finish_reason: str, generated: int) -> Json:
        """The complete answer to a request that does not stream."""
        content: Json = {"message": {"role": "assistant", "content": text}} if self.asked.chat else {"text": text}
        choice = {
            "index": 0,
            **content,
            "logprobs": None,
            "finish_reason": finish_reason,
            "stop_reason": None,
        }
        return {**self.envelope([choice], stream=False), "usage": self.usage(generated)}

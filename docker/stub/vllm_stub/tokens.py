"""How a prompt becomes tokens: each word is one, or a model's own tokenizer says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Tokenize = Callable[[str], list[str]]


def tokenize_with(path: str | None) -> Tokenize:
    """What splits a text into tokens: the tokenizer.json at `path`, or without one the spaces in the text."""
    if path is None:
        return str.split
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path)
    return lambda text: [str(token) for token in tokenizer.encode(text, add_special_tokens=False).ids]

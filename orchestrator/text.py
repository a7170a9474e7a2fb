"""What is said to people: a template and its fields, which read as the English sentence and stay values.

A `Text` is a `str`, so that it prints, joins and compares as what it says. What it was made of is kept, so that the
same fact can be said in another language, and nobody has to take a sentence apart again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, SupportsIndex


class Text(str):
    """A sentence made of a template in the form of `str.format` and of its fields.

    Fields may be texts themselves. A sentence without fields needs no `Text`: it is its own template.
    """

    __slots__ = ("fields", "template")

    template: str
    fields: Mapping[str, object]

    def __new__(cls, template: str, /, **fields: object) -> Text:  # noqa: PYI034 - Self is of Python 3.11, and nothing derives from it
        """Say the template with its fields."""
        self = super().__new__(cls, template.format_map(fields))
        self.template = template
        self.fields = fields
        return self

    def __reduce_ex__(self, _protocol: SupportsIndex) -> tuple[object, ...]:
        """Copy and pickle what it is made of."""
        return _made, (self.template, dict(self.fields))


def said(text: str) -> dict[str, object]:
    """Return a sentence as plain data: what it says, and the template and the fields that it was made of."""
    of = _of(text)
    return {
        "text": str(text),
        "template": of.template,
        "fields": {name: _plain(each) for name, each in of.fields.items()},
    }


def made_of(text: str) -> dict[str, Any]:
    """Return what a sentence was made of as plain data, without what it says; `remade` says it again."""
    of = _of(text)
    data = {"template": of.template, "fields": {name: _kept(each) for name, each in of.fields.items()}}
    return data if remade(data) == text else {"template": "{text}", "fields": {"text": str(text)}}


def remade(data: Mapping[str, Any]) -> Text:
    """Say again what `made_of` has taken down; what no longer fits its template is told as its fields."""
    fields = {name: remade(each) if _is_made(each) else each for name, each in data.get("fields", {}).items()}
    try:
        return Text(data.get("template", ""), **fields)
    except (LookupError, ValueError, TypeError, AttributeError):
        return verbatim(", ".join(f"{name}: {each}" for name, each in fields.items()))


def verbatim(text: str) -> Text:
    """Return a sentence without fields."""
    return Text(text.replace("{", "{{").replace("}", "}}"))


def _of(text: str) -> Text:
    return text if isinstance(text, Text) else verbatim(text)


def _made(template: str, fields: dict[str, object]) -> Text:
    return Text(template, **fields)


def _is_made(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == {"template", "fields"}


def _kept(value: object) -> object:
    """Return a field as a record holds it."""
    return made_of(value) if isinstance(value, Text) else _plain(value)


def _plain(value: object) -> object:
    """Return a field as JSON can hold it."""
    if isinstance(value, Text):
        return said(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)

"""What is said to people: a template and its fields, which read as the English sentence and stay values.

A `Text` is a `str`, so that it prints, joins and compares as what it says. What it was made of is kept, so that the
same fact can be said in another language, and nobody has to take a sentence apart again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import SupportsIndex


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
    if not isinstance(text, Text):
        return {"text": text, "template": text.replace("{", "{{").replace("}", "}}"), "fields": {}}
    return {
        "text": str(text),
        "template": text.template,
        "fields": {name: _plain(value) for name, value in text.fields.items()},
    }


def _made(template: str, fields: dict[str, object]) -> Text:
    return Text(template, **fields)


def _plain(value: object) -> object:
    """Return a field as JSON can hold it."""
    if isinstance(value, Text):
        return said(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)

"""Sections that have got further keys since they were first recorded.

Such a key is left out of what is written, and so of a profile's hash, while it has its default: a profile that does not
use it is written as it always was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import model_serializer

from orchestrator.profile.values import Section

if TYPE_CHECKING:
    from pydantic import SerializerFunctionWrapHandler


class Grown(Section):
    """A section that knows which of its keys came later."""

    LATER: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_unused_later_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        unused = {name for name in self.LATER if getattr(self, name) == fields[name].default}
        return {name: value for name, value in handler(self).items() if name not in unused}

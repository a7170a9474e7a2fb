"""Which plain YAML scalars are not text: true, false, null and decimal numbers, as in YAML 1.2.

Reader and writer share these patterns: a text that the one would take for something else, the other quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml
from yaml.composer import ComposerError

PREFIX = "tag:yaml.org,2002:"
PATTERNS: dict[str, tuple[re.Pattern[str], Sequence[str]]] = {
    "bool": (re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    "int": (re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), "-+0123456789"),
    "float": (
        re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
        "-+.0123456789",
    ),
    "null": (re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "merge": (re.compile(r"<<$"), "<"),
}
"""By the tag's last word: what such a scalar looks like, and the characters it may begin with."""
MAX_DEPTH = 50


def add_resolvers(target: type[yaml.resolver.BaseResolver]) -> None:
    """Teach a PyYAML loader or dumper these patterns."""
    for tag, (pattern, first) in PATTERNS.items():
        target.add_implicit_resolver(PREFIX + tag, pattern, list(first))


class Composer(yaml.SafeLoader):
    """Composes nodes, never constructs objects; what nests too deep is an error, not a stack overflow."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way; filled below
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node, counting how deep it lies."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise ComposerError(None, None, f"nested deeper than {MAX_DEPTH} levels", mark)
        composed = super().compose_node(parent, index)
        self.depth -= 1
        return composed


add_resolvers(Composer)


class Dumper(yaml.SafeDumper):
    """Quotes what these patterns, or those of YAML 1.1, would take for something other than text."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Return true: a value that occurs twice is written twice."""
        return True


add_resolvers(Dumper)


def _represent_text(dumper: Dumper, text: str) -> yaml.ScalarNode:
    # PyYAML writes these breaks unescaped unless the text is in double quotes, and reads them back as spaces.
    style = '"' if set(text) & set("\x85\u2028\u2029\ufeff") else None
    return dumper.represent_scalar(PREFIX + "str", text, style=style)


Dumper.add_representer(str, _represent_text)

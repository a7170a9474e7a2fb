"""Regular expressions of rules as the texts that they stand for, for people to read.

Only what rules use is understood: literals, groups, alternatives, classes and plain quantifiers. Of alternatives inside
a group the first is shown; what is optional is left out; `…` is any text and `<name>` a named group.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"(?P<open>\((?:\?P<(?P<name>\w+)>|\?:|\?<!|\?!)?)|(?P<close>\))|(?P<bar>\|)|(?P<quantifier>[*+?]\??|\{[\d,]+\})"
    r"|(?P<nothing>\\b|\^|\$)|(?P<any>\\[SswWdD]|\[\^?(?:[^\]\\]|\\.)+\]|\.)|\\(?P<escaped>.)|(?P<plain>.)",
    re.DOTALL,
)
ANY = "…"


def readable(pattern: str) -> list[str]:
    """Return a text for each alternative of a regular expression."""
    alternatives, _ = _read(pattern, 0)
    texts = (re.sub(r"…(?: ?…)+", ANY, text).strip() for text in alternatives)
    return list(dict.fromkeys(text for text in texts if text))


def _read(pattern: str, position: int) -> tuple[list[str], int]:
    """Return the alternatives from a position up to the end of its group, and where that is."""
    alternatives: list[list[str]] = [[]]
    while token := _TOKEN.match(pattern, position):
        position = token.end()
        items = alternatives[-1]
        if token["close"]:
            break
        if token["open"]:
            inner, position = _read(pattern, position)
            items.append(_group(token, inner))
        elif token["bar"]:
            alternatives.append([])
        elif quantifier := token["quantifier"]:
            is_class = pattern[token.start() - 1] == "]"
            if quantifier[0] == "?" or (quantifier[0] == "*" and items[-1] != ANY):
                items[-1] = ""
            elif is_class:
                items[-1] = ANY
        elif not token["nothing"]:
            items.append(_one(token["any"]) if token["any"] else token["escaped"] or token["plain"])
    return ["".join(items) for items in alternatives], position


def _one(some: str) -> str:
    """Return a character of a class, or what stands for any."""
    return some[1] if re.match(r"\[\w", some) else ANY


def _group(token: re.Match[str], inner: list[str]) -> str:
    if token["name"]:
        return f"<{token['name']}>"
    return "" if "!" in token["open"] else inner[0]

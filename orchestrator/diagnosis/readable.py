"""Regular expressions of rules as the texts that they stand for: for people to read, and to find lines fast.

Only what rules use is understood: literals, groups, alternatives, classes and plain quantifiers.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"(?P<open>\((?:\?P<(?P<name>\w+)>|\?:|\?<!|\?!)?)|(?P<close>\))|(?P<bar>\|)|(?P<quantifier>[*+?]\??|\{[\d,]+\})"
    r"|(?P<nothing>\\b|\^|\$)|(?P<any>\\[SswWdD]|\[\^?(?:[^\]\\]|\\.)+\]|\.)|\\(?P<escaped>.)|(?P<plain>.)",
    re.DOTALL,
)
GAP = "\0"
SHORTEST_ANCHOR = 3


def readable(pattern: str) -> list[str]:
    """Return a text for each alternative of a regular expression.

    Of alternatives inside a group the first is shown; what is optional is left out; `…` is any text and `<name>` a
    named group.
    """
    alternatives, _ = _read(pattern, 0, exact=False)
    texts = (re.sub(rf"{GAP}(?: ?{GAP})*", "…", text).strip() for text in alternatives)
    return list(dict.fromkeys(text for text in texts if text))


def anchors(pattern: str) -> list[str]:
    """Return, for each alternative of a regular expression, words that a line must hold to match it.

    Raises:
        ValueError: If an alternative demands no such words.
    """
    alternatives, _ = _read(pattern, 0, exact=True)
    found = [max(text.split(GAP), key=len) for text in alternatives]
    if min(map(len, found)) < SHORTEST_ANCHOR:
        raise ValueError(f"nothing to look for in {pattern}")
    return found


def _read(pattern: str, position: int, *, exact: bool) -> tuple[list[str], int]:
    """Return the alternatives from a position up to the end of its group, and where that is."""
    alternatives: list[list[str]] = [[]]
    while token := _TOKEN.match(pattern, position):
        position = token.end()
        items = alternatives[-1]
        if token["close"]:
            break
        if token["open"]:
            inner, position = _read(pattern, position, exact=exact)
            items.append(_group(token, inner, exact=exact))
        elif token["bar"]:
            alternatives.append([])
        elif token["quantifier"]:
            items[-1] = GAP if exact else _repeated(items[-1], token["quantifier"], after=pattern[token.start() - 1])
        elif not token["nothing"]:
            items.append(_one(token["any"], exact=exact) if token["any"] else token["escaped"] or token["plain"])
    return ["".join(items) for items in alternatives], position


def _group(token: re.Match[str], inner: list[str], *, exact: bool) -> str:
    if "!" in token["open"]:
        return ""
    if exact:
        return inner[0] if len(inner) == 1 else GAP
    return f"<{token['name']}>" if token["name"] else inner[0]


def _one(some: str, *, exact: bool) -> str:
    """Return a character of a class, or what stands for any."""
    return some[1] if re.match(r"\[\w", some) and not exact else GAP


def _repeated(item: str, quantifier: str, after: str) -> str:
    if quantifier[0] == "?" or (quantifier[0] == "*" and item != GAP):
        return ""
    return GAP if after == "]" else item

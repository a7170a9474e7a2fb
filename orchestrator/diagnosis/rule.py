"""What a rule is: a cause that orch knows by name, where its text shows, why it happens and what to try.

Rules are data. Texts are regular expressions without nested repetition, each matched against one line; what they name
in groups may stand in braces in title and advice, and advice that names something unknown is left out.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.text import Text

Pattern = re.Pattern[str]
Advice = str | tuple[str, ...]
"""One thing to try; or forms of it, of which the first that can be filled is used."""


class Strength(enum.IntEnum):
    """How much a text says; among several causes found, the strongest wins, then the first in the log."""

    CERTAIN = 0
    """The cause itself, whatever errors come of it."""
    CAUSE = 1
    """An error that has no other known reason."""
    SYMPTOM = 2
    """Something general, that has several reasons; named when nothing better is found."""


@dataclass(frozen=True)
class Rule:
    """One cause."""

    id: str
    """Short name, such as `kv-cache-too-small`."""
    title: str
    """The cause in one line."""
    why: str
    """Why it happens."""
    advice: tuple[Advice, ...]
    """What to try, the likeliest first, with the keys of the profile."""
    log: tuple[Pattern, ...] = ()
    """Texts in the server's log: error lines, warnings, and lines without a level."""
    quiet: tuple[Pattern, ...] = ()
    """Texts that the log has at level INFO or DEBUG."""
    source: tuple[Pattern, ...] = ()
    """A source line and the exception that it raised, with an arrow between them."""
    raised_in: tuple[str, ...] = ()
    """Parts of vLLM, by parts of paths, whose refusals (see `matching.REFUSALS`) have this reason, as a symptom."""
    engine: tuple[Pattern, ...] = ()
    """Texts of the Docker engine."""
    exit_codes: tuple[int, ...] = ()
    """Exit codes of the container that mean this when the log says nothing better."""
    served_exit_codes: tuple[int, ...] = ()
    """Exit codes that mean this once the server was ready and the log shows no death."""
    needs_accelerator: bool = False
    """Whether it means nothing where the server runs on a CPU."""
    before_vllm: bool = False
    """Whether the texts of `log` count only where nothing of vLLM was logged, or with one of `exit_codes`."""
    is_oom: bool = False
    """Whether this is what the engine's `OOMKilled` means."""
    strength: Strength = Strength.CAUSE
    versions: str = "all"
    """Versions of vLLM that have the text."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Further advice for words in the matching line."""


def texts(*patterns: str) -> tuple[Pattern, ...]:
    """Return regular expressions for the texts of a rule."""
    return tuple(re.compile(pattern) for pattern in patterns)


_PLACE = re.compile(r"\{(\w+)\}")


def fill_title(template: str, known: Mapping[str, str]) -> Text:
    """Return a title with its places filled, `…` for what is not known."""
    return _filled(template, {name: known.get(name) or "…" for name in _PLACE.findall(template)})


def fill(advice: Advice, known: Mapping[str, str]) -> Text | None:
    """Return the advice, or the first of its forms, whose places can all be filled; None if there is none."""
    for form in (advice,) if isinstance(advice, str) else advice:
        places = _PLACE.findall(form)
        if all(known.get(name) for name in places):
            return _filled(form, {name: known[name] for name in places})
    return None


def _filled(template: str, fields: Mapping[str, str]) -> Text:
    """Return a text; braces that hold no name, such as those of JSON, stay as they are."""
    parts = _PLACE.split(template)  # in turn what stands between two places, and the name of a place
    escaped = [part if index % 2 else part.replace("{", "{{").replace("}", "}}") for index, part in enumerate(parts)]
    return Text("".join(f"{{{part}}}" if index % 2 else part for index, part in enumerate(escaped)), **fields)

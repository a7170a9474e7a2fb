"""The rules held against what is known: which texts match, and which match is the cause.

A strong text wins over a weak one; among equals, one in the root cause's own message wins over one elsewhere, an error
over a warning, and an earlier line over a later one. A weak text does not hide a real error that no rule knows, and
what was logged after an error that ended its process does not beat it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.diagnosis.lines import Line
from orchestrator.diagnosis.readable import anchors
from orchestrator.diagnosis.rootcause import CONSEQUENCE, LOGGED, NATIVE_END, REAL, RootCause
from orchestrator.diagnosis.rule import Pattern, Rule, Strength
from orchestrator.diagnosis.rules import RULES
from orchestrator.diagnosis.survived import FROM_OUTSIDE
from orchestrator.diagnosis.tracebacks import Failure, Findings
from orchestrator.diagnosis.wording import WRAPPERS

Rank = tuple[int, bool, bool, int, int]
"""Strength, whether only a warning, whether outside the root cause, line, and whether without its source line."""


@dataclass(frozen=True)
class _Text:
    """One text of a rule."""

    anchor: str
    """Words that a matching line holds; looking for them is ten times as fast as the expression."""
    rule: Rule
    pattern: Pattern


def _texts(of: Callable[[Rule], Iterable[Pattern]]) -> tuple[_Text, ...]:
    return tuple(
        _Text(anchor, rule, pattern) for rule in RULES for pattern in of(rule) for anchor in anchors(pattern.pattern)
    )


_LOG = _texts(lambda rule: rule.log)
_QUIET = _texts(lambda rule: rule.quiet)
_SOURCE = _texts(lambda rule: rule.source)
_RAISED = _texts(lambda rule: rule.raised)
_ENGINE = _texts(lambda rule: rule.engine)


REFUSALS = ("ValueError", "NotImplementedError", "VLLMValidationError", "AssertionError")
"""Exceptions by which vLLM says that it does not do what is asked for."""
_PYTHON_S_OWN = re.compile(
    r"(?:too many|not enough) values to unpack|invalid literal for|could not convert|operands could not|is not in list"
    r"|could not broadcast|not in tuple|substring not found|Error:? *$|is not a valid \w+$|math domain|zero-size array"
    r"|could not determine the shape of object"
)
"""What Python and numpy say by a ValueError of their own."""
_PLUGIN_S_FOLDER = re.compile(r"/(?:vllm_(?!flash_attn)[a-z0-9]+|tpu_inference)/")
"""The folder of a package that plugs into vLLM; its parts are named as vLLM's own."""
_OF_A_STEP = frozenset(
    (
        "execute_model",
        "run_busy_loop",
        "run_engine_loop",
        "engine_step",
        "_process_engine_step",
        "process_request",
        "start_worker_execution_loop",
    )
)
"""Functions that a server runs for requests, and for a trial of itself at the start."""
_OF_A_START = re.compile(r"profile|dummy|warm_?up|determine_|capture_|load_model|init_device|_initialize_|startup")
"""Names of functions that run at the start alone."""
ALIKE = 20
"""Of lines that differ in numbers alone so many are looked at: the first of them says what the rest say."""
_NUMBERS = re.compile(r"\d+")

SHORTEST_MESSAGE = 12
LONGEST_MESSAGE = 120
"""Characters of a message that are compared with another one."""


@dataclass(frozen=True)
class Server:
    """What is known of the server whose log is judged, beside its errors."""

    exit_code: int | None
    served: bool = False
    """Whether it was ready."""
    on_cpu: bool = False
    """Whether it runs without accelerators."""
    is_vllm: bool = True
    """Whether anything of vLLM was logged."""

    def fits(self, rule: Rule) -> bool:
        """Say whether a rule's texts mean anything on this server."""
        if (rule.needs_accelerator and self.on_cpu) or (rule.of_a_start and self.served):
            return False
        return not (rule.before_vllm and self.is_vllm and self.exit_code not in rule.exit_codes)

    def has_ended_as(self, rule: Rule) -> bool:
        """Say whether the exit code alone means a rule's cause, now that the server was ready."""
        return self.served and self.exit_code in rule.served_exit_codes


@dataclass(frozen=True)
class Match:
    """A rule that fits."""

    rule: Rule
    where: RootCause | None
    """The line that shows it; None if only the exit code does."""
    groups: Mapping[str, str]
    """What the text names."""
    notes: tuple[str, ...] = ()
    """Advice for words of the line."""


def engine_match(words: str) -> Match | None:
    """Return the rule that fits what the Docker engine says."""
    return next(_matches(_ENGINE, words, RootCause(words, 0, "")), None)


def best_match(findings: Findings, root: RootCause | None, server: Server) -> Match | None:
    """Return the rule that fits best, or None."""
    fitting = (item for item in _candidates(findings, root, server) if _may_beat(root, item[1]))
    rank, best = min(fitting, key=lambda item: item[0], default=(None, None))
    if rank is not None and rank[0] < Strength.SYMPTOM:
        return best
    died = root is not None and root.is_deadly and root.tier == REAL
    crashed = root is not None and root.tier == NATIVE_END
    by_code = next((rule for rule in RULES if server.exit_code in rule.exit_codes), None)
    if by_code is not None and not died and not (crashed and server.exit_code in FROM_OUTSIDE):
        if best is not None and best.rule is by_code:
            return best
        return Match(by_code, root if crashed else None, {})
    if rank is None and (root is None or root.tier >= CONSEQUENCE):
        return next((Match(rule, None, {}) for rule in RULES if server.has_ended_as(rule)), None)
    if root is None or root.tier > LOGGED or best is None:
        return best
    return best if best.where is not None and _is_of(root, best.where) else None


def _is_of(root: RootCause, where: RootCause) -> bool:
    """Say whether a line belongs to the root's message, or to an exception of its chain that says more than that."""
    if where.number in root.lines:
        return True
    return bool(where.chain) and where.chain == root.chain and not WRAPPERS.search(where.text)


def _may_beat(root: RootCause | None, match: Match) -> bool:
    """Say whether a match can be the cause where the root is another line.

    What a process wrote after the error that it ended by, or another process beside it, comes of that error, even if it
    alone has a rule.
    """
    where = match.where
    if root is None or where is None or not root.is_deadly or root.tier != REAL:
        return True
    if where.number in root.lines or (root.chain and where.chain == root.chain):
        return True
    if where.chain:
        return _tells_the_same(where, root)
    return where.number < root.number


def _tells_the_same(where: RootCause, root: RootCause) -> bool:
    return _message_of(root.text) in where.text or _message_of(where.text) in root.text


def _message_of(text: str) -> str:
    """Return what an exception says, without its name."""
    _, colon, message = text.partition(": ")
    return (message if colon and len(message) >= SHORTEST_MESSAGE else text)[:LONGEST_MESSAGE]


def _candidates(findings: Findings, root: RootCause | None, server: Server) -> Iterator[tuple[Rank, Match]]:
    own = root.lines if root else range(0)
    raised = {failure.line.number: failure for failure in findings.failures}
    chains = {line.number: failure.chain for failure in findings.failures for line in failure.own_lines}
    seen: Counter[tuple[str, str]] = Counter()
    for line in findings.messages:
        alike = (line.level, _NUMBERS.sub("0", line.text))
        seen[alike] += 1
        if seen[alike] > ALIKE and line.number not in own:
            continue
        failure = raised.get(line.number)
        text, chain = failure.text if failure else line.text, chains.get(line.number, 0)
        where = RootCause(text, line.number, line.process, chain=chain)
        words = text if failure and failure.quotes_program else line.text
        for match in _matches(_QUIET if line.is_quiet else _LOG, words, where):
            if server.fits(match.rule):
                yield (_strength(match, line), line.level == "WARNING", line.number not in own, line.number, 1), match
    yield from _of_places(findings, own, server)


def _of_places(findings: Findings, own: range, server: Server) -> Iterator[tuple[Rank, Match]]:
    """Yield the rules for where exceptions were raised: by which file, and by which source line."""
    for failure in findings.failures:
        number = failure.line.number
        where = RootCause(failure.text, number, failure.line.process, chain=failure.chain)
        for rule in _refusals(failure):
            if server.fits(rule):
                yield (Strength.SYMPTOM, False, number not in own, number, 2), Match(rule, where, {})
        for match in _matches(_RAISED, f"{failure.file} → {failure.line.text}", where):
            if server.fits(match.rule):
                yield (Strength.SYMPTOM, False, number not in own, number, 1), match
        for match in _matches(_SOURCE, f"{failure.source} → {failure.line.text}", where):
            if server.fits(match.rule):
                yield (match.rule.strength, False, number not in own, number, 0), match


def _refusals(failure: Failure) -> Iterator[Rule]:
    """Return the rules for the part of vLLM that raised an exception, if it refuses something by it."""
    is_refusal = failure.kind.rpartition(".")[2] in REFUSALS and not _PYTHON_S_OWN.search(failure.line.text)
    if is_refusal and failure.file and not _is_of_a_request(failure):
        file = _PLUGIN_S_FOLDER.sub("/vllm/", failure.file)
        yield from (rule for rule in RULES if any(place in file for place in rule.raised_in))


def _is_of_a_request(failure: Failure) -> bool:
    """Say whether an exception came of what a request asked for, when the start was over."""
    return not failure.functions.isdisjoint(_OF_A_STEP) and not any(map(_OF_A_START.search, failure.functions))


def _strength(match: Match, line: Line) -> int:
    """Return how much a text says here: in a warning, and where its level says that all is well, it is a symptom."""
    is_weak = line.level == "WARNING" or line.is_quiet
    return max(match.rule.strength, Strength.SYMPTOM if is_weak else Strength.CERTAIN)


def _matches(texts: Iterable[_Text], words: str, where: RootCause) -> Iterator[Match]:
    for text in texts:
        if text.anchor in words and (found := text.pattern.search(words)):
            groups = {name: value for name, value in found.groupdict().items() if value}
            yield Match(text.rule, where, groups, tuple(_notes(text.rule, words)))


def _notes(rule: Rule, words: str) -> Iterator[str]:
    for word, note in rule.notes.items():
        if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", words.replace("_", "-")):
            yield note

"""The command that a server is started with: where its model goes, and what stands in the way of giving it flags.

orch appends the model and the flags to the command of a profile. `vllm serve` takes the model as its first word,
`vllm.entrypoints.openai.api_server` as `--model`, behind whatever wrappers such as numactl. A shell's script gets them
as `"$@"`; the word before them, which the shell takes for its own name, is added where the profile does not give it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
SERVER_MODULE = "vllm.entrypoints.openai.api_server"
CLI_MODULE = "vllm.entrypoints.cli.main"
DEMO_MODULE = "vllm.entrypoints.api_server"
SERVER_SCRIPT = "api_server.py"
ALL_WORDS = re.compile(r'"\$(?:@|\{@\})"')
SOME_WORDS = re.compile(r"\$(?:[@*]|\{[@*]\})")
_PASSED_ON = ("$@", "${@}")
_BEGINS_COMMAND = ("exec", "&&", "||", ";", "|", "{", "(", "then", "do")
WAY_OUT = 'end the script with: exec vllm serve "$@"'


@dataclass(frozen=True)
class _Program:
    """vLLM's server within some words."""

    end: int
    """How many words there are up to its end."""
    named: bool
    """The model is named by `--model`."""


@dataclass(frozen=True)
class _Script:
    """A shell's script within a command."""

    shell: str
    text: str
    rest: tuple[str, ...]
    """The words after it: the shell's name for itself, and what the script is given before the model."""

    def tokens(self) -> list[str]:
        """Return the script's words, quotes taken off; none where it cannot be read."""
        lexer = shlex.shlex(self.text, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            return list(lexer)
        except ValueError:
            return []


def with_model(command: Sequence[str], model: str) -> list[str]:
    """Return a server's command with the model in it; flags may follow."""
    script = _script(command)
    name = [script.shell] if script is not None and not script.rest else []
    program = _program(command) if script is None else _program(script.tokens()) or _program(script.rest)
    return [*command, *name, *(["--model"] if program is not None and program.named else []), model]


def command_problem(command: Sequence[str]) -> str | None:
    """Return why orch cannot append a model and flags to a command, with the way out; None if it can."""
    script = _script(command)
    return _problem_of_words(command) if script is None else _problem_of_script(script)


def _problem_of_script(script: _Script) -> str | None:
    if not SOME_WORDS.search(script.text):
        return f'its script does not pass on the model and the flags, which it gets as "$@"; {WAY_OUT}'
    if SOME_WORDS.search(ALL_WORDS.sub("", script.text)):
        return f'its script would split values at their blanks; write "$@", with its quotes: {WAY_OUT}'
    tokens = script.tokens()
    program = _program(tokens)
    if program is not None:
        return _held(script.rest[1:]) or _problem_behind(tokens[program.end :])
    if not script.rest[1:] and _is_run_itself(tokens):
        return f"its script runs what it is given, and that is the model; {WAY_OUT}"
    return _problem_of_words(script.rest)


def _problem_behind(tokens: Sequence[str]) -> str | None:
    """Return what is wrong with a script behind the server that it starts."""
    place = next((number for number, token in enumerate(tokens) if token in _PASSED_ON), None)
    if place is None:
        return f'its script starts a server that does not get "$@"; {WAY_OUT}'
    after = [word for word in tokens[place + 1 : place + 2] if word.startswith("-")]
    return _held([*tokens[:place], *after])


def _problem_of_words(words: Sequence[str]) -> str | None:
    if DEMO_MODULE in words:
        return f"{DEMO_MODULE} has no OpenAI API, which orch and its client speak; use {SERVER_MODULE}"
    program = _program(words)
    if program is not None:
        return _held(words[program.end :])
    if words and _base(words[-1]) == "vllm":
        return "vllm wants to be told what to do; write [vllm, serve]"
    for word in words:
        parts = word.split()
        if parts[1:] and _program(parts) is not None:
            return f"holds '{word}' as one word; write [{', '.join(parts)}]; a script is for bash -c"
    return None


def _held(words: Sequence[str]) -> str | None:
    """Return what to do about words between the server and the model that orch gives it; None if there are none."""
    if not words:
        return None
    if any(word.partition("=")[0] in ("--model", "--model-path") for word in words) or not words[0].startswith("-"):
        shown = next((word for word in words if not word.startswith("-")), words[0])
        return f"holds '{shown}' already, and orch appends server.model; leave the model out of the command"
    return f"holds '{words[0]}', of which orch would know nothing; move flags to server.flags"


def _program(words: Sequence[str]) -> _Program | None:
    """Return vLLM's server within words; None if something else is started, which gets the model as its first word."""
    for number, word in enumerate(words):
        following = list(words[number + 1 : number + 3])
        if _base(word) == "vllm" and following[:1] == ["serve"]:
            return _Program(number + 2, named=False)
        if word == "-m" and following[:1] == [SERVER_MODULE]:
            return _Program(number + 2, named=True)
        if word == f"-m{SERVER_MODULE}" or _base(word) == SERVER_SCRIPT:
            return _Program(number + 1, named=True)
        if word == "-m" and following == [CLI_MODULE, "serve"]:
            return _Program(number + 3, named=False)
    return None


def _script(command: Sequence[str]) -> _Script | None:
    """Return the script that a shell within a command is given by `-c`, as in `bash -lc '…'`; None if there is none."""
    for number, word in enumerate(command):
        if _base(word) in SHELLS:
            return _script_of(word, command[number + 1 :])
    return None


def _script_of(shell: str, words: Sequence[str]) -> _Script | None:
    given, number = False, 0
    while number < len(words) and words[number][:1] in ("-", "+"):
        option = words[number]
        given |= option.startswith("-") and not option.startswith("--") and "c" in option
        number += 2 if option[1:] in ("o", "O") else 1
    if not given or number == len(words):
        return None
    return _Script(shell, words[number], tuple(words[number + 1 :]))


def _is_run_itself(tokens: Sequence[str]) -> bool:
    """Say whether a script runs its first word as a program."""
    before = [tokens[number - 1] if number else ";" for number, token in enumerate(tokens) if token in _PASSED_ON]
    return any(token in _BEGINS_COMMAND for token in before)


def _base(word: str) -> str:
    return word.rpartition("/")[2]

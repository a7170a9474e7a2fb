"""The command that a server is started with: where its model goes, and what stands in the way of giving it flags.

orch appends the model and the flags to the command of a profile. `vllm serve` takes the model as its first word,
`vllm.entrypoints.openai.api_server` as `--model`, behind whatever wrappers such as numactl. A shell's script gets them
as `"$@"`; the word before them, which the shell takes for its own name, is added where the profile does not give it.

Whatever else a command starts either is refused or, where it may be somebody's own launcher of a server, remarked on.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.vllm.command_words import SERVER_MODULE, SHELLS, Started, What, base, started

DEMO_MODULE = "vllm.entrypoints.api_server"
ALL_WORDS = re.compile(r'"\$(?:@|\{@\})"')
SOME_WORDS = re.compile(r"\$(?:[@*]|\{[@*]\})")
_PASSED_ON = ("$@", "${@}")
_BEGINS_COMMAND = ("{", "then", "do", "else", "elif", "if", "while", "until", "!")
_CANNOT_TELL = frozenset({"(", "[[", "builtin", "case", "declare", "eval", "for", "function", "local", "select", "set"})
"""Words of a shell behind which what becomes of "$@" is not followed."""
_SEPARATOR = re.compile(r"[();|&\n]+")
_REDIRECTION = re.compile(r"[<>&|]*[<>][<>&|]*")
WAY_OUT = 'end the script with: exec vllm serve "$@"'
SERVERS = f"[vllm, serve] or [python3, -m, {SERVER_MODULE}]"


@dataclass(frozen=True)
class _Script:
    """A shell's script within a command."""

    shell: str
    text: str
    rest: tuple[str, ...]
    """The words after it: the shell's name for itself, and what the script is given before the model."""

    def tokens(self) -> list[str]:
        """Return the script's words, quotes taken off; none where it cannot be read."""
        text = self.text.replace("\\\n", " ").replace("\n", "\n\n")  # a comment takes the end of its line with it
        lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&\n")
        lexer.whitespace = " \t\r"
        lexer.whitespace_split = True
        try:
            return list(lexer)
        except ValueError:
            return []


def with_model(command: Sequence[str], model: str) -> list[str]:
    """Return a server's command with the model in it; flags may follow."""
    script = _script(command)
    name = [script.shell] if script is not None and not script.rest else []
    server = _server(command)
    return [*command, *name, *(["--model"] if server is not None and server.named else []), model]


def command_problem(command: Sequence[str]) -> str | None:
    """Return why orch cannot append a model and flags to a command, with the way out; None if it can."""
    script = _script(command)
    if script is None:
        return _problem_of_words(command)
    around = started(command)
    return _no_server(around) if around.what is What.OTHER else _problem_of_script(script)


def command_remark(command: Sequence[str]) -> str | None:
    """Return what is to be known of a command in which no server can be seen; None if one can.

    Args:
        command: One that has no problem.
    """
    if _server(command) is not None:
        return None
    script = _script(command)
    name = f"its script for {base(script.shell)}" if script is not None else f"'{started(command).name}'"
    return (
        f"{name} is not seen to start a vLLM server; it gets the model, --host, --port and the flags as its arguments, "
        "and must hand them all to one"
    )


def _server(command: Sequence[str]) -> Started | None:
    """Return the server that a command starts, be it in a script; None where none can be seen."""
    script = _script(command)
    if script is None:
        found = [started(command)]
    else:
        found = [*map(started, _simple_commands(script.tokens())), started(script.rest[1:])]
    return next((each for each in found if each.what is What.SERVER), None)


def _problem_of_script(script: _Script) -> str | None:
    if not SOME_WORDS.search(script.text):
        return f'its script does not pass on the model and the flags, which it gets as "$@"; {WAY_OUT}'
    if SOME_WORDS.search(ALL_WORDS.sub("", script.text)):
        return f'its script would split values at their blanks; write "$@", with its quotes: {WAY_OUT}'
    return _problem_of_commands(script)


def _problem_of_commands(script: _Script) -> str | None:
    """Return what is wrong with what a script does with the words that it passes on."""
    commands = _simple_commands(script.tokens())
    place = next((number for number, words in enumerate(commands) if started(words).what is What.SERVER), None)
    if place is not None:
        return _held(script.rest[1:]) or _problem_behind(commands[place])
    given = [words for words in commands if any(word in _PASSED_ON for word in words)]
    if any(_is_run_itself(words) for words in given):
        if not script.rest[1:]:
            return f"its script runs what it is given, and that is the model; {WAY_OUT}"
        return _problem_of_words(script.rest[1:])
    if started(script.rest[1:]).what is What.SERVER:  # which a launcher in the script may run
        return _problem_of_words(script.rest[1:])
    others = [started([word for word in words if word not in _PASSED_ON]) for words in given]
    told = not any(_CANNOT_TELL & set(words) for words in given)
    return _no_server(others[0]) if others and told and all(other.what is What.OTHER for other in others) else None


def _problem_behind(words: Sequence[str]) -> str | None:
    """Return what is wrong with the words of a script behind the server that they start."""
    behind = words[started(words).end :]
    place = next((number for number, word in enumerate(behind) if word in _PASSED_ON), None)
    if place is None:
        return f'its script starts a server that does not get "$@"; {WAY_OUT}'
    after = [word for word in behind[place + 1 : place + 2] if word.startswith("-")]
    return _held([*behind[:place], *after])


def _problem_of_words(words: Sequence[str]) -> str | None:
    if DEMO_MODULE in words:
        return f"{DEMO_MODULE} has no OpenAI API, which orch and its client speak; use {SERVER_MODULE}"
    found = started(words)
    if found.what is What.SERVER:
        return _held(words[found.end :])
    if words and base(words[-1]) == "vllm":
        return "vllm wants to be told what to do; write [vllm, serve]"
    for word in words:
        parts = word.split()
        if parts[1:] and started(parts).what is What.SERVER:
            return f"holds '{word}' as one word; write [{', '.join(parts)}]; a script is for bash -c"
    return None if found.what is What.LAUNCHER else _no_server(found)


def _no_server(found: Started) -> str:
    """Return what is said of a command that starts no server, with each way out."""
    if found.what is What.NOTHING:
        said = f"'{found.name}' would run the model as a program of its own" if found.name else "starts nothing"
        return f"{said}; name the server behind it: {SERVERS}"
    return (
        f"starts '{found.name}', which is no vLLM server that orch knows; write {SERVERS}, a launcher of your own by "
        "its path, such as [/opt/start.sh], or, with what must run before the server, "
        "[bash, -c, '…; exec vllm serve \"$@\"']"
    )


def _held(words: Sequence[str]) -> str | None:
    """Return what to do about words between the server and the model that orch gives it; None if there are none."""
    if not words:
        return None
    if any(word.partition("=")[0] in ("--model", "--model-path") for word in words) or not words[0].startswith("-"):
        shown = next((word for word in words if not word.startswith("-")), words[0])
        return f"holds '{shown}' already, and orch appends server.model; leave the model out of the command"
    return f"holds '{words[0]}', of which orch would know nothing; move flags to server.flags"


def _script(command: Sequence[str]) -> _Script | None:
    """Return the script that a shell within a command is given by `-c`, as in `bash -lc '…'`; None if there is none."""
    for number, word in enumerate(command):
        if base(word) in SHELLS:
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


def _simple_commands(tokens: Sequence[str]) -> list[list[str]]:
    """Return the commands of a script, each without the words that make it a part of a larger one."""
    commands: list[list[str]] = [[]]
    following = iter(tokens)
    for token in following:
        if token == "(" and commands[-1] and commands[-1][-1].endswith("="):  # noqa: S105 - the begin of an array
            commands[-1].append(token)
        elif _SEPARATOR.fullmatch(token):
            commands.append([])
        elif _REDIRECTION.fullmatch(token):
            next(following, None)
            if commands[-1][-1:] and commands[-1][-1].isdigit():
                del commands[-1][-1]
        elif commands[-1] or token not in _BEGINS_COMMAND:
            commands[-1].append(token)
    return [words for words in commands if words]


def _is_run_itself(words: Sequence[str]) -> bool:
    """Say whether a script runs its first word as a program."""
    before = words[: next(number for number, word in enumerate(words) if word in _PASSED_ON)]
    return started(before).what is What.NOTHING

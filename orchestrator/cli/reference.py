"""The reference page of commands, written from the commands themselves so that it cannot miss an option.

`python -m orchestrator.cli.reference > docs/cli.md` writes the committed copy.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator

import click

from orchestrator.cli.app import orch
from orchestrator.errors import ExitCode
from orchestrator.folders import LOCKS_DIR, PROFILES_DIR, RUNS_DIR, STATE_DIR

HEAD = """\
# Command reference

<!-- Written by `python -m orchestrator.cli.reference`; a test compares. -->

Data goes to standard output, everything else to standard error. With `--json`, standard output holds one JSON object
that begins with `schema_version` and `kind`. Every command also takes `-h` and `--help`.

A PROFILE is a name that `orch profile list` shows, or a path, which holds a slash or ends in `.yaml`
([profile reference](profile.md)). A TIME is a number of seconds or a form such as `90s`, `30m` or `1h30m`.

Completion of commands, options, profiles, deployments and runs in bash: `eval "$(_ORCH_COMPLETE=bash_source orch)"`
(`zsh_source` and `fish_source` likewise).
"""

MEANINGS = {
    ExitCode.OK: "Done.",
    ExitCode.RUN_FAILED: "The server exited or never became healthy, a measurement came to nothing, or `orch status` "
    "found a server that is not healthy.",
    ExitCode.USAGE: "The command line or the profile is at fault.",
    ExitCode.ENVIRONMENT: "The node is at fault: engine, image, port, device, file, secret, or a folder to write to.",
    ExitCode.OBJECTIVE_MISSED: "An objective was missed by the [mean of a point](metrics.md#objectives), or "
    "`orch search` found no load that meets all.",
    ExitCode.INVALID: "Everything was measured, but at least one measurement is [INVALID](metrics.md#verdicts).",
    ExitCode.TEARDOWN_INCOMPLETE: "Something may be left; the message ends with the command that removes it by hand.",
    ExitCode.BUSY: "Somebody else holds what is needed, or a deployment of that name exists.",
}
RESERVED: frozenset[ExitCode] = frozenset()
"""What no command ends in yet; a test keeps this true."""

VARIABLES = {
    RUNS_DIR: "Folder of run directories. Without it `orch/runs` in the user's data folder (`~/.local/share`).",
    STATE_DIR: "Folder of what orch knows about its deployments, and of logs that belong to no run. Without it "
    "`/var/tmp/orch-UID`. It must be on a local file system.",
    LOCKS_DIR: "Folder of the node's locks. Without it `/var/tmp/orch-locks`; all users of a node must share it.",
    PROFILES_DIR: "Folder where profiles are looked for first. Then come `./profiles`, `orch/profiles` in the user's "
    "configuration folder (`~/.config`) and the profiles that come with orch.",
    "ORCH_DEBUG": "Not empty: the same as `--debug`.",
    "DOCKER_HOST": "Docker engine to use, with `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` as docker knows them. "
    "It must be this machine's own: `unix://…`, or `tcp://` to an address of this machine. Without it "
    "`/var/run/docker.sock`.",
    "NO_COLOR": "Not empty: no colours.",
    "XDG_DATA_HOME": "Takes the place of `~/.local/share`.",
    "XDG_CACHE_HOME": "Takes the place of `~/.cache`, where `orch/parsers` keeps what images said of their flags.",
    "XDG_CONFIG_HOME": "Takes the place of `~/.config`.",
}
"""Environment variables and what they do; those that a profile names for its secrets come on top."""


def reference() -> str:
    """Return the page as Markdown."""
    parts = [HEAD, *_exit_codes(), *_variables(), "## Commands", ""]
    for context in _commands(click.Context(orch, info_name="orch")):
        parts += _command(context)
    return "\n".join(parts).rstrip("\n") + "\n"


def _exit_codes() -> list[str]:
    lines = ["## Exit codes", "", "| code | meaning |", "|---|---|"]
    for code in ExitCode:
        reserved = " Reserved: no command ends in it yet." if code in RESERVED else ""
        lines.append(f"| {code.value} | {MEANINGS[code]}{reserved} |")
    return [*lines, "| 128 + n | Signal n ended it, after the teardown: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP. |", ""]


def _variables() -> list[str]:
    rows = [f"| `{name}` | {meaning} |" for name, meaning in VARIABLES.items()]
    return ["## Environment variables", "", "| variable | what it does |", "|---|---|", *rows, ""]


def _commands(context: click.Context) -> Iterator[click.Context]:
    """Yield a context for the command and for each below it, in the order in which help lists them."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            if command is not None:
                yield from _commands(click.Context(command, info_name=name, parent=context))


def _command(context: click.Context) -> list[str]:
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"### `{context.command_path}`", "", "```", usage, "```", "", *_help(command.help or "")]
    rows = [row for row in map(_option, command.get_params(context)) if row]
    if rows:
        lines += ["| option | meaning |", "|---|---|", *rows, ""]
    return lines


def _help(text: str) -> list[str]:
    """Return help text as Markdown; what click leaves as it is becomes a code block."""
    lines: list[str] = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        kept = paragraph.removeprefix("\b\n")
        lines += ["```", kept, "```", ""] if kept != paragraph else [kept, ""]
    return lines


def _option(parameter: click.Parameter) -> str:
    if not isinstance(parameter, click.Option) or "--help" in parameter.opts or parameter.hidden:
        return ""
    metavar = "" if parameter.is_flag or parameter.count else f" {parameter.metavar or parameter.type.name.upper()}"
    names = ", ".join(f"`{name}{metavar}`" for name in (*parameter.opts, *parameter.secondary_opts))
    meaning = re.sub(r"  +", " ", parameter.help or "") + _values(parameter)
    if isinstance(parameter.envvar, str):
        meaning += f" Also: `{parameter.envvar}`."
    return f"| {_cell(names)} | {_cell(meaning)} |"


def _values(option: click.Option) -> str:
    """Return what help says of an option's values beside its text: which there are, and which it has by itself."""
    said = []
    if isinstance(option.type, click.Choice):
        said.append(" or ".join(f"`{choice}`" for choice in option.type.choices))
    if option.show_default:
        said.append(f"default `{option.default}`")
    return f" ({'; '.join(said)})" if said else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())

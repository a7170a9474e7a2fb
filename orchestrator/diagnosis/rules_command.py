"""Causes in the command of the container: programs and files that the image does not have, or may not be run."""

from __future__ import annotations

from orchestrator.diagnosis.rule import Rule, Strength, texts

RULES = (
    Rule(
        id="command-missing",
        title="the image does not have the command {command}",
        why="server.command, or a program that it calls, is not in the image or not on its PATH.",
        advice=(
            (
                "Check server.command and container.image; see: docker run --rm --entrypoint sh IMAGE -c 'command "
                "-v {command}'"
            ),
            "If the command comes from a file to be sourced, name that file in container.source.",
            "Without python3 in the image set container.supervise to false.",
        ),
        log=texts(
            r"exec: (?P<command>[\w./+-]+): (?:command )?not found$",
            (
                r"^(?:orch|/run/orch/source\.sh|bash|sh|/bin/sh|/bin/bash): line \d+: "
                r"(?!/opt/dtk|\S*(?:nvcc|hipcc|clang|gcc|\+\+|cc|ninja):)"
                r"(?P<command>[\w./+-]+): (?:command )?not found$"
            ),
            (
                r"^(?:/bin/)?sh: \d+: (?!/opt/dtk|\S*(?:nvcc|hipcc|clang|gcc|\+\+|/cc"
                r"|ninja):)(?P<command>[\w./+-]+): not found$"
            ),
            (
                r"^(?:orch|/run/orch/source\.sh|bash|sh|/bin/sh|/bin/bash): line \d+: "
                r"(?!/opt/dtk)(?P<command>/[\w./+-]+): "
                r"(?:No such file or directory|cannot execute: required file not found)$"
            ),
            r"env: [‘'\"]?(?P<command>[\w./+-]+)[’'\"]?: No such file or directory",
            r"FATAL tini \(\d+\)\] exec (?P<command>\S+) failed: No such file or directory",
        ),
        source=texts(
            (
                r"raise child_exception_type\(.*FileNotFoundError: .*: '(?!\S*(?:nvcc|hipcc|clang|clang\+\+|gcc"
                r"|g\+\+|c\+\+|/cc|ninja)'|/opt/dtk)(?P<command>[^']+)'"
            ),
        ),
        engine=texts(
            r"exec: \"(?P<command>[^\"]+)\": (?:executable file not found|stat \S+: no such file)",
            r"stat (?P<command>/\S+): no such file or directory",
        ),
        exit_codes=(127,),
        before_vllm=True,
    ),
    Rule(
        id="source-missing",
        title="a file to be sourced is not in the image",
        why="container.source names a file that the container does not have or may not read.",
        advice=("Correct container.source; see: docker run --rm --entrypoint ls IMAGE -l {file}",),
        log=texts(r"orch: cannot source (?P<file>\S+)"),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="source-ends-shell",
        title="a file to be sourced ended the shell: {file}",
        why=(
            "container.source reads its files into the shell that becomes the server's command; one of them calls "
            "exit, or uses a variable that is not set under set -u, so the server was never started."
        ),
        advice=(
            "See where, with the profile's mounts: docker run --rm --entrypoint bash IMAGE -xc '. {file}'",
            "Take exit and set -u out of the file, or name one in container.source that only sets variables.",
            "If only its variables are wanted, leave the file out and write them in container.env.",
        ),
        log=texts(r"^orch: (?P<file>\S.*) ended the shell that was to go on"),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="program-file-missing",
        title="a program of orch is not in the deployment's folder: {program}",
        why=(
            "The container's command starts programs of orch from the deployment's folder on the node, which it sees "
            "as /run/orch. Something emptied that folder, the lines before a printed docker run were left out, or the "
            "container's user may not read it."
        ),
        advice=(
            "End the deployment and start it anew: orch down   then: orch up",
            "By hand: first the lines that orch plan prints before docker run, on a machine that has orch.",
            "Does something clean up the state folder? Choose another with ORCH_STATE_DIR.",
        ),
        log=texts(
            r"can't open file '(?P<program>/run/orch/[\w.]+)'",
            r"^bash: (?P<program>/run/orch/[\w.]+): (?:No such file or directory|Permission denied)$",
        ),
        strength=Strength.CERTAIN,
    ),
    Rule(
        id="not-executable",
        title="the command cannot be executed",
        why="The file is there but is no program, is one for another machine, or lacks the permission.",
        advice=(
            "Check server.command.",
            "Check that the image is for this machine: docker image inspect --format '{{.Architecture}}' IMAGE",
        ),
        log=texts(
            r"FATAL tini \(\d+\)\] exec (?P<command>\S+) failed: (?:Permission denied|Exec format error)",
            r"cannot execute binary file|[Ee]xec format error",
            r"(?:line|sh:) \d+: (?P<command>[\w./+-]+): Permission denied$",
            r"^(?P<command>/\S+): \S*/python[\d.]*: Permission denied$|: bad interpreter: ",
            r"env: [‘'\"]?(?P<command>[\w./+-]+)[’'\"]?: Permission denied",
        ),
        source=texts(r"raise child_exception_type\(.*(?:PermissionError|OSError): .*: '(?P<command>[^']+)'"),
        engine=texts(r"exec: .*: permission denied|exec format error"),
        exit_codes=(126,),
    ),
)

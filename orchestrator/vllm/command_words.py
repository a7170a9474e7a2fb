"""What the words of a command start: vLLM's server, a launcher that may start one, or something that does not.

Wrappers such as numactl run what follows them, so that what a command starts stands behind them. Only what can be seen
in the words is told: a launcher is a file, or one word on its own, whose inside nobody here reads.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh"})
SERVER_MODULE = "vllm.entrypoints.openai.api_server"
CLI_MODULE = "vllm.entrypoints.cli.main"
SERVER_SCRIPT = "api_server.py"
CLIS = ("vllm", "vllm-rs")
"""Programs that serve when they are told to by the word `serve`, and do something else by any other word."""

WRAPPERS: Mapping[str, tuple[str, int]] = {
    "catchsegv": ("", 0),
    "chrt": ("-T -P -D", 1),
    "command": ("", 0),
    "dumb-init": ("-r --rewrite", 0),
    "env": ("-u --unset -C --chdir", 0),
    "exec": ("-a", 0),
    "gosu": ("", 1),
    "ionice": ("-c --class -n --classdata -p --pid", 0),
    "ltrace": ("-a -e -l -n -o -p -s -u -x -A -D -F", 0),
    "nice": ("-n --adjustment", 0),
    "nohup": ("", 0),
    "numactl": ("-i -w -N -c -m -C -p -P --interleave --cpunodebind --membind --physcpubind --preferred", 0),
    "setsid": ("", 0),
    "stdbuf": ("-i -o -e --input --output --error", 0),
    "strace": ("-a -b -e -o -p -s -u -E -I -O -P -S -U -X", 0),
    "su-exec": ("", 1),
    "sudo": ("-u -g -h -p -C -D -R -T -U --user --group", 0),
    "taskset": ("", 1),
    "time": ("-f -o --format --output", 0),
    "timeout": ("-s -k --signal --kill-after", 1),
    "tini": ("-p -e", 0),
    "unbuffer": ("", 0),
}
"""Programs that run what follows them: their options that take a word of their own, and how many words stand before it.

Sources: their manual pages (coreutils, util-linux, numactl, strace, ltrace, sudo, tini, dumb-init).
"""
RUNNERS: Mapping[str, str] = {
    "conda": "-n --name -p --prefix --cwd",
    "hatch": "-e --env",
    "mamba": "-n --name -p --prefix --cwd",
    "micromamba": "-n --name -p --prefix --cwd -r --root-prefix",
    "pdm": "-p --project",
    "pipenv": "",
    "pixi": "-e --environment --manifest-path",
    "poetry": "-C --directory -P --project",
    "rye": "",
    "uv": "--with --extra --group --env-file --index --index-url --directory --project --python -p --with-requirements",
}
"""Programs that run what follows their word `run`, with the options that take a word of their own."""
OPAQUE = frozenset({
    "accelerate", "compute-sanitizer", "cuda-gdb", "ddtrace-run", "flock", "gdb", "hipprof", "hyprof", "memray",
    "mpiexec", "mpirun", "msprof", "ncu", "nsys", "numawrap", "opentelemetry-instrument", "perf", "prlimit",
    "py-spy", "rlwrap", "rocgdb", "rocprof", "rocprof-compute", "rocprof-sys-run", "rocprofv2", "rocprofv3",
    "setarch", "setpriv", "srun", "torchrun", "unshare", "uvx", "valgrind", "viztracer", "xvfb-run",
})  # fmt: skip
"""Programs that run what follows them, with too many options to tell where that begins."""
OTHERS = frozenset({
    ":", "[", "amd-smi", "apt", "apt-get", "cat", "cd", "chmod", "chown", "cp", "crond", "curl", "dnf",
    "docker", "du", "echo", "evalscope", "export", "false", "find", "git", "grep", "head", "hf", "htop",
    "huggingface-cli", "hy-smi", "init", "ipython", "jupyter", "jupyter-lab", "jupyter-notebook", "kubectl",
    "less", "lm_eval", "lmdeploy", "ln", "locust", "ls", "make", "mkdir", "modelscope", "mv", "nc", "nginx",
    "node", "npm", "npu-smi", "nvidia-smi", "ollama", "pip", "pip3", "podman", "printenv", "printf", "ps",
    "pwd", "pytest", "ray", "read", "redis-server", "return", "rm", "rocm-smi", "rsync", "scp", "screen", "sed",
    "sglang", "sleep", "socat", "source", "ssh", "sshd", "supervisord", "systemctl", "systemd", "tail", "tar",
    "tee", "test", "text-generation-launcher", "tmux", "top", "touch", "tritonserver", "trtllm-serve", "true",
    "tty", "ulimit", "uname", "uvicorn", "wait", "watch", "wget", "whoami", "xinference", "yes",
})  # fmt: skip
"""Programs that are no launcher of vLLM's server, whatever they are given."""
OTHER_MODULES = frozenset({
    "IPython", "asyncio", "debugpy", "http", "json", "jupyter", "lmdeploy", "notebook", "pip", "pytest", "ray",
    "sglang", "site", "tensorrt_llm", "timeit", "uvicorn", "venv", "vllm", "zipfile",
})  # fmt: skip
"""The same of modules of Python, by their first names; those of vLLM that serve are known before."""

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*")
_PYTHON_VALUES = ("-W", "-X", "--check-hash-based-pycs")
_FILE = re.compile(r".*/.*|.*\.(?:sh|bash|py|pl|rb|bin|run|exe)", re.DOTALL)


class What(enum.Enum):
    """What words start."""

    SERVER = "server"
    LAUNCHER = "launcher"
    """It may start a server: nobody here can tell."""
    OTHER = "other"
    """It starts none."""
    NOTHING = "nothing"
    """It starts, or reads as its script, whatever is appended."""


@dataclass(frozen=True)
class Started:
    """What words start."""

    what: What
    name: str = ""
    """Of the program, as a message shows it; empty if there are no words."""
    end: int = 0
    """How many words there are up to the end of a server's own."""
    named: bool = False
    """A server is told its model by `--model`."""


def started(words: Sequence[str]) -> Started:
    """Return what words start, behind the wrappers that run it."""
    place = _behind_wrappers(words)
    if place == len(words):
        return Started(What.NOTHING, words[-1] if words else "")
    name, rest = words[place], words[place + 1 :]
    if base(name) in OTHERS:
        return Started(What.OTHER, name)
    if _is_misread(name, rest):
        return Started(What.OTHER, f"{name} {' '.join(rest[:2])}")
    return _server(words, place) or _no_server(name, rest)


def _no_server(name: str, rest: Sequence[str]) -> Started:
    if base(name) in CLIS:
        return Started(What.OTHER, " ".join([name, *rest[:1]]))
    if _is_python(name):
        return _python(name, rest)
    if base(name) in SHELLS:
        return _interpreter(name, rest)
    if base(name) in OPAQUE:
        return Started(What.LAUNCHER if rest else What.NOTHING, name)
    return Started(What.OTHER if rest and not _FILE.fullmatch(name) else What.LAUNCHER, name)


def base(word: str) -> str:
    """Return a program's name without its folders."""
    return word.rpartition("/")[2]


def _behind_wrappers(words: Sequence[str]) -> int:
    """Return how many words there are before the program that they run in the end."""
    place = 0
    while place < len(words):
        name = base(words[place])
        if _ASSIGNMENT.fullmatch(words[place]):
            place += 1
        elif name in WRAPPERS:
            options, operands = WRAPPERS[name]
            place = _behind_options(words, place + 1, options.split()) + operands
        elif name in RUNNERS and "run" in words[place + 1 :]:
            run = words.index("run", place + 1)
            place = _behind_options(words, run + 1, RUNNERS[name].split())
        else:
            break
    return min(place, len(words))


def _behind_options(words: Sequence[str], place: int, with_value: Sequence[str]) -> int:
    while place < len(words) and words[place].startswith("-"):
        option = words[place]
        if option == "--":
            return place + 1
        if option == "-m" and option not in with_value:  # a runner of Python's own modules
            return place
        place += 2 if option in with_value else 1
    return place


def _is_python(name: str) -> bool:
    return _PYTHON.fullmatch(base(name)) is not None


def _is_misread(name: str, rest: Sequence[str]) -> bool:
    """Say whether an interpreter would look for vLLM's program as a script of its own, or for a module `vllm`."""
    script = next((word for word in rest if not word.startswith(("-", "+"))), "")
    return (script in CLIS and _is_python(name)) or (base(script) in CLIS and base(name) in SHELLS)


def _server(words: Sequence[str], start: int) -> Started | None:
    """Return vLLM's server where words from a place on name it; what stands before it runs it."""
    for number in range(start, len(words)):
        word, following = words[number], list(words[number + 1 : number + 3])
        if base(word) in CLIS and following[:1] == ["serve"]:
            return Started(What.SERVER, word, number + 2)
        if word == "-m" and following[:1] == [SERVER_MODULE]:
            return Started(What.SERVER, SERVER_MODULE, number + 2, named=True)
        if word == f"-m{SERVER_MODULE}" or base(word) == SERVER_SCRIPT:
            return Started(What.SERVER, SERVER_MODULE, number + 1, named=True)
        if word == "-m" and following == [CLI_MODULE, "serve"]:
            return Started(What.SERVER, CLI_MODULE, number + 3)
    return None


def _python(name: str, words: Sequence[str]) -> Started:
    place = 0
    while place < len(words) and words[place].startswith("-") and words[place] not in ("-", "--"):
        option = words[place]
        if option == "-c":
            return Started(What.LAUNCHER if words[place + 1 :] else What.NOTHING, name)
        if option.startswith("-m"):
            module = option[2:] or " ".join(words[place + 1 : place + 2])
            if not module:
                return Started(What.NOTHING, name)
            other = module.partition(".")[0] in OTHER_MODULES
            return Started(What.OTHER if other else What.LAUNCHER, f"{name} -m {module}")
        place += 2 if option in _PYTHON_VALUES else 1
    return _interpreter(name, words[place:])


def _interpreter(name: str, words: Sequence[str]) -> Started:
    """Return what a shell or Python starts: the script that it reads, or whatever is appended."""
    script = next((word for word in words if not word.startswith(("-", "+"))), None)
    return Started(What.NOTHING, name) if script is None else Started(What.LAUNCHER, f"{name} {script}")

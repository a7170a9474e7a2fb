"""The name of a flag in every form that vLLM's own parser takes, read to one flag whatever the form.

Words may be joined by `_` or `-`, dashes may stand before the name as on a command line, a short name means the long
one, keys of a JSON value follow dots, and a final `+` adds to a list. `-O3` is a name with its value.

Sources: `vllm/utils/argparse_utils.py` (before 0.11.1 `vllm/utils/__init__.py`), and the names that the parsers of
vLLM 0.8.5 to 0.33.0 have registered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.vllm.flag_kinds import KNOWN, LOOKED_AT
from orchestrator.vllm.versions import parse_version

SHORT = {
    "ac": "attention-config",
    "asc": "api-server-count",
    "cc": "compilation-config",
    "dc": "diffusion-config",
    "dcp": "decode-context-parallel-size",
    "dp": "data-parallel-size",
    "dpa": "data-parallel-address",
    "dpb": "data-parallel-backend",
    "dpe": "data-parallel-external-lb",
    "dph": "data-parallel-hybrid-lb",
    "dpl": "data-parallel-size-local",
    "dpm": "data-parallel-multi-port-external-lb",
    "dpn": "data-parallel-rank",
    "dpp": "data-parallel-rpc-port",
    "dpr": "data-parallel-start-rank",
    "ep": "enable-expert-parallel",
    "h": "help",
    "n": "nnodes",
    "pcp": "prefill-context-parallel-size",
    "pp": "pipeline-parallel-size",
    "q": "quantization",
    "r": "node-rank",
    "sc": "speculative-config",
    "tp": "tensor-parallel-size",
}
"""Names that have one dash in vLLM, and the long name of each."""
SHORT_SINCE = {
    **dict.fromkeys(("dpa", "dpb", "dpl", "dpn", "dpp"), "0.9.2"),
    **dict.fromkeys(("asc", "dcp", "dpe", "dph", "dpr", "n", "r"), "0.11.2"),
    **dict.fromkeys(("ac", "cc", "ep", "pcp"), "0.14.1"),
    **dict.fromkeys(("dc", "dpm", "sc"), "0.32.0"),
}
"""First version with a short name, among those of `LOOKED_AT`; the others have it all."""
OF_JSON = frozenset({"ac", "cc", "dc", "sc"})
"""Short names of flags that take JSON: their long names do, too, and are known to all versions that have the flag."""
LEVEL = "O"
"""`-O` takes a level; until 0.11 it also is a short name of the compilation config."""
LEVEL_OPTION = "optimization-level"
COMPILATION = "compilation-config"
LEVEL_ALONE = (0, 12, 0)
"""First version whose `-O` takes a level and no compilation config."""
ALIASES = {"device-memory-utilization": "gpu-memory-utilization"}
"""Second long names of a flag."""
NEGATION = "no-"

_LEVEL_WITH_VALUE = re.compile(r"O(\d)")


@dataclass(frozen=True)
class FlagName:
    """A flag's name, taken apart."""

    flag: str
    """Its long name, words joined by dashes: the same for all forms of one flag."""
    option: str
    """The option on the command line, dashes included, as the profile spells it."""
    keys: tuple[str, ...] = ()
    """Keys of its JSON value."""
    adds: bool = False
    """The value is added to the list at the keys."""
    level: int | None = None
    """The value that the name itself holds, of `-O3`."""
    negates: bool = False
    """It is the `--no-…` of the flag."""


def read_name(text: str) -> FlagName:
    """Return what a flag's name in a profile means; no text is refused."""
    bare = text.lstrip("-")
    adds = bare.endswith("+")
    spelled, *keys = bare.removesuffix("+").split(".")
    match = None if keys else _LEVEL_WITH_VALUE.fullmatch(spelled)
    if match is not None:
        return FlagName(LEVEL_OPTION, f"-{spelled}", level=int(match[1]))
    if spelled == LEVEL:
        return FlagName(COMPILATION if keys else LEVEL_OPTION, f"-{LEVEL}", tuple(keys), adds)
    plain = spelled.replace("_", "-")
    positive = plain.removeprefix(NEGATION)
    if plain not in KNOWN and positive != plain and positive in KNOWN:
        return FlagName(positive, f"--{spelled}", tuple(keys), adds, negates=True)
    flag = SHORT.get(plain, ALIASES.get(plain, plain))
    if plain in OF_JSON:
        return FlagName(flag, f"--{flag}", tuple(keys), adds)
    short = plain in SHORT or len(plain) == 1
    return FlagName(flag, f"-{plain}" if short else f"--{spelled}", tuple(keys), adds)


def short_name(text: str) -> str | None:
    """Return the short name that a flag's name in a profile is, with its dash; None if it is none."""
    bare = text.lstrip("-").partition(".")[0]
    return f"-{bare}" if bare in SHORT or bare == LEVEL or _LEVEL_WITH_VALUE.fullmatch(bare) else None


def short_since(option: str, version: str | None) -> str | None:
    """Return the version that is known to have a short name, for a version that is known not to; else None."""
    at, since = parse_version(version or ""), SHORT_SINCE.get(option.lstrip("-"))
    if at is None or since is None:
        return None
    before = parse_version(LOOKED_AT[LOOKED_AT.index(since) - 1])
    return since if before is not None and at <= before else None


def takes_level_alone(version: str | None) -> bool:
    """Say whether `-O` of a version takes nothing but a level; an unknown version is taken for the newest."""
    at = parse_version(version or "")
    return at is None or at >= LEVEL_ALONE

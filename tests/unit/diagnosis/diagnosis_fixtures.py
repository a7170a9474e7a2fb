"""Reads the fixtures: texts of real failures, each with a head that says where it is from and what is expected.

Head lines begin with `# `: source (free text), exit_code, oom_killed, timed_out, engine (the text is the Docker
engine's answer), root (how the root-cause line begins), process.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.diagnosis import Evidence

FOLDER = Path(__file__).parents[2] / "fixtures" / "diagnosis"


@dataclass(frozen=True)
class Fixture:
    name: str
    cause: str
    evidence: Evidence
    head: dict[str, str]


def read_fixture(path: Path) -> Fixture:
    head: dict[str, str] = {}
    lines = path.read_bytes().decode().split("\n")
    while lines and lines[0].startswith("# "):
        key, _, value = lines.pop(0)[2:].partition(": ")
        head[key] = value
    text = "\n".join(lines)
    is_engine = head.get("engine") == "true"
    evidence = Evidence(
        exit_code=int(head["exit_code"]) if "exit_code" in head else None,
        oom_killed=head.get("oom_killed") == "true",
        timed_out=head.get("timed_out") == "true",
        engine_error=text if is_engine else "",
        log=b"" if is_engine else text.encode(),
    )
    return Fixture(path.stem, path.stem.partition("__")[0], evidence, head)


FIXTURES = [read_fixture(path) for path in sorted(FOLDER.glob("*.log"))]

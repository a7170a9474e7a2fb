"""Makes the golden runs, and what orch is expected to say of them; never runs by itself.

    python tests/golden/make.py --runs              all runs anew, on the stub image (needs an engine, some minutes)
    python tests/golden/make.py --expected          the expected outputs, after a look at what changes
    python tests/golden/make.py --schemas           docs/schemas

The runs are made by the real code, those of earlier versions by the code of the commit that `OLD` names, in a worktree
of its own. Then they are scrubbed, by `scrub` below: run ids are `20261101-0800NN-…-00NN`, folders begin with /golden,
node, container and image have made-up names, and nothing else is changed. A run is made anew only when its format
changes on purpose: what these files hold is what lies on people's disks.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from engine.kit import containers  # noqa: E402 - of the folder above
from engine.kit.command import Orch  # noqa: E402 - of the folder above

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS, SAID = HERE / "runs", HERE / "said"
PREFIX = "golden"
PORT = 28471
OLD = {
    "first": "1cb41f5",  # the first version whose runs have a format
    "studies": "f8e2c87",  # studies and datasets; numbers of a profile are without bounds
    "clients": "f2490cb",  # before bench.ignore_eos and bench.backend took flags over from client_flags
    "one": "610b775",  # the last version that wrote format 1
}
NODE: dict[str, Any] = {
    "hostname": "node", "kernel": "6.1.0", "cpu_model": "a processor", "cpus": 8, "numa_nodes": 1,
    "memory_bytes": 1 << 36, "engine_version": "20.10.24", "accelerators": [],
}  # fmt: skip
SMALL: dict[str, Any] = {"lengths": [[8, 2], [8, 3], [8, 4]], "num_prompts": 2, "warmup": 0, "repetitions": 2}
"""Six measurements that take no time."""
SLOW = {"env": {"STUB_TPOT_MS": "150"}}


@dataclass(frozen=True)
class Here:
    """Where runs are made, and by which code."""

    orch: Orch
    folder: Path
    label: str
    """Names the profile."""

    def profile(self, label: str, objectives: tuple[str, ...] = (), **sections: dict[str, Any]) -> str:
        """Write a profile on the stub, at a port that does not change."""
        name = self.orch.profile(label, **{**sections, "server": {"port": PORT, **sections.get("server", {})}})
        with (self.orch.profiles / f"{name}.yaml").open("a", encoding="utf-8") as file:
            file.write(f"objectives: {json.dumps(objectives)}\n")
        return name

    def cut(self, name: str, done: int, *command: str) -> Path:
        """Run a command, kill it after some measurements, and return the run, settled."""
        started = self.orch.start(*command)
        while not (folders := list(self.orch.runs.glob(f"*-{name}-????"))) or len(measured(folders[0])) < done:
            assert started.process.poll() is None, started.err
            time.sleep(0.02)
        started.kill()
        assert containers.left_after(name, 60.0) == []
        self.orch.ok("results", "list")
        return folders[0]


def measured(folder: Path) -> list[Path]:
    """Return the records of a run that are done."""
    found = folder.glob("points/*/r*/record.json")
    return [path for path in found if is_done(json.loads(path.read_bytes()))]


def is_done(record: dict[str, Any]) -> bool:
    """Say whether a record, of whichever format, is that of a measurement that is done."""
    if record["format"] == 1:
        return bool(record["state"] == "done")
    return record["outcome"] is not None and record["outcome"]["came"] == "measured"


def sweep(here: Here) -> None:
    """Make a VALID and two SUSPECT measurements and an INVALID one, a percentile of its own and an objective."""
    env = {"STUB_TPOT_MS": "60", "STUB_FAIL_EVERY": "30"}
    bench = {
        "lengths": [[8, 24], [8, 2]], "num_prompts": 8, "concurrency": 4, "repetitions": 2, "warmup": 0,
        "percentiles": [99.9],
    }  # fmt: skip
    here.orch("run", here.profile(here.label, server={"env": env}, bench=bench, objectives=("p99_ttft_ms<5000",)))


def warmed(here: Here) -> None:
    """Measure at request rates, after a warm-up, until the mean is known; one objective is missed."""
    bench = {
        "lengths": [[16, 8]], "num_prompts": 6, "request_rate": [20, "inf"], "burstiness": 2.0, "warmup": 2,
        "repetitions": {"auto": {"at_least": 2, "at_most": 3, "width": 0.9}},
    }  # fmt: skip
    here.orch("run", here.profile(here.label, bench=bench, objectives=("mean_ttft_ms<0.001",)))


def study(here: Here) -> None:
    """Measure two variants."""
    vary = {"axes": {"server.flags.max-num-seqs": [2, 4]}}
    here.orch.ok("run", here.profile(here.label, vary=vary, bench={"repetitions": 2}))


def search(here: Here) -> None:
    """Search for a capacity."""
    env = {"STUB_CAPACITY": "2", "STUB_TPOT_MS": "40"}
    bench = {"lengths": [[8, 4]], "prompts_per_concurrency": 4, "num_prompts": None, "warmup": 0}
    name = here.profile(here.label, server={"env": env}, bench=bench)
    said(here, "search", "search", name, "--slo", "p90_tpot_ms<55", "--to", "4", "--repetitions", "1", "--json")


def search_study(here: Here) -> None:
    """Search on two variants, of which one fails."""
    vary = {"axes": {"server.env.STUB_EXIT_PHASE": [None, "memory"]}}
    bench = {"lengths": [[8, 4]], "prompts_per_concurrency": 4, "num_prompts": None, "warmup": 0}
    name = here.profile(here.label, vary=vary, bench=bench)
    said(here, "search-study", "search", name, "--slo", "p90_tpot_ms<500", "--to", "2", "--repetitions", "1", "--json")


def resumed(here: Here) -> None:
    """Kill a run and go on with it."""
    name = here.profile(here.label, server=SLOW, bench=SMALL)
    folder = here.cut(name, 2, "run", name)
    here.orch.ok("bench", "--resume", folder.name)


def killed(here: Here) -> None:
    """Kill a run."""
    name = here.profile(here.label, server=SLOW, bench=SMALL)
    here.cut(name, 3, "run", name)


def failed(here: Here) -> None:
    """Start a server that dies with a cause."""
    here.orch("run", here.profile(here.label, server={"env": {"STUB_EXIT_PHASE": "memory"}}))


def broken(here: Here) -> None:
    """Start a server that dies with a cause that orch knows by name, in a container with weakened isolation."""
    words = "ERROR 11-01 08:00:00 [core.py:1] ValueError: No available memory for the cache blocks."
    env = {"STUB_EXIT_PHASE": "memory", "STUB_LOG_TEXT": words}
    weak = {"cap_add": ["SYS_PTRACE"], "ipc": "host"}
    here.orch("run", here.profile(here.label, container=weak, server={"env": env}))


def stopped(here: Here) -> None:
    """Interrupt a run by a signal in a measurement."""
    name = here.profile(here.label, server=SLOW, bench=SMALL)
    started = here.orch.start("run", name)
    while not (folders := list(here.orch.runs.glob(f"*-{name}-????"))) or len(measured(folders[0])) < 1:
        assert started.process.poll() is None, started.err
        time.sleep(0.02)
    started.process.terminate()
    started.process.wait()


def deployed(here: Here) -> None:
    """Keep what is said of a deployment; its run is another one by this name."""
    name = here.profile(here.label, bench={"client_flags": {"disable-tqdm": True}})
    said(here, "deployment", "up", name, "--json")
    said(here, "ps", "ps", "--json")
    said(here, "status", "status", "--json", name)
    said(here, "run", "bench", "--name", name, "--json")
    said(here, "down", "down", name, "--json")
    here.orch.ok("up", name, "--ttl", "1s")
    time.sleep(5)
    said(here, "gc", "gc", "--json")


def first_with_flags(here: Here) -> None:
    """Measure with flags and a deadline that are refused by now."""
    bench = {**SMALL, "repetitions": 1, "deadline": "400d", "client_flags": {"ignore-eos": True}}
    here.orch.ok("run", here.profile("first", bench=bench, objectives=("mean_ttft_ms<5000",)))


def studies_killed(here: Here) -> None:
    """Kill a run whose numbers are out of bounds by now."""
    name = here.profile("unbounded", server=SLOW, bench={**SMALL, "deadline": "400d", "stall": "400d"})
    here.cut(name, 3, "run", name)


def clients_killed(here: Here) -> None:
    """Kill a run with a flag that is refused by now."""
    name = here.profile("refused", server=SLOW, bench={**SMALL, "client_flags": {"ignore-eos": True}})
    here.cut(name, 3, "run", name)


def clients_study(here: Here) -> None:
    """Measure two variants with a flag that is refused by now, of which one fails."""
    vary = {"axes": {"server.env.STUB_EXIT_PHASE": [None, "memory"]}}
    bench = {"repetitions": 2, "client_flags": {"endpoint": "/v1/completions"}}
    here.orch("run", here.profile("old-study", vary=vary, bench=bench))


CASES: dict[str, tuple[str | None, Callable[[Here], None]]] = {
    "first": ("first", first_with_flags),
    "unbounded": ("studies", studies_killed),
    "refused": ("clients", clients_killed),
    "old-study": ("clients", clients_study),
    "sweep": ("one", sweep),
    "warmed": ("one", warmed),
    "study": ("one", study),
    "search": ("one", search),
    "searches": ("one", search_study),
    "resumed": ("one", resumed),
    "killed": ("one", killed),
    "failed": ("one", failed),
    "deployed": ("one", deployed),
    "two-sweep": (None, sweep),
    "two-warmed": (None, warmed),
    "two-study": (None, study),
    "two-search": (None, search),
    "two-searches": (None, search_study),
    "two-resumed": (None, resumed),
    "two-killed": (None, killed),
    "two-failed": (None, failed),
    "two-broken": (None, broken),
    "two-stopped": (None, stopped),
    "two-deployed": (None, deployed),
}
"""By the name of its profile: the code that makes a run, and what is done."""


def said(here: Here, kind: str, *command: str) -> None:
    """Run a command and keep what it says as JSON."""
    done = here.orch(*command)
    json.loads(done.stdout)
    (here.folder / f"{kind}.json").write_text(done.stdout, encoding="utf-8")


def make(number: int, label: str) -> None:
    """Make the runs of one case and put them, scrubbed, beside this file."""
    revision, act = CASES[label]
    name = f"{PREFIX}-{label}"
    with tempfile.TemporaryDirectory(prefix="golden-") as temporary:
        folder = Path(temporary)
        (folder / "said").mkdir()
        orch = Orch(folder, PREFIX)
        if revision is not None:
            code = folder / "code"
            subprocess.run(["git", "worktree", "add", "--quiet", "--detach", code, OLD[revision]], cwd=HERE, check=True)
            command = (sys.executable, "-P", "-m", "orchestrator")
            orch = replace(orch, command=command, variables={"PYTHONPATH": str(code)})
        try:
            act(Here(orch, folder / "said", label))
        finally:
            if revision is not None:
                subprocess.run(["git", "worktree", "remove", "--force", folder / "code"], cwd=HERE, check=True)
        found = sorted(orch.runs.iterdir())
        secret = re.search(r"-([0-9a-f]{4})(-\d\d)?$", found[0].name)
        assert secret
        real = found[0].name[: secret.end(1)]
        words = {real: f"20261101-0800{number:02}-{name}-{number:04}", temporary: "/golden"}
        for old in RUNS.glob(f"*-{name}-????*"):
            shutil.rmtree(old)
        for run in found:
            scrub(run, RUNS / run.name.replace(real, words[real]), words)
        for path in (folder / "said").iterdir() if revision is None else ():
            document = json.loads(scrubbed(path.read_text(encoding="utf-8"), words))
            if "manifest" in document:
                document["manifest"]["node"].update(NODE)
            for key in {"deployments", "removed"} & set(document):  # others may have some on the engine
                document[key] = [item for item in document[key] if item["name"].startswith(PREFIX)]
            write(SAID / path.name, json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def scrub(run: Path, to: Path, words: dict[str, str]) -> None:
    """Copy a run without what tells of the machine that it was made on."""
    manifest = json.loads((run / "manifest.json").read_bytes())
    facts = [*filter(None, [manifest.get("deployment")]), *manifest.get("members", []), *manifest.get("earlier", [])]
    words = {**words, **{item["launch"]: f"{index:08x}" for index, item in enumerate(facts, start=10)}}
    words |= {item["image_id"]: "sha256:" + "1" * 64 for item in facts}
    for path in sorted(run.rglob("*")):
        if path.is_file() and path.name != ".lock":
            text = scrubbed(path.read_text(encoding="utf-8"), words)
            if path.name == "manifest.json":
                data = json.loads(text)
                data["node"].update({key: value for key, value in NODE.items() if key in data["node"]})
                text = json.dumps(data, ensure_ascii=False, indent=2) + "\n"
            write(to / path.relative_to(run), text)


def scrubbed(text: str, words: dict[str, str]) -> str:
    """Return a text with words of this machine replaced, longest first, and container ids made up."""
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, words[word])
    text = re.sub(r"\bsha256:[0-9a-f]{64}\b", "sha256:" + "1" * 64, text)
    text = re.sub(r"(?<!:)\b[0-9a-f]{64}\b", "c" * 64, text)
    return re.sub(r'("container": ")[0-9a-f]{12}"', rf'\1{"c" * 12}"', text)


def write(path: Path, text: str) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def main() -> None:
    """Make what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="*", metavar="CASE", choices=(*CASES, []), help="make runs anew: all, or these")
    parser.add_argument("--expected", action="store_true", help="write the expected outputs")
    parser.add_argument("--schemas", action="store_true", help="write docs/schemas")
    asked = parser.parse_args()
    if asked.runs is None and not asked.expected and not asked.schemas:
        parser.print_help()
    for number, label in enumerate(CASES, start=1):
        if asked.runs is not None and (not asked.runs or label in asked.runs):
            sys.stderr.write(f"{label}\n")
            make(number, label)
    if asked.expected:
        from golden.outputs import write_expected  # noqa: PLC0415 - needs no engine

        write_expected()
    if asked.schemas:
        from golden.schemas import write_schemas  # noqa: PLC0415 - needs no engine

        write_schemas()


if __name__ == "__main__":
    main()

"""S2: what a profile says arrives in the server's process byte for byte; no shell reads it on the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from engine.kit import containers
from engine.kit.files import record_in

if TYPE_CHECKING:
    from pathlib import Path

    from engine.kit.command import Orch

pytestmark = pytest.mark.engine

DUMP = r"""
import json, os, sys
seen = {
    "argv": [os.fsencode(word).hex() for word in sys.argv[1:]],
    "environ": {name.decode(): value.hex() for name, value in os.environb.items()},
}
with open("/dump/seen.json", "w") as file:
    json.dump(seen, file)
"""
"""A server that writes down what it was given, and ends."""

HOSTILE = {
    "single quotes": "it's 'quoted'",
    "double quotes": 'say "hello" \\"twice\\"',
    "lines": "one\ntwo\r\nthree\n",
    "command": "$(touch /dump/pwned) `touch /dump/pwned` ${HOME} $HOME $$",
    "separators": "a; touch /dump/pwned && true || false | cat > /dump/pwned & #",
    "globs": "* ? [a-z] ~ {a,b} !!",
    "backslashes": "\\n \\\\ \\t C:\\x\\",
    "spaces": "  two  in front,\ttab, one behind ",
    "unicode": "目录 naïve 🚀 \u202e\u2028\ufeff e\u0301",
    "control": "\x01\x07\x1b[31m\x7f",
    "json": '{"a": [1, "b\'c"], "d": null}',
    "format": "%s %n {0} {{}} %(x)s",
    "equals": "=a=b=",
    "long": "x y'\"$" * 2048,
    "dash": "-rf",
    "dashes": "--",
    "flag": "--port=1",
}


@pytest.fixture
def dump(orch: Orch) -> Path:
    folder = orch.folder / "dump"
    folder.mkdir()
    return folder


def seen_by_server(orch: Orch, dump: Path, **sections: dict[str, Any]) -> dict[str, Any]:
    """Return what the server's process was given."""
    container = {"mounts": [f"{dump}:/dump"], **sections.pop("container", {})}
    server = {"command": ["python3", "-c", DUMP], **sections.pop("server", {})}
    done = orch("up", orch.profile("dump", container=container, server=server, **sections))
    assert done.returncode == 1, done.stderr  # it ended, as it should
    assert [path.name for path in dump.iterdir()] == ["seen.json"], done.stderr
    seen = json.loads((dump / "seen.json").read_bytes())
    return {
        "argv": [bytes.fromhex(word).decode() for word in seen["argv"]],
        "environ": {name: bytes.fromhex(value).decode() for name, value in seen["environ"].items()},
    }


def test_flags_arrive_exactly(orch: Orch, dump: Path) -> None:
    flags = {f"f{number}": text for number, text in enumerate(HOSTILE.values())}
    more = {"empty": "", "listed": ["a b", "$(x)", "*"], "nested": {"k": HOSTILE["command"]}, "yes": True, "no": False}
    seen = seen_by_server(orch, dump, server={"model": "/models/it's $(a) model", "flags": {**flags, **more}})
    (
        model,
        *_,
    ) = seen["argv"]
    assert model == "/models/it's $(a) model"
    assert seen["argv"][1:4:2] == ["--host", "--port"]
    expected = [
        word
        for name, text in flags.items()
        for word in ([f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text])
    ]
    tail = ["--empty", "", "--listed", "a b", "$(x)", "*"]
    nested = ["--nested", json.dumps({"k": HOSTILE["command"]}, ensure_ascii=False, separators=(",", ":"))]
    assert seen["argv"][5:] == [*expected, *tail, *nested, "--yes", "--no-no"]


def test_variables_arrive_exactly(orch: Orch, dump: Path) -> None:
    everywhere = {f"C_{number}": text for number, text in enumerate(HOSTILE.values())}
    server_alone = {f"S_{number}": text for number, text in enumerate(HOSTILE.values())}
    seen = seen_by_server(
        orch,
        dump,
        container={"env": {**everywhere, "EMPTY": "", "BOTH": "container's"}},
        server={"env": {**server_alone, "BOTH": "server's", "NUMBER": 16}},
    )["environ"]
    for name, text in {**everywhere, **server_alone, "EMPTY": "", "BOTH": "server's", "NUMBER": "16"}.items():
        assert seen[name] == text


def test_sourced_files_are_found_whatever_they_are_called_and_come_before_the_servers_variables(
    orch: Orch, dump: Path
) -> None:
    scripts = orch.folder / "scripts"
    scripts.mkdir()
    names = ['it\'s $(touch pwned); "env".sh', "目录 two\nlines.sh", "-e"]
    for number, name in enumerate(names):
        (scripts / name).write_text(f"export FROM_{number}='set' SHARED='file {number}' OWN='file'\n", encoding="utf-8")
    seen = seen_by_server(
        orch,
        dump,
        container={
            "mounts": [f"{dump}:/dump", f"{scripts}:/scripts:ro"],
            "source": [f"/scripts/{name}" for name in names],
            "env": {"SHARED": "container"},
        },
        server={"env": {"OWN": "server", "HOSTILE": HOSTILE["command"]}, "flags": {"xx": HOSTILE["separators"]}},
    )
    environ = seen["environ"]
    assert [environ[f"FROM_{number}"] for number in range(len(names))] == ["set"] * len(names)
    assert (environ["SHARED"], environ["OWN"]) == ("file 2", "server")
    assert environ["HOSTILE"] == HOSTILE["command"]
    assert seen["argv"][-2:] == ["--xx", HOSTILE["separators"]]


def test_a_sourced_file_that_is_missing_ends_the_start_with_its_name(orch: Orch) -> None:
    done = orch("up", orch.profile("no-source", container={"source": ["/opt/dtk/env.sh"]}))
    assert done.returncode == 1
    assert "cannot source /opt/dtk/env.sh" in done.stderr


def test_without_the_supervisor_it_is_the_same(orch: Orch, dump: Path) -> None:
    seen = seen_by_server(
        orch,
        dump,
        container={"supervise": False},
        server={"env": {"HOSTILE": HOSTILE["command"]}, "flags": {"xx": HOSTILE["unicode"]}},
    )
    assert seen["environ"]["HOSTILE"] == HOSTILE["command"]
    assert seen["argv"][-2:] == ["--xx", HOSTILE["unicode"]]


def test_mounts_are_found_whatever_they_are_called(orch: Orch, dump: Path) -> None:
    source = orch.folder / HOSTILE["single quotes"] / "a, b=c 目录"
    source.mkdir(parents=True)
    (source / "here").touch()
    target = "/in, side/it's $(x)"
    lister = (
        "import json, os; names = [os.fsencode(name).hex() for name in os.listdir(os.environ['AT'])]; "
        "json.dump({'argv': names, 'environ': {}}, open('/dump/seen.json', 'w'))"
    )
    mounts = [f"{dump}:/dump", {"source": str(source), "target": target, "read_only": True}]
    seen = seen_by_server(
        orch,
        dump,
        container={"mounts": mounts, "env": {"AT": target}},
        server={"command": ["python3", "-c", lister]},
    )
    assert seen["argv"] == ["here"]


def test_client_flags_arrive_exactly(orch: Orch) -> None:
    text = HOSTILE["command"] + HOSTILE["separators"]
    bench = {"lengths": [[8, 2]], "num_prompts": 1, "concurrency": None, "client_flags": {"label": text}}
    name = orch.profile("client", bench=bench)
    told = orch.json("run", name)
    assert told["manifest"]["state"] == "done"
    point, repetition = told["manifest"]["measurements"][0]
    folder = orch.run_directory() / "points" / point / f"r{repetition}"
    argv = record_in(folder)["argv"]
    assert argv[-2:] == ["--label", text]
    assert f"label={text!r}" in (folder / "client.log").read_text(encoding="utf-8")
    assert containers.listed(name) == []

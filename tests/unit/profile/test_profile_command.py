"""`orch profile`: data on standard output, everything else on standard error, exit code 2 for faults alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fake_engine import FakeEngine
from profile_folder import GOOD, SHIPPED

from orchestrator.cli.commands.files import profile as command
from orchestrator.errors import ProfileError, UsageError
from orchestrator.profile.docs.jsonschema import schema_text
from orchestrator.profile.reading.load import load_profile
from orchestrator.vllm.parser import ImageParsers

RECORDED = Path(__file__).parents[2] / "fixtures" / "vllm"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORCH_PROFILES_DIR", str(tmp_path))
    monkeypatch.chdir("/")
    return tmp_path


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    result.exit_code = result.return_value or result.exit_code  # as the whole command line ends with it
    return result


def test_list_shows_profiles_with_what_is_wrong_with_them(folder: Path) -> None:
    (folder / "mine.yaml").write_text("description: Mine [bold]\n" + GOOD)
    (folder / "broken.yaml").write_text("a: [\n")
    (folder / "cpu-tiny.yaml").write_text(GOOD)
    result = run("list")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["PROFILE", "DESCRIPTION", "FILE"]
    assert ["mine", "Mine", "[bold]", f"{folder}/mine.yaml"] in lines
    assert any(line[:4] == ["broken", "cannot", "be", "read:"] for line in lines)
    assert any(line[:6] == ["cpu-tiny", "(hidden", "by", "the", "one", "above)"] for line in lines)


def test_list_as_json_has_every_field(folder: Path) -> None:
    (folder / "mine.yaml").write_text("description: Mine\n" + GOOD)
    document = json.loads(run("list", "--json").stdout)
    assert document["kind"] == "profiles"
    assert document["profiles"][0] == {
        "name": "mine",
        "description": "Mine",
        "path": f"{folder}/mine.yaml",
        "shadowed": False,
        "problem": None,
    }


def test_list_says_where_it_looked_when_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.cli.profile.listing.list_profiles", lambda _: [])
    result = run("list")
    assert result.stdout == ""
    assert result.stderr.startswith("no profiles in ")


def test_show_gives_the_file_as_written_and_its_path_aside(folder: Path) -> None:
    text = f"# comment\n{GOOD}"
    (folder / "p.yaml").write_text(text)
    result = run("show", "p")
    assert result.stdout == text
    assert result.stderr == f"# {folder}/p.yaml\n"
    assert json.loads(run("show", "p", "--json").stdout) == {
        "schema_version": 2,
        "kind": "profile",
        "path": f"{folder}/p.yaml",
        "text": text,
    }


def test_show_resolved_loads_back_to_the_same_as_yaml_and_as_json(folder: Path) -> None:
    expected = load_profile("ds-671b-awq", [SHIPPED], ["server.port=9"])
    for name, text in (
        ("a.yaml", run("show", "ds-671b-awq", "--resolved", "--set", "server.port=9").stdout),
        ("b.yaml", json.dumps(json.loads(run("show", "ds-671b-awq", "--resolved", "--set", "server.port=9", "--json").stdout)["profile"])),
    ):  # fmt: skip
        (folder / name).write_text(text)
        assert load_profile(str(folder / name), []) == expected


def test_show_set_without_resolved_is_a_usage_error(folder: Path) -> None:
    (folder / "p.yaml").write_text(GOOD)
    error = run("show", "p", "--set", "server.port=9").exception
    assert isinstance(error, UsageError)
    assert error.hint == "add --resolved"


def test_show_of_an_unknown_profile_is_an_error(folder: Path) -> None:
    error = run("show", f"{folder.name}-nope").exception
    assert isinstance(error, ProfileError)


def test_lint_exits_0_with_remarks_alone(folder: Path) -> None:
    (folder / "p.yaml").write_text("container: {image: i}\nserver: {model: m}\n")
    (folder / "q.yaml").write_text(GOOD)
    result = run("lint", "p", "q")
    assert result.exit_code == 0
    assert result.stdout == (
        "p: container.image — without a tag it means latest, which moves; "
        "name a version or a digest, so that a run can be repeated\n"
    )
    assert result.stderr == "q: nothing to remark\n"


def test_lint_exits_2_with_the_faults_of_every_profile(folder: Path) -> None:
    (folder / "p.yaml").write_text("container: {image: 5}\nserver: {model: m}\n")
    (folder / "q.yaml").write_text(GOOD)
    result = run("lint", "p", "q", "--set", "server.prot=1")
    assert result.exit_code == 2
    assert result.stdout == (
        f"{folder}/p.yaml:1:20 container.image — must be text; put it in quotes\n"
        "--set server.prot:1:8 server.prot — unknown key; did you mean 'port'?\n"
        "--set server.prot:1:8 server.prot — unknown key; did you mean 'port'?\n"
    )


def test_lint_as_json_has_faults_and_remarks_apart(folder: Path) -> None:
    (folder / "p.yaml").write_text("container: {image: 5}\nserver: {model: m}\n")
    (folder / "q.yaml").write_text("container: {image: i}\nserver: {model: m}\n")
    result = run("lint", "p", "q", "--json")
    assert result.exit_code == 2
    first, second = json.loads(result.stdout)["profiles"]
    assert first == {
        "profile": "p",
        "path": f"{folder}/p.yaml",
        "faults": [
            {
                "file": f"{folder}/p.yaml",
                "line": 1,
                "column": 20,
                "key": "container.image",
                "problem": "must be text; put it in quotes",
            }
        ],
        "remarks": [],
        "vllm_version": None,
        "not_asked": None,
    }
    assert second["faults"] == []
    assert [remark["key"] for remark in second["remarks"]] == ["container.image"]


def lint_with_image(monkeypatch: pytest.MonkeyPatch, text: str, folder: Path) -> list[str]:
    """Return what `lint --image` says of a profile whose images would answer as vLLM 0.32.0 did."""
    asked = ImageParsers.model_validate_json((RECORDED / "0.32.0" / "parsers.json").read_bytes())
    monkeypatch.setenv("ORCH_STATE_DIR", str(folder / "state"))
    monkeypatch.setattr("orchestrator.jobs.places.connect", lambda _: FakeEngine())
    monkeypatch.setattr("orchestrator.cli.profile.lint.asking", lambda _: lambda _: asked)
    (folder / "p.yaml").write_text(text)
    result = run("lint", "p", "--image")
    assert result.exit_code == 2
    return result.stdout.replace(f"{folder}/", "").splitlines()


def test_a_flag_that_the_image_refuses_is_a_fault_at_its_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = "flags: {max-num-seqs: many, max-model-lenn: 1}"
    assert lint_with_image(monkeypatch, f"container: {{image: 'i:1'}}\nserver: {{model: /m, {flags}}}\n", folder) == [
        "p.yaml:2:43 server.flags.max-num-seqs — is 'many', but must be a whole number",
        "p.yaml:2:49 server.flags.max-model-lenn — unknown to the image's vLLM 0.32.0+cpu; did you mean 'max-model-len'?",
    ]


def test_a_flag_that_varies_is_a_fault_where_its_value_varies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """\
container: {image: 'i:1'}
server: {model: /m, flags: {max-num-seqs: 64}}
vary:
  axes:
    server.flags.max-num-seqs: [128, many]
    server.flags.max-model-lenn: [1, 2]
  include:
    - {server.flags.max-num-seqs: many}
    - {server.flags.max-num-seqs: many}
"""
    value = "server.flags.max-num-seqs — is 'many', but must be a whole number"
    assert lint_with_image(monkeypatch, text, folder) == [
        f"p.yaml:5:38 {value}",
        "p.yaml:6:5 server.flags.max-model-lenn — unknown to the image's vLLM 0.32.0+cpu; did you mean 'max-model-len'?",
        f"p.yaml:8:35 {value}",
        f"p.yaml:9:35 {value}",
    ]


def test_schema_prints_the_json_schema(folder: Path) -> None:
    assert folder
    assert run("schema").stdout == schema_text()


@pytest.mark.parametrize("subcommand", ["list", "show", "lint", "schema"])
def test_every_subcommand_has_help(subcommand: str) -> None:
    result = run(subcommand, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.stdout

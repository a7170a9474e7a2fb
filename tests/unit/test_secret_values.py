"""Promise S1: secrets are read from where the profile says, only when asked for, and one that is missing is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from samples import CANARY, a_profile

from orchestrator.errors import EnvironmentFault, ExitCode
from orchestrator.profile.dump import dump_profile
from orchestrator.profile.secrets import read_secrets

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.profile.schema.profile import Profile


def with_secret(**reference: str) -> Profile:
    return a_profile(server={"env": {"HF_TOKEN": reference, "PLAIN": "1"}})


def test_a_secret_comes_from_the_environment_byte_for_byte() -> None:
    assert read_secrets(with_secret(from_env="TOKEN"), {"TOKEN": CANARY, "OTHER": "x"}) == {"HF_TOKEN": CANARY}
    assert read_secrets(with_secret(from_env="TOKEN"), {"TOKEN": ""}) == {"HF_TOKEN": ""}


@pytest.mark.parametrize(
    ("content", "value"),
    [("s3cr3t", "s3cr3t"), ("s3cr3t\n", "s3cr3t"), ("abc\n\n", "abc\n"), (" é! \n", " é! "), ("", "")],
)
def test_a_secret_comes_from_a_file_without_its_final_newline(tmp_path: Path, content: str, value: str) -> None:
    (tmp_path / "token").write_text(content, encoding="utf-8")
    assert read_secrets(with_secret(from_file=f"{tmp_path}/token"), {}) == {"HF_TOKEN": value}


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(EnvironmentFault, match="the secret HF_TOKEN comes from the variable TOKEN") as caught:
        read_secrets(with_secret(from_env="TOKEN"), {})
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert "cron" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file or directory"), (b"\xff\xfe", "it is not UTF-8 text")]
)
def test_a_file_that_cannot_be_read_is_named_and_not_shown(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnvironmentFault, match=f"the secret HF_TOKEN comes from the file {path}.*{reason}"):
        read_secrets(with_secret(from_file=str(path)), {})


def test_the_server_s_own_secret_wins_over_the_container_s() -> None:
    profile = a_profile(
        container={"env": {"TOKEN": {"from_env": "OF_CONTAINER"}, "OTHER": {"from_env": "OF_OTHER"}}},
        server={"env": {"TOKEN": {"from_env": "OF_SERVER"}}},
    )
    environ = {"OF_CONTAINER": "of-container", "OF_SERVER": "of-server", "OF_OTHER": "of-other"}
    assert read_secrets(profile, environ) == {"TOKEN": "of-server", "OTHER": "of-other"}


@pytest.mark.parametrize("value", ["8", "on", "abc"])
def test_a_text_too_short_to_be_masked_is_no_secret(value: str) -> None:
    with pytest.raises(EnvironmentFault, match="so short a text would hide") as caught:
        read_secrets(with_secret(from_env="TOKEN"), {"TOKEN": value})
    assert value not in caught.value.message.split()
    assert "inherit: true" in caught.value.hint


def test_a_profile_without_secrets_reads_nothing() -> None:
    assert read_secrets(a_profile(server={"env": {"A": "1"}}), {}) == {}


def test_a_profile_never_holds_the_value_of_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hidden-canary")
    profile = with_secret(from_env="TOKEN")
    read_secrets(profile, {"TOKEN": "hidden-canary"})
    for text in (dump_profile(profile), repr(profile), profile.model_dump_json()):
        assert "hidden-canary" not in text

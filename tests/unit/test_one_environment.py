"""Promise E1: what runs beside the server has the server's environment: sourced files, variables and secrets."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import member_of
from local_container import LocalContainer
from samples import CANARY, a_measurement, a_profile

from orchestrator.errors import BenchmarkFailed, EnvironmentFault
from orchestrator.inside import entrance
from orchestrator.mask import NOTHING_HIDDEN, Mask
from orchestrator.measuring.driver import Driver, driver_argv, wanted
from orchestrator.plan.container import beside_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orchestrator.measuring.driver import Wanted
    from orchestrator.profile.schema.profile import Profile

TOOLKIT = """
echo "toolkit 25.04 for $(uname -m)"
[[ -z "${UNSET_BY_THE_IMAGE:-}" ]] && read -r answer
export PYTHONPATH="SITE${PYTHONPATH:+:$PYTHONPATH}"
unset UNSET_BY_THE_TOOLKIT
[ -d /nonexistent ] && export NEVER=1
"""
"""A file as toolkits have them: it needs bash, prints, reads its input, unsets, and ends with a failure."""


@pytest.fixture
def container(tmp_path: Path) -> Iterator[LocalContainer]:
    """Provide a container whose vLLM is found only once the toolkit's file was sourced."""
    made = LocalContainer(tmp_path, hidden=True)
    (tmp_path / "env.sh").write_text(TOOLKIT.replace("SITE", str(made.site)), encoding="utf-8")
    yield made
    made.close()


def a_toolkit_profile(tmp_path: Path, **sections: Any) -> Profile:
    return a_profile(container={"source": [str(tmp_path / "env.sh")]}, **sections)


def needs(profile: Profile) -> Wanted:
    assert profile.bench is not None
    return wanted(profile, profile.bench)


def test_a_client_whose_vllm_imports_only_after_sourcing_is_ready(tmp_path: Path, container: LocalContainer) -> None:
    driver = Driver(member_of(container), needs(a_toolkit_profile(tmp_path)), None)
    client = driver.client()
    assert (client.vllm_version, client.fork, client.reason) == ("0.32.0", True, "")
    driver.close()


def test_without_the_file_it_is_told_what_lacks(container: LocalContainer) -> None:
    driver = Driver(member_of(container), needs(a_profile()), None)
    with pytest.raises(EnvironmentFault, match="has no vLLM") as caught:
        driver.client()
    assert "container.source" in caught.value.hint
    driver.close()


def test_a_file_that_ends_the_shell_is_named_by_the_driver_s_end(tmp_path: Path, container: LocalContainer) -> None:
    (tmp_path / "env.sh").write_text("echo this toolkit wants a licence; exit 4", encoding="utf-8")
    driver = Driver(member_of(container), needs(a_toolkit_profile(tmp_path)), None)
    with pytest.raises(BenchmarkFailed, match=r"wants a licence\norch: .*env\.sh ended the shell"):
        driver.client()
    driver.close()


def test_a_client_has_the_server_s_variables_and_they_win_over_the_sourced_ones(
    tmp_path: Path, container: LocalContainer
) -> None:
    (tmp_path / "env.sh").write_text(
        f"export PYTHONPATH={container.site} HF_HOME=/toolkit PLAIN=sourced", encoding="utf-8"
    )
    printer = tmp_path / "client.py"
    printer.write_text("import os; print(*(os.environ.get(name) for name in ('HF_HOME', 'PLAIN', 'HF_ENDPOINT')))")
    profile = a_toolkit_profile(
        tmp_path,
        server={"env": {"HF_HOME": "/cache of mine", "HF_ENDPOINT": "https://mirror.example"}},
        bench={"client": str(printer)},
    )
    assert client_log(container, needs(profile)) == b"/cache of mine sourced https://mirror.example\n"


def test_a_client_has_the_secrets_and_its_log_does_not_show_them(
    tmp_path: Path, container: LocalContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({"HF_TOKEN": CANARY}), encoding="utf-8")
    monkeypatch.setattr(entrance, "SECRETS", str(secrets))
    printer = tmp_path / "client.py"
    printer.write_text(
        f"import os; print('token', os.environ['HF_TOKEN'] == {CANARY!r}, os.environ['HF_TOKEN'], 'end')",
        encoding="utf-8",
    )
    profile = a_toolkit_profile(
        tmp_path, server={"env": {"HF_TOKEN": {"from_env": "MINE"}}}, bench={"client": str(printer)}
    )
    wants = needs(profile)
    at_home = tuple(word.replace("/run/orch/secrets.json", str(secrets)) for word in wants.command)
    assert CANARY not in " ".join(at_home)
    log = client_log(container, dataclasses.replace(wants, command=at_home), Mask([CANARY]))
    assert log == b"token True ******** end\n"


def client_log(container: LocalContainer, wants: Wanted, mask: Mask = NOTHING_HIDDEN) -> bytes:
    """Return what a client prints that the driver runs."""
    driver = Driver(member_of(container), wants, None, mask)
    driver.client()
    done = driver.run(a_measurement(), ["python3", wants.client], "result.json", 60.0, lambda: None)
    driver.close()
    assert done.code == 0, done.log
    return done.log


def test_a_profile_that_adds_nothing_starts_the_driver_as_it_is() -> None:
    assert beside_server(a_profile(), driver_argv()) == driver_argv()

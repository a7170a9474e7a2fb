"""Each version with pins is built and tried; what makes an image's libraries loadable changes nothing else in them."""

from __future__ import annotations

import importlib
import struct
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from e2e.test_real_vllm import VERSIONS as BY_OTHER_TESTS
from e2e.test_versions import VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

DOCKER = Path(__file__).parents[2] / "docker"
GNU_STACK, LOAD = 0x6474E551, 1


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return an importer of the scripts that build images."""
    for folder in (DOCKER, DOCKER / "cpu"):
        monkeypatch.syspath_prepend(folder)
    return importlib.import_module


def test_each_version_with_pins_is_tried_and_those_of_each_landing_are_built_for_it(
    module: Callable[[str], ModuleType],
) -> None:
    build, others = module("build"), set(BY_OTHER_TESTS.values())
    assert {version.number for version in VERSIONS} | others == set(build.known_versions())
    assert {version.number for version, landing in VERSIONS.items() if landing} | others == set(build.EACH_LANDING)
    assert set(build.NEEDS) <= set(build.known_versions())


@pytest.mark.parametrize(("target", "all_of_them"), [("all", False), ("versions", True)])
def test_a_landing_builds_a_few_versions_and_all_are_built_when_asked(
    target: str, *, all_of_them: bool, module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = module("build")
    monkeypatch.setattr(build, "provide_cpu", lambda _, version: version)
    monkeypatch.setattr(build, "provide_stub", lambda _: "stub")
    monkeypatch.setattr(build, "provide_client", lambda _, version: f"client {version}")
    monkeypatch.setattr(build, "provide_sourced", lambda _, version: f"sourced {version}")
    built = list(build.build_target(SimpleNamespace(), target, None))
    versions = [name for name in built if name in build.known_versions()]
    assert versions == (build.known_versions() if all_of_them else list(build.EACH_LANDING))
    assert ("stub" in built) is not all_of_them


def test_what_a_version_needs_besides_its_pins_changes_its_image(
    module: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = module("build")
    monkeypatch.setattr(build, "base_identity", lambda _: "base")
    monkeypatch.setattr(build, "provide_on_base", lambda _, image, __: image.tag)
    builder, version = SimpleNamespace(torch_index=""), next(iter(build.NEEDS))
    needing = build.provide_cpu(builder, version)
    monkeypatch.setattr(build, "NEEDS", {})
    assert build.provide_cpu(builder, version) != needing


def library(path: Path, *headers: tuple[int, int]) -> Path:
    """Write what begins like a shared library: the file's header and a table of (type, flags)."""
    table = b"".join(struct.pack("<II48x", kind, flags) for kind, flags in headers)
    head = struct.pack("<4sBB26xQ14xHH6x", b"\x7fELF", 2, 1, 64, 56, len(headers))
    path.write_bytes(head + table + b"code")
    return path


def test_the_mark_of_an_executable_stack_is_cleared_and_nothing_else(
    tmp_path: Path, module: Callable[[str], Any]
) -> None:
    script = module("clear_execstack")
    marked = library(tmp_path / "marked.so", (LOAD, 5), (GNU_STACK, 7))
    plain = library(tmp_path / "plain.so", (LOAD, 5), (GNU_STACK, 6))
    (tmp_path / "text.so").write_text("GROUP ( libm.so.6 )")
    assert script.place_of_mark(plain) is None
    assert script.place_of_mark(tmp_path / "text.so") is None
    script.clear_mark(marked, script.place_of_mark(marked))
    assert marked.read_bytes() == plain.read_bytes()

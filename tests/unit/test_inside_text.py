"""The programs for the container: what is sent is what stands in the file, and the oldest images can run it."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.inside import (
    FILES,
    SOURCE,
    SUPERVISOR,
    driver,
    entrance,
    parsers,
    program_text,
    shell_text,
    supervisor,
)

if TYPE_CHECKING:
    from types import ModuleType

PROGRAMS = [driver, entrance, parsers, supervisor]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_what_is_sent_is_the_module_without_its_docstring(program: ModuleType) -> None:
    whole = ast.parse(inspect.getsource(program))
    assert ast.get_docstring(whole)
    whole.body.pop(0)
    assert ast.dump(ast.parse(program_text(program))) == ast.dump(whole)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_python_3_7_can_read_it(program: ModuleType) -> None:
    ast.parse(program_text(program), feature_version=(3, 7))
    ast.parse(inspect.getsource(program), feature_version=(3, 7))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_it_is_short_enough_to_be_an_argument(program: ModuleType) -> None:
    text = program_text(program)
    assert len(text.encode()) < 2**17  # the longest single argument that Linux takes
    assert text.isascii()
    assert "\n\n" not in text
    assert "noqa" not in text


def test_the_files_are_the_supervisor_and_what_sources_files_under_names_of_their_own() -> None:
    assert Path(inspect.getfile(supervisor)) == SUPERVISOR
    assert FILES == (SUPERVISOR, SOURCE)
    assert len({file.name for file in FILES}) == len(FILES)
    assert all(file.read_bytes().isascii() and file.read_bytes().endswith(b"\n") for file in FILES)


def test_the_shell_program_as_text_is_its_file_without_the_comments() -> None:
    lines = SOURCE.read_text(encoding="ascii").splitlines()
    assert shell_text().splitlines() == [line for line in lines if not line.startswith("#")]
    assert shell_text().startswith("{\n"), "bash reads it as a whole"
    assert shell_text().endswith("\n}")
    assert "#" not in shell_text().replace("$#", "")

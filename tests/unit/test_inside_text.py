"""The programs for the container: what is sent is what stands in the file, and the oldest images can run it."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING

import pytest

from orchestrator.inside import driver, parsers, program_text, supervisor

if TYPE_CHECKING:
    from types import ModuleType

PROGRAMS = [driver, parsers, supervisor]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_what_is_sent_is_the_module_without_its_docstring(program: ModuleType) -> None:
    whole = ast.parse(inspect.getsource(program))
    assert ast.get_docstring(whole)
    whole.body.pop(0)
    assert ast.dump(ast.parse(program_text(program))) == ast.dump(whole)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_python_3_7_can_read_it(program: ModuleType) -> None:
    ast.parse(program_text(program), feature_version=(3, 7))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_it_is_short_enough_to_be_an_argument(program: ModuleType) -> None:
    text = program_text(program)
    assert len(text.encode()) < 2**17  # the longest single argument that Linux takes
    assert text.isascii()
    assert "\n\n" not in text
    assert "noqa" not in text

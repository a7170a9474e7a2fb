"""Promise C1: each error ends in its exit code, and the documented tree is the real one."""

from __future__ import annotations

import re

import pytest

from orchestrator import errors
from orchestrator.errors import ExitCode, Interrupted, OrchError

LINE = re.compile(r"^(?P<branch>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +(?P<code>\d+) +\S.*)?$")


def documented() -> dict[str, tuple[str | None, str | None]]:
    """Each class in the module's docstring, with its parent and its exit code."""
    tree: dict[str, tuple[str | None, str | None]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = LINE.match(line)
        if match:
            depth = len(match["branch"]) // 4
            path[depth:] = [match["name"]]
            tree[match["name"]] = (path[depth - 1] if depth else None, match["code"])
    return tree


def real() -> dict[str, type[OrchError]]:
    found = {OrchError.__name__: OrchError}
    pending = [OrchError]
    while pending:
        for child in pending.pop().__subclasses__():
            if child.__module__ == errors.__name__:
                found[child.__name__] = child
                pending.append(child)
    return found


def test_the_documented_tree_is_the_real_one() -> None:
    parents = {name: None if kind is OrchError else kind.__mro__[1].__name__ for name, kind in real().items()}
    assert {name: parent for name, (parent, _) in documented().items()} == parents


@pytest.mark.parametrize("name", sorted(set(real()) - {"OrchError"}))
def test_an_error_ends_in_its_documented_exit_code(name: str) -> None:
    assert documented()[name][1] == str(int(real()[name].exit_code))


def test_the_exit_codes_are_the_promised_ones() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "RUN_FAILED": 1,
        "USAGE": 2,
        "ENVIRONMENT": 3,
        "OBJECTIVE_MISSED": 4,
        "INVALID": 5,
        "TEARDOWN_INCOMPLETE": 70,
        "BUSY": 75,
    }


def test_an_error_says_what_happened_and_what_to_do_next() -> None:
    error = errors.PortTaken("port 8000 is in use", "choose another")
    assert (str(error), error.message, error.hint) == ("port 8000 is in use", "port 8000 is in use", "choose another")
    assert errors.Busy("somebody holds it").hint == ""


def test_an_interruption_is_no_error_that_a_careless_handler_could_catch() -> None:
    assert not issubclass(Interrupted, Exception)
    assert Interrupted(15).signum == 15

"""The house rules that a reader cannot check by eye: who may import whom, who may speak, how long a file is."""

from __future__ import annotations

import ast
import re
import statistics
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import orchestrator
from orchestrator import errors
from orchestrator.errors import OrchError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(orchestrator.__file__).parent

ROOMS = (
    ("orchestrator", "text"),
    ("causes",),
    ("errors", "events", "folders", "interruption", "mask", "files", "units"),
    ("workload", "metrics"),
    ("vllm",),
    ("accelerators", "inside", "diagnosis"),
    ("profile",),
    ("plan",),
    ("engine",),
    ("images", "runs"),
    ("node",),
    ("deployment",),
    ("results",),
    ("lint",),
    ("measuring",),
    ("report",),
    ("jobs",),
    ("cli",),
    ("__main__",),
)
"""From the ground up: a module imports from its own room and from those below, never from beside or above.

Imports for the type checker count as any other. On the floor of `errors` alone, modules stand on one beside them.
"""
DRAWERS = {
    "profile": (("text",), ("schema",), ("merging",), ("checking",), ("reading",), ("docs",)),
    "profile.schema": (("dataset",), ()),
}
"""The drawers of a room, from below: a module in a drawer imports from its own and from those below."""

PROCESSES = ("cli", "inside", "__main__", "deployment.watchdog")
"""What is or belongs to the entry of a process, and so may speak, read the environment and exit."""


def module_name(path: Path) -> str:
    return (
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        .removesuffix(".__init__")
        .replace("__init__", "orchestrator")
    )


SOURCES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def nodes(module: str) -> tuple[ast.AST, ...]:
    """Every node of a module but those of its `if __name__ == "__main__"`, which is the entry of a process."""
    tree = ast.parse(SOURCES[module].read_bytes())
    entry = [part for part in tree.body if isinstance(part, ast.If) and "__main__" in ast.unparse(part.test)]
    tree.body = [part for part in tree.body if part not in entry]
    return tuple(ast.walk(tree))


def belongs_to(module: str, names: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def imported(module: str) -> Iterator[str]:
    """Everything that a module imports, anywhere in it, types included."""
    for node in nodes(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_of_ours(module: str) -> set[str]:
    """The modules of ours that a module imports from; a package counts only where a name is its own."""
    found = set()
    for node in nodes(module):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "orchestrator":
            origin = str(node.module).removeprefix("orchestrator").removeprefix(".")
            names = {f"{origin}.{alias.name}".removeprefix(".") for alias in node.names}
            found |= names & set(SOURCES) or {origin or "orchestrator"}
    return found


def height(module: str) -> int:
    """How high the room of a module lies, counted from the ground."""
    floors = [index for index, rooms in enumerate(ROOMS) if package(module) in rooms]
    assert floors, f"{module} stands in no room; say where it belongs"
    return floors[0]


def package(module: str) -> str:
    return module.partition(".")[0]


def drawer(module: str, room: str) -> int | None:
    """How high the drawer of a module lies in its room; None for what lies in no drawer."""
    name = module.removeprefix(f"{room}.").partition(".")[0]
    return next((index for index, names in enumerate(DRAWERS[room]) if name in names), None)


def may_import(module: str, other: str) -> bool:
    if package(module) != package(other):
        return height(other) < height(module) or (package(module) in ROOMS[2] and package(other) == "errors")
    for room in (room for room in DRAWERS if belongs_to(module, (room,)) and belongs_to(other, (room,))):
        mine, its = drawer(module, room), drawer(other, room)
        if mine is not None and its is not None and its > mine:
            return False
    return True


def offenders(modules: list[str], what: dict[str, set[str]]) -> dict[str, set[str]]:
    return {module: what[module] for module in modules if what[module]}


def test_imports_point_one_way() -> None:
    wrong = {
        module: {other for other in imported_of_ours(module) if not may_import(module, other)} for module in SOURCES
    }
    assert offenders(list(SOURCES), wrong) == {}


def test_no_modules_import_each_other() -> None:
    left = {module: imported_of_ours(module) - {module} for module in SOURCES}
    while free := [module for module, others in left.items() if not others & set(left)]:
        for module in free:
            del left[module]
    assert left == {}


def test_the_core_never_prints_reads_the_environment_or_exits() -> None:
    called = {"print", "input", "exit", "quit", "sys.exit", "os._exit", "os.getenv"}
    touched = {"os.environ", "os.environb", "sys.argv", "sys.stdin", "sys.stdout", "sys.stderr"}
    core = [module for module in SOURCES if not belongs_to(module, PROCESSES)]
    found = {}
    for module in core:
        calls = {ast.unparse(node.func) for node in nodes(module) if isinstance(node, ast.Call)}
        attributes = {ast.unparse(node) for node in nodes(module) if isinstance(node, ast.Attribute)}
        imports = set(imported(module))
        found[module] = called & calls | touched & attributes | (called | touched) & imports
        found[module] |= {name for name in imports if package(name) in ("click", "rich", "argparse")}
    assert offenders(core, found) == {}


def test_what_comes_before_a_deployment_knows_no_clock_no_chance_and_no_other_process() -> None:
    pure = [module for module in SOURCES if package(module) in ("workload", "metrics", "profile", "plan", "vllm")]
    pure.remove("vllm.api")  # asks a server
    impure = {"time", "datetime", "random", "secrets", "uuid", "socket", "http", "subprocess", "threading"}
    assert offenders(pure, {module: impure & set(map(package, imported(module))) for module in pure}) == {}


def test_only_the_engine_package_knows_docker_and_what_lies_beneath_it() -> None:
    others = [module for module in SOURCES if package(module) != "engine"]
    found = {
        module: {name for name in imported(module) if package(name) in ("docker", "requests", "urllib3")}
        for module in others
    }
    assert offenders(others, found) == {}


def is_version(node: ast.AST) -> bool:
    """Whether an expression is three numbers in a tuple, as versions are compared."""
    return (
        isinstance(node, ast.Tuple)
        and len(node.elts) == 3
        and all(isinstance(item, ast.Constant) and type(item.value) is int for item in node.elts)
    )


def test_only_the_vllm_package_compares_versions_of_vllm() -> None:
    others = [module for module in SOURCES if package(module) not in ("vllm", "orchestrator")]
    found = {module: {ast.unparse(node) for node in nodes(module) if is_version(node)} for module in others}
    assert offenders(others, found) == {}


def test_modules_are_short() -> None:
    lengths = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in SOURCES.items()}
    assert {module: length for module, length in lengths.items() if length > 500} == {}
    assert statistics.median(lengths.values()) < 200


def test_a_module_opens_by_saying_what_it_is_for() -> None:
    opening = {
        module: (ast.get_docstring(ast.parse(path.read_bytes())) or "").partition("\n\n")[0]
        for module, path in SOURCES.items()
    }
    assert [module for module, text in opening.items() if not text.endswith((".", ":"))] == []


def test_a_program_for_the_container_needs_nothing_but_the_standard_library_and_what_the_image_s_vllm_has() -> None:
    programs = [module for module in SOURCES if module.startswith("inside.")]
    found = {module: {package(name) for name in imported(module)} - sys.stdlib_module_names for module in programs}
    assert offenders(programs, found) in ({}, {"inside.driver": {"vllm", "numpy"}, "inside.parsers": {"vllm"}})
    for module in programs:
        at_once = (part for part in ast.parse(SOURCES[module].read_bytes()).body if isinstance(part, ast.Import))
        assert {alias.name for part in at_once for alias in part.names} <= sys.stdlib_module_names


def test_exceptions_from_the_linter_are_few_and_give_their_reasons() -> None:
    """What a rule has against many lines is answered once, in pyproject.toml."""
    found = {
        f"{module}:{number}": line
        for module, path in SOURCES.items()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "# noqa" in line
    }
    assert len(found) < 25
    assert {place: line for place, line in found.items() if not re.search("# noqa: [A-Z]+[0-9]+ - .", line)} == {}


def test_no_two_files_of_tests_have_one_name() -> None:
    """The rings are collected together, and pytest knows a file by its name alone."""
    names = [path.name for path in Path(__file__).parents[1].rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


SAYING = {"Reason", "Note", "Remark"}
"""What says something beside the errors."""


def errors_of_ours() -> set[str]:
    return {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, OrchError)}


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_what_is_said_is_a_template_and_its_fields(module: str) -> None:
    """A sentence that is formatted at once cannot be said in another language, nor read by a program."""
    says = errors_of_ours() | SAYING
    calls = [node for node in nodes(module) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    formatted = [
        f"line {call.lineno}: {ast.unparse(part)}"
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in says
        for part in call.args
        if isinstance(part, ast.JoinedStr)
    ]
    assert formatted == []

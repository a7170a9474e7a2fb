"""The page on how orch is built names what is there, and the how-to names what the Python API has."""

from __future__ import annotations

import re
from pathlib import Path

from test_house import DRAWERS, ROOMS

from orchestrator import jobs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
HOW_TO = (ROOT / "docs/how-to/from-python.md").read_text(encoding="utf-8")
PICTURE = PAGE.split("```text\n")[1].split("```")[0]


def test_every_path_on_the_page_is_there() -> None:
    paths = re.findall(r"`((?:orchestrator|tests|docs)/[^`]+)`", PAGE)
    assert len(paths) > 15
    assert [path for path in paths if not list(ROOT.glob(path))] == []


def test_the_picture_shows_every_room_and_the_order_is_that_of_the_house() -> None:
    height = {room: index for index, floor in enumerate(ROOMS) for room in floor}
    shown = [word.rstrip("/") for line in PICTURE.splitlines() for word in line.partition("   ")[0].split()]
    names = [name for name in shown if name in height]
    assert sorted(names) == sorted(set(height) - {"__main__", "orchestrator"})
    heights = [height[name] for name in names]
    assert heights == sorted(heights, reverse=True)


def test_the_picture_shows_the_drawers_of_profiles_in_their_order() -> None:
    line = next(line for line in PICTURE.splitlines() if line.startswith("profile/"))
    drawers = [name for drawer in DRAWERS["profile"] for name in drawer]
    assert line.partition("  ")[2].strip().split(" → ") == drawers[:-1]


def test_the_modules_that_the_picture_names_are_in_their_rooms() -> None:
    named = [
        ROOT / "orchestrator" / room / module
        for room, modules in re.findall(r"^(\w+)/ .*  ((?:\w+ · )+\w+)$", PICTURE, flags=re.MULTILINE)
        for module in modules.split(" · ")
    ]
    assert len(named) > 20
    assert [path for path in named if not path.is_dir() and not path.with_suffix(".py").exists()] == []


def test_the_how_to_names_every_job_and_no_other() -> None:
    named = set(re.findall(r"`([a-z]\w+)\(", HOW_TO)) | set(re.findall(r"`(\w+_study)`", HOW_TO))
    told = {*named, "folders", "load_profile", "variants", "asking"} - {"data"}
    assert told == set(jobs.__all__)
    assert {name for names in jobs.HOMES.values() for name in names} == set(jobs.__all__)


def test_every_name_of_the_api_is_there_and_callable() -> None:
    assert [name for name in jobs.__all__ if not callable(getattr(jobs, name))] == []

"""Promise F4: what orch does not take is refused with what to write instead, from one place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from orchestrator.profile.checking.ways.docker import OF_MOUNTS, WORDS
from orchestrator.profile.checking.ways.lookup import FAMILIES
from orchestrator.profile.checking.ways.values import EMPTY, LIMITS, NO_LIMIT, NOTHING, SHAPES
from orchestrator.profile.checking.ways.way import WayOut
from orchestrator.profile.docs.jsonschema import json_schema
from orchestrator.profile.schema.keys import AXES, CHOICES, INVENTED, file_keys, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profile_folder import Folder

    from orchestrator.profile.text.tree import Keys

HEAD = "container: {image: i}\nserver: {model: m}\n"
BENCH = "num_prompts: 1, dataset: {name: custom, path: /x.jsonl}"
TABLES: tuple[dict[Keys, WayOut] | dict[str, WayOut], ...] = (WORDS, OF_MOUNTS, SHAPES, LIMITS, EMPTY, NOTHING)


def said(folder: Folder, text: str) -> list[str]:
    """Return key and sentence of each fault."""
    return [fault.partition(" ")[2] for fault in folder.faults_in(text)]


def test_every_way_out_says_something() -> None:
    assert [way for table in TABLES for way in table.values() if not str(way)] == []
    assert set(FAMILIES) == {"unknown key", "shape", "value", "no value"}


def test_a_way_out_is_said_in_one_way() -> None:
    assert str(WayOut(key="container.env")) == "here it is container.env"
    assert str(WayOut(how="orch limits no disk", leave_out=True)) == "orch limits no disk; leave it out"


def test_every_key_that_a_way_out_names_is_one() -> None:
    named = [way for table in TABLES for way in table.values()]
    keys = {
        key for way in named for key in re.findall(r"\b(?:container|server|bench|health)\.[a-z_.]*[a-z_]", str(way))
    }
    assert keys
    assert [key for key in sorted(keys) if is_unknown(tuple(key.split(".")))] == []


def test_every_key_that_has_a_way_out_of_its_values_is_one() -> None:
    keys = {keys for table in (SHAPES, LIMITS, EMPTY, NOTHING) for keys in table}
    assert [keys for keys in keys if keys[-1] not in file_keys(keys[:-1])] == []


@pytest.mark.parametrize("keys", LIMITS, ids=".".join)
def test_what_elsewhere_means_no_limit_names_the_way_out(folder: Folder, keys: tuple[str, ...]) -> None:
    way, told = str(LIMITS[keys]), 0
    for word in [*sorted(NO_LIMIT), "-1.0", "'-1'", ".inf", "Unlimited", "false"]:
        value = f"{{memlock: {word}}}" if keys[-1] == "ulimits" else word
        text = HEAD.replace("image: i", f"image: i, {keys[-1]}: {value}") if keys[0] == "container" else HEAD
        inside = f"{BENCH[:-1]}, output_len: {value}}}" if keys[-1] == "output_len" else f"{BENCH}, {keys[-1]}: {value}"
        text += f"bench: {{{inside}}}\n" if keys[0] == "bench" else ""
        text += f"health: {{{keys[-1]}: {value}}}\n" if keys[0] == "health" else ""
        faults = [fault for fault in said(folder, text) if fault.startswith(".".join(keys)) and "needs" not in fault]
        told += len(faults)
        assert [fault for fault in faults if way not in fault] == [], word
    assert told


@pytest.mark.parametrize(
    ("container", "fault"),
    [
        ("ulimits: {memlock: unlimited}", "container.ulimits.memlock — must be a whole number: -1 is no limit"),
        ("ulimits: [memlock=unlimited]", "container.ulimits.memlock — must be a whole number: -1 is no limit"),
        ("memory: 1g, memory_swap: -2", "container.memory_swap — must be -1 or more"),
        ("memory: 1g, memory_swap: 1.5", "container.memory_swap — must be a whole number"),
        ("memory: 1g, memory_swap: unlimited", "container.memory_swap — 'unlimited' is not a size; write bytes or a number with k, m, g or t, such as 64G; -1 is no limit"),
        ("cpus: 0", "container.cpus — must be more than 0: leave it out for no limit"),
        ("cpus: 2000000", "container.cpus — must be 1000000 or less"),
        ("sysctls: [net.a=]", "container.sysctls.net.a — must not be empty: leave it out, an empty one changes nothing"),
        ("log_options: {tag: ''}", "container.log_options.tag — must not be empty: leave it out for the driver's own"),
        ("labels: {a: }", 'container.labels.a — has no value, and no extended profile sets it: in a one-line mapping put text that holds a comma in quotes; an empty label is written ""'),
    ],
)  # fmt: skip
def test_one_wrong_value_is_told_in_one_sentence(folder: Folder, container: str, fault: str) -> None:
    assert said(folder, HEAD.replace("image: i", f"image: i, {container}")) == [fault]


def test_no_limit_of_swap_may_stand_in_quotes(folder: Folder) -> None:
    folder.write("p.yaml", HEAD.replace("image: i", "image: i, memory: 1g, memory_swap: '-1'"))
    assert folder.load().container.memory_swap == -1


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("dataset: {name: custom, path: /x.jsonl, output_len: -1}", "bench.dataset.output_len — must be 1 or more: leave it out for the dataset's own"),
        ("warmup: none", "bench.warmup — must be auto or a number of requests: 0 is none"),
        ("warmup: atuo", "bench.warmup — must be auto or a number of requests"),
        ("concurrency: [8, -1]", "bench.concurrency[1] — must be 1 or more: leave it out for no limit"),
        ("concurrency: [8, -2]", "bench.concurrency[1] — must be 1 or more"),
    ],
)  # fmt: skip
def test_values_of_the_sweep_name_the_way_out(folder: Folder, value: str, fault: str) -> None:
    rest = "num_prompts: 1" if value.startswith("dataset") else BENCH
    assert said(folder, f"{HEAD}bench: {{{rest}, {value}}}\n") == [fault]


@pytest.mark.parametrize("word", [word for word, way in WORDS.items() if way.key == "container.env"])
def test_a_word_for_the_environment_means_the_section_that_it_stands_in(folder: Folder, word: str) -> None:
    for section in ("container", "server"):
        (fault,) = said(folder, HEAD.replace(f"{section}: {{", f"{section}: {{{word}: {{A: 1}}, "))
        assert fault == f"{section}.{word} — unknown key; here it is {section}.env"


def test_docker_s_words_below_server_stay_those_of_the_container_where_the_server_has_no_such_key(
    folder: Folder,
) -> None:
    (fault,) = said(folder, HEAD.replace("model: m", "model: m, volumes: x"))
    assert fault == "server.volumes — unknown key; here it is container.mounts"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("zzz: \n", "zzz — unknown key; in a one-line mapping put text that holds a comma in quotes; or leave the key out"),
        ("image: \n", "image — unknown key here; 'image' belongs to container"),
        ("health: {deadlin: }\n", "health.deadlin — unknown key; did you mean 'deadline'?"),
        ("health: {expected: {wieghts: }}\n", "health.expected.wieghts — unknown key; did you mean 'weights'?"),
        ("bench: {num_prompts: 1, dataset: {name: custom, path: /x.jsonl, output-lenn: }}\n", "bench.dataset.output-lenn — unknown key; did you mean 'output_len'?"),
        ("vary: {axes: {server.port: [1]}, axis: }\n", "vary.axis — unknown key; did you mean 'axes'?"),
    ],
)  # fmt: skip
def test_a_key_that_no_profile_has_is_unknown_with_a_value_or_without(folder: Folder, text: str, fault: str) -> None:
    assert said(folder, HEAD + text) == [fault]


@pytest.mark.parametrize("key", ["restart", "port", "volumes", "tp", "shm-size", "imgae"])
def test_an_unknown_key_of_a_container_without_a_value_says_what_one_with_a_value_says(
    folder: Folder, key: str
) -> None:
    with_value = said(folder, HEAD.replace("image: i", f"image: i, {key}: x"))
    assert said(folder, HEAD.replace("image: i", f"image: i, {key}: ")) == with_value
    assert "unknown key" in with_value[0]


def test_null_of_an_unknown_key_is_a_fault_whoever_sets_it_too(folder: Folder) -> None:
    folder.write("_b.yaml", "container: {zzz: 1}\n")
    faults = said(folder, f"extends: _b\n{HEAD.replace('image: i', 'image: i, zzz: ')}")
    assert faults == [
        "container.zzz — unknown key; in a one-line mapping put text that holds a comma in quotes; or leave the key out"
    ]


def test_the_mappings_whose_keys_the_user_invents_are_those_of_the_schema() -> None:
    """So that a key without a value is unknown nowhere else."""
    found = {keys for keys in _invented(json_schema()) if keys[-1] not in ("exclude", "include")}
    assert found == INVENTED
    assert AXES in found
    assert {keys[:2] for keys in CHOICES} == {("vary", "exclude"), ("vary", "include")}


def _invented(schema: dict[str, object]) -> Iterator[Keys]:
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)

    def walk(part: object, keys: Keys) -> Iterator[Keys]:
        if isinstance(part, list):
            for item in part:
                yield from walk(item, keys)
        if not isinstance(part, dict):
            return
        if "$ref" in part:
            yield from walk(definitions[str(part["$ref"]).rpartition("/")[2]], keys)
        own_names = "enum" in part.get("propertyNames", {})
        if ("patternProperties" in part or isinstance(part.get("additionalProperties"), dict)) and not own_names:
            yield keys
        for name, inner in part.get("properties", {}).items():
            yield from walk(inner, (*keys, name))
        for word in ("anyOf", "oneOf", "items"):
            yield from walk(part.get(word), keys)

    yield from walk(schema, ())

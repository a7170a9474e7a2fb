"""Promise E3: a mapping merges entry by entry whether a file writes it as one or as docker's list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.plan.variants import variants
from orchestrator.profile.schema.pairs import FORMS

if TYPE_CHECKING:
    from profile_folder import Folder

    from orchestrator.profile.schema.profile import Container

END = "\nserver: {model: m}\n"
KEYS: dict[str, tuple[tuple[str, Any], tuple[str, Any]]] = {
    "labels": (("[team=a, x=1, alone]", "{team: a, x: 1, alone: ''}"), ("[x=2]", "{x: 2}")),
    "log_options": (("[max-size=1m, tag=a]", "{max-size: 1m, tag: a}"), ("[tag=b]", "{tag: b}")),
    "sysctls": (("[net.a=1, net.b=2]", "{net.a: 1, net.b: 2}"), ("[net.b=3]", "{net.b: 3}")),
    "ulimits": (("[core=0, nofile=1:2]", "{core: 0, nofile: {soft: 1, hard: 2}}"), ("[nofile=5]", "{nofile: 5}")),
    "extra_hosts": (("['hub:10.0.0.2', 'lab=::1']", "{hub: 10.0.0.2, lab: '::1'}"), ("['lab:::2']", "{lab: '::2'}")),
}
"""By key: what a base gives in both forms, and what the profile over it gives in both forms."""


def container(folder: Folder, base: str, over: str, *sets: str) -> Container:
    folder.write("_b.yaml", f"container: {{image: i, {base}}}{END}")
    folder.write("p.yaml", f"extends: _b\ncontainer: {{{over}}}\n")
    return folder.load("p", *sets).container


def test_every_mapping_that_may_be_a_list_is_tried() -> None:
    assert set(KEYS) == set(FORMS)


@pytest.mark.parametrize("key", KEYS)
def test_all_forms_merge_alike(folder: Folder, key: str) -> None:
    bases, overs = KEYS[key]
    merged = []
    for base in bases:
        for over in overs:
            merged.append(getattr(container(folder, f"{key}: {base}", f"{key}: {over}"), key))
            merged.append(getattr(container(folder, f"{key}: {base}", "", f"container.{key}={over}"), key))
    assert all(found == merged[0] for found in merged)
    alone = getattr(container(folder, f"{key}: {bases[0]}", ""), key)
    assert len(merged[0]) == len(alone)
    assert merged[0] != alone


@pytest.mark.parametrize("key", KEYS)
def test_all_forms_vary_alike(folder: Folder, key: str) -> None:
    bases, overs = KEYS[key]
    made = []
    for base in bases:
        for over in overs:
            vary = f"vary: {{axes: {{container.{key}: [{over}]}}}}\n"
            folder.write("p.yaml", f"container: {{image: i, {key}: {base}}}{END}{vary}")
            (variant,) = variants(folder.load())
            made.append(getattr(variant.profile.container, key))
    assert all(found == made[0] for found in made)
    assert made[0] == getattr(container(folder, f"{key}: {bases[1]}", f"{key}: {overs[1]}"), key)


@pytest.mark.parametrize("key", KEYS)
def test_null_takes_one_entry_away_whichever_form_the_base_has(folder: Folder, key: str) -> None:
    names = {"labels": "team", "log_options": "tag", "sysctls": "net.a", "ulimits": "core", "extra_hosts": "hub"}
    left = [
        getattr(container(folder, f"{key}: {base}", f"{key}: {{{names[key]}: null}}"), key) for base in KEYS[key][0]
    ]
    assert left[0] == left[1]
    assert names[key] not in str(left[0])
    assert left[0]


@pytest.mark.parametrize("key", KEYS)
def test_an_empty_list_takes_all_away(folder: Folder, key: str) -> None:
    assert not getattr(container(folder, f"{key}: {KEYS[key][0][0]}", f"{key}: []"), key)


def test_a_host_may_have_several_addresses(folder: Folder) -> None:
    base = "extra_hosts: ['hub:10.0.0.2', 'hub:::1', 'lab:10.0.0.3']"
    assert container(folder, base, "extra_hosts: {lab: host-gateway}").extra_hosts == (
        "hub:10.0.0.2", "hub:::1", "lab:host-gateway",
    )  # fmt: skip
    assert container(folder, base, "extra_hosts: {hub: [10.0.0.4, '::4']}").extra_hosts == (
        "hub:10.0.0.4", "hub:::4", "lab:10.0.0.3",
    )  # fmt: skip


def test_a_name_with_dots_is_one_name_on_the_command_line(folder: Folder) -> None:
    found = container(folder, "extra_hosts: ['a.lab:10.0.0.2']", "", "container.extra_hosts.a.lab=10.0.0.9")
    assert found.extra_hosts == ("a.lab:10.0.0.9",)


def test_what_is_no_pair_is_a_fault_at_its_item_even_where_another_file_says_it_anew(folder: Folder) -> None:
    lists = "labels: [a=1, =x, 5], sysctls: [net.a], ulimits: [core=1, core=2], extra_hosts: [hub, 'b:x']"
    folder.write("_b.yaml", f"container: {{image: i, {lists}}}{END}")
    pair = "must be a mapping of keys to values, or a list of NAME=VALUE"
    assert folder.faults_in("extends: _b\ncontainer: {labels: {a: 2}, sysctls: {net.b: 1}}\n") == [
        f"_b.yaml:1:37 container.labels[1] — {pair}",
        f"_b.yaml:1:41 container.labels[2] — {pair}",
        f"_b.yaml:1:55 container.sysctls[0] — {pair}",
        "_b.yaml:1:81 container.ulimits[1] — 'core' is given twice",
        "_b.yaml:1:104 container.extra_hosts[0] — must be a name and its address, such as hub:10.0.0.2",
        "_b.yaml:1:109 container.extra_hosts[0] — 'x' is not an IP address",
    ]


def test_what_is_no_pair_among_the_values_of_an_axis_is_a_fault(folder: Folder) -> None:
    vary = "vary: {axes: {container.labels: [[a=1], [=x]]}}\n"
    (fault,) = folder.faults_in(f"container: {{image: i, labels: {{b: 1}}}}{END}{vary}")
    assert fault.endswith("container.labels — must be a mapping of keys to values, or a list of NAME=VALUE")


def test_each_address_that_is_none_is_a_fault_at_its_place(folder: Folder) -> None:
    text = "container: {image: i, dns: [x, 10.0.0.2, y], extra_hosts: {a: z, b: [10.0.0.2, w]}}"
    assert [fault.partition(" — ")[0] for fault in folder.faults_in(text + END)] == [
        "p.yaml:1:29 container.dns[0]",
        "p.yaml:1:42 container.dns[2]",
        "p.yaml:1:63 container.extra_hosts[0]",
        "p.yaml:1:80 container.extra_hosts[2]",
    ]


def test_a_label_may_be_empty_as_docker_has_it(folder: Folder) -> None:
    for text in ("[a=]", "[a]", "a=", "a", "{a: ''}"):
        folder.write("p.yaml", f"container: {{image: i, labels: {text}}}{END}")
        assert dict(folder.load().container.labels) == {"a": ""}, text

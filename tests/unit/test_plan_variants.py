"""Promise D7: a server is started once for each set-up that differs, in a fixed order that changes images least."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from samples import a_profile

from orchestrator.plan.container import serving_hash
from orchestrator.plan.naming import label, short_names
from orchestrator.plan.variants import variants
from orchestrator.profile.merging.combinations import problems

SEQS, BATCHED, IMAGE, ENV = (
    "server.flags.max-num-seqs",
    "server.flags.max-num-batched-tokens",
    "container.image",
    "server.env.A",
)


def varied(**vary: object) -> list[dict[str, str | None]]:
    return [dict(variant.varied) for variant in variants(a_profile(vary=vary))]


def test_a_profile_that_varies_nothing_is_its_own_only_variant() -> None:
    profile = a_profile()
    (only,) = variants(profile)
    assert (only.profile, only.varied, only.label) == (profile, {}, "")


def test_all_combinations_in_the_order_of_the_section_with_each_image_once() -> None:
    assert varied(axes={SEQS: [64, 128], IMAGE: ["b", "a"]}) == [
        {SEQS: "64", IMAGE: "b"},
        {SEQS: "128", IMAGE: "b"},
        {SEQS: "64", IMAGE: "a"},
        {SEQS: "128", IMAGE: "a"},
    ]


def test_linked_axes_go_side_by_side() -> None:
    vary = {"axes": {SEQS: [64, 128], ENV: ["x", "y"], BATCHED: [1, 2]}, "linked": [[SEQS, BATCHED]]}
    assert varied(**vary) == [
        {SEQS: "64", ENV: "x", BATCHED: "1"},
        {SEQS: "64", ENV: "y", BATCHED: "1"},
        {SEQS: "128", ENV: "x", BATCHED: "2"},
        {SEQS: "128", ENV: "y", BATCHED: "2"},
    ]


def test_what_is_excluded_is_left_out_and_what_is_included_comes_last() -> None:
    vary = {
        "axes": {SEQS: [64, 128], ENV: ["x", "y"]},
        "exclude": [{SEQS: 128, ENV: "y"}],
        "include": [{SEQS: 256, BATCHED: 4096}, {}],
    }
    assert varied(**vary) == [
        {SEQS: "64", ENV: "x", BATCHED: None},
        {SEQS: "64", ENV: "y", BATCHED: None},
        {SEQS: "128", ENV: "x", BATCHED: None},
        {SEQS: "256", ENV: None, BATCHED: "4096"},
        {SEQS: None, ENV: None, BATCHED: None},
    ]


def test_a_key_that_a_combination_leaves_out_shows_the_profile_s_own_value() -> None:
    profile = a_profile(
        server={"flags": {"max-num-seqs": 32}}, vary={"include": [{SEQS: 64}, {ENV: "x"}, {SEQS: None}]}
    )
    assert [dict(item.varied) for item in variants(profile)] == [
        {SEQS: "64", ENV: None},
        {SEQS: "32", ENV: "x"},
        {SEQS: None, ENV: None},
    ]


def test_combinations_of_the_same_server_are_one_variant() -> None:
    profile = a_profile(server={"port": 8000}, vary={"axes": {"server.port": [8000, 8001, 8000]}, "include": [{}]})
    assert [item.profile.server.port for item in variants(profile)] == [8000, 8001]


def test_variants_are_called_by_what_sets_them_apart() -> None:
    assert label({SEQS: "64", IMAGE: "a:1", ENV: None}) == "max-num-seqs=64 image=a:1 A=-"
    assert short_names(("server.env.A", "container.env.A", "server.flags.x.y")) == {
        "server.env.A": "server.env.A",
        "container.env.A": "container.env.A",
        "server.flags.x.y": "x.y",
    }


VALUES = {
    SEQS: st.sampled_from([1, 2, 3, None]),
    BATCHED: st.sampled_from([1, 2]),
    IMAGE: st.sampled_from(["a", "b", "c"]),
    ENV: st.sampled_from(["x", "y", None]),
}
LISTS = {key: st.lists(value, min_size=1, max_size=4) for key, value in VALUES.items()}
entries = st.fixed_dictionaries({}, optional=VALUES)
sections = st.fixed_dictionaries(
    {"axes": st.fixed_dictionaries({}, optional=LISTS)},
    optional={
        "linked": st.lists(st.lists(st.sampled_from(list(VALUES)), min_size=2, max_size=3, unique=True), max_size=1),
        "exclude": st.lists(entries, max_size=2),
        "include": st.lists(entries, max_size=2),
    },
)


@given(sections)
@settings(max_examples=300, deadline=None)
def test_a_server_is_started_for_each_different_set_up_and_for_no_other(section: dict[str, Any]) -> None:
    profile = a_profile(vary=section)
    assert profile.vary is not None
    if list(problems(profile.vary)):
        return
    found = variants(profile)
    assert found == variants(profile)
    hashes = [serving_hash(item.profile) for item in found]
    assert len(set(hashes)) == len(hashes)
    expected = {serving_hash(by_hand(entry)) for entry in expanded(section)}
    assert set(hashes) == expected
    images = [item.profile.container.image for item in found]
    assert sum(1 for _ in itertools.groupby(images)) == len(set(images))


def expanded(section: dict[str, Any]) -> list[dict[str, Any]]:
    """All combinations by the plainest of rules: every product but what breaks a link or is excluded, and the rest."""
    axes = section["axes"]
    kept = []
    for positions in itertools.product(*(range(len(values)) for values in axes.values())) if axes else ():
        at = dict(zip(axes, positions, strict=True))
        entry = {key: axes[key][position] for key, position in at.items()}
        linked = all(len({at[key] for key in group}) == 1 for group in section.get("linked", ()))
        if linked and not any(all(entry[key] == out[key] for key in out) for out in section.get("exclude", ())):
            kept.append(entry)
    return [*kept, *section.get("include", ())]


def by_hand(entry: dict[str, Any]) -> Any:
    flags = {key.rpartition(".")[2]: entry[key] for key in (SEQS, BATCHED) if entry.get(key) is not None}
    env = {"A": entry[ENV]} if entry.get(ENV) is not None else {}
    container = {"image": entry[IMAGE]} if IMAGE in entry else {}
    return a_profile(container=container, server={"flags": flags, "env": env})

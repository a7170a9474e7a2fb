"""F4: faults of a `vary` section, and of what its variants come to, are told at once, each at the value to blame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from profile_folder import GOOD

from orchestrator.profile.dump import dump_profile
from orchestrator.profile.merging.combinations import MOST, combinations
from orchestrator.profile.reading.variants import profiles_of

if TYPE_CHECKING:
    from profile_folder import Folder

SEQS, BATCHED = "server.flags.max-num-seqs", "server.flags.max-num-batched-tokens"


@pytest.mark.parametrize(
    ("vary", "faults"),
    [
        ("{}", ["p.yaml:3:1 vary — varies nothing; give axes, such as server.flags.max-num-seqs: [64, 128]"]),
        ("[]", ["p.yaml:3:7 vary — must be a mapping of keys to values"]),
        ("{axs: {}}", ["p.yaml:3:8 vary.axs — unknown key; did you mean 'axes'?"]),
        ("{axes: {server.port: 1}}", ["p.yaml:3:28 vary.axes.server.port — must be a list"]),
        ("{axes: {server.port: []}}", ["p.yaml:3:28 vary.axes.server.port — must hold at least one value"]),
        ("{axes: {bench.concurrency: [1]}}", [
            "p.yaml:3:15 vary.axes.bench.concurrency — must be a key below server or container, such as server.flags.max-num-seqs; the bench section has axes of its own, give it lists"
        ]),
        ("{axes: {server: [1]}}", [
            "p.yaml:3:15 vary.axes.server — must be a key below server or container, such as server.flags.max-num-seqs; the bench section has axes of its own, give it lists"
        ]),
        ("{axes: {server.flgs.a: [1]}}", ["p.yaml:3:15 server.flgs — unknown key; did you mean 'flags'?"]),
        ("{axes: {server.port: [80, 65536, x]}}", [
            "p.yaml:3:33 server.port — must be 65535 or less",
            "p.yaml:3:40 server.port — must be a whole number",
        ]),
        ("{axes: {server.env.A: [true]}}", ['p.yaml:3:30 server.env.A — an environment variable is text: write "1", "0", "true" or "false" in quotes']),
        ("{axes: {server.flags.a-b: [1], server.flags.a_b: [1]}}", ["p.yaml:3:38 vary.axes.server.flags.a_b — is the same flag as the axis server.flags.a-b"]),
        ("{axes: {server.flags: [{a: 1}], server.flags.a: [1]}}", ["p.yaml:3:39 vary.axes.server.flags.a — lies inside of the axis server.flags"]),
        ("{axes: {server.port: [1, 2], container.image: [a]}, linked: [[server.port, container.image]]}", [
            "p.yaml:3:68 vary.linked[0] — linked axes need as many values each: server.port has 2, container.image has 1"
        ]),
        ("{axes: {server.port: [1], server.model: [a]}, linked: [[server.port, server.prt], [server.model, server.port]]}", [
            "p.yaml:3:76 vary.linked[0][1] — 'server.prt' is not an axis; did you mean 'server.port'?",
            "p.yaml:3:104 vary.linked[1][1] — is linked already",
        ]),
        ("{axes: {server.port: [1]}, linked: [[server.port]]}", ["p.yaml:3:43 vary.linked[0] — links fewer than two axes"]),
        ("{axes: {server.port: [1]}, exclude: [{}, {server.prt: 1}, {server.port: 2}]}", [
            "p.yaml:3:44 vary.exclude[0] — excludes everything; name the values to leave out",
            "p.yaml:3:49 vary.exclude[1].server.prt — 'server.prt' is not an axis; did you mean 'server.port'?",
            "p.yaml:3:66 vary.exclude[2].server.port — is not a value of this axis",
        ]),
        ("{axes: {server.port: [1, 2], server.model: [a, b]}, linked: [[server.port, server.model]], exclude: [{server.port: 1, server.model: b}]}", [
            "p.yaml:3:108 vary.exclude[0] — matches no combination"
        ]),
        ("{axes: {server.port: [1]}, exclude: [{server.port: 1}]}", ["p.yaml:3:34 vary.exclude — leaves no combination"]),
        ("{include: [{server.flags.port: 1}]}", ["p.yaml:3:19 server.flags.port — 'port' is set by server.port"]),
        ("{include: [{server.flags.port: 1}]}\nbnech: {}", [
            "p.yaml:3:19 server.flags.port — 'port' is set by server.port",
            "p.yaml:4:1 bnech — unknown key; did you mean 'bench'?",
        ]),
    ],
)  # fmt: skip
def test_faults_of_what_varies_are_told_in_plain_words(folder: Folder, vary: str, faults: list[str]) -> None:
    found = folder.faults_in(f"{GOOD}vary: {vary}\n")
    assert found == faults


def test_a_fault_of_the_profile_is_not_told_again_for_each_variant(folder: Folder) -> None:
    text = "container: {image: i}\nserver: {prot: 1}\nvary: {axes: {server.flags.a: [1, 2], container.pull: [x]}}\n"
    assert folder.faults_in(text) == [
        "p.yaml:2:1 server.model — required key is missing",
        "p.yaml:2:10 server.prot — unknown key; did you mean 'port'?",
        "p.yaml:3:56 container.pull — must be one of missing, always, never",
    ]


def test_a_password_among_the_values_is_never_repeated(folder: Folder) -> None:
    text = f"{GOOD}vary: {{axes: {{server.env.A: [[hush], hush]}}, exclude: [{{server.env.A: hush2}}]}}\n"
    assert "hush" not in "".join(folder.faults_in(text))


def test_more_combinations_than_anybody_wants_are_refused(folder: Folder) -> None:
    values = list(range(1, 33))
    text = f"{GOOD}vary: {{axes: {{server.port: {values}, server.flags.a: {values}}}}}\n"
    assert folder.faults_in(text) == [f"p.yaml:3:1 vary — comes to more than {MOST} combinations"]


def test_axes_are_inherited_key_by_key_and_null_takes_one_away(folder: Folder) -> None:
    folder.write("base.yaml", f"{GOOD}vary: {{axes: {{{SEQS}: [1, 2], {BATCHED}: [64], server.port: [1]}}}}\n")
    folder.write("p.yaml", f"extends: base\nvary: {{axes: {{{SEQS}: [3], {BATCHED}: null}}}}\n")
    vary = folder.load("p", "vary.axes.server.port=[5, 6]").vary
    assert vary is not None
    assert vary.axes == {SEQS: (3,), "server.port": (5, 6)}
    assert folder.load("p", "vary=").vary is None


def test_null_is_a_value_that_takes_a_key_away(folder: Folder) -> None:
    folder.write(
        "p.yaml",
        "container: {image: i, shm_size: 1G}\nserver: {model: /m, flags: {a: 5}, env: {A: x}}\n"
        "vary: {include: [{server.flags.a: null}, {server.env.A: ~}, {container.shm_size: ~}, {}]}\n",
    )
    made = [profile for _, profile in profiles_of(folder.load())]
    assert [dict(profile.server.flags) for profile in made] == [{}, {"a": 5}, {"a": 5}, {"a": 5}]
    assert [dict(profile.server.env) for profile in made] == [{"A": "x"}, {}, {"A": "x"}, {"A": "x"}]
    assert [profile.container.shm_size for profile in made] == [2**30, 2**30, None, 2**30]
    assert [profile.vary for profile in made] == [None] * 4


def test_a_value_is_laid_over_the_profile_as_an_override_is(folder: Folder) -> None:
    flags = "{speculative_config: {method: mtp, num_speculative_tokens: 1}, x.y: 1}"
    axes = "{server.flags.speculative_config: [{num_speculative_tokens: 3}], server.flags.x.y: [2]}"
    folder.write("p.yaml", f"container: {{image: i}}\nserver: {{model: /m, flags: {flags}}}\nvary: {{axes: {axes}}}\n")
    ((_, made),) = profiles_of(folder.load())
    over = ["server.flags.speculative_config={num_speculative_tokens: 3}", "server.flags.x.y=2", "vary="]
    assert made == folder.load("p", *over)


def test_a_section_comes_back_from_a_file_as_it_was(folder: Folder) -> None:
    vary = f"{{axes: {{{SEQS}: [1, null], container.image: [a, b]}}, exclude: [{{{SEQS}: null}}], include: [{{}}]}}"
    folder.write("p.yaml", f"{GOOD}vary: {vary}\n")
    profile = folder.load()
    folder.write("q.yaml", dump_profile(profile))
    again = folder.load("q")
    assert again == profile
    assert again.vary is not None
    assert [{key: choice.value for key, choice in item.items()} for item in combinations(again.vary)] == [
        {SEQS: 1, "container.image": "a"},
        {SEQS: 1, "container.image": "b"},
        {},
    ]

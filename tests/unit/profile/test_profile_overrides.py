"""`--set KEY=VALUE`: laid over the file like one more file, with its own places in faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from profile_folder import GOOD
from samples import from_node

if TYPE_CHECKING:
    from profile_folder import Folder


def test_values_are_yaml_and_later_ones_win(folder: Folder) -> None:
    folder.write("p.yaml", f"{GOOD}bench: {{num_prompts: 1, lengths: [[1, 1]]}}\n")
    profile = folder.load(
        "p",
        "server.port=1",
        "server.port=8010",
        "container.image=repo:5000/x:tag",
        "container.shm_size=2g",
        "container.devices=[/dev/kfd, /dev/dri]",
        "bench.lengths=[[512, 512], [1024, 1024]]",
        "bench.num_prompts=[2, 4]",
        "bench.request_rate=.inf",
        "health.deadline=2h",
        "name=other",
        "description==",
    )
    assert profile.server.port == 8010
    assert profile.container.image == "repo:5000/x:tag"
    assert profile.container.shm_size == 2**31
    assert [device.source for device in from_node(profile.container.devices)] == ["/dev/kfd", "/dev/dri"]
    assert profile.bench is not None
    assert profile.bench.lengths == ((512, 512), (1024, 1024))
    assert profile.bench.num_prompts == (2, 4)
    assert profile.bench.request_rate == ("inf",)
    assert profile.health.deadline == 7200
    assert (profile.name, profile.description) == ("other", "=")


def test_what_follows_flags_is_one_flag_with_dashes_and_dots(folder: Folder) -> None:
    folder.write("p.yaml", f"{GOOD}bench: {{num_prompts: 1, lengths: [[1, 1]]}}\n")
    profile = folder.load(
        "p",
        "server.flags.max-num-seqs=64",
        "server.flags.speculative_config.num_tokens=3",
        'server.flags.json={"a": {"b": null}}',
        "bench.client_flags.goodput=[ttft:100]",
    )
    assert dict(profile.server.flags) == {
        "max-num-seqs": 64,
        "speculative_config.num_tokens": 3,
        "json": {"a": {"b": None}},
    }
    assert profile.bench is not None
    assert dict(profile.bench.client_flags) == {"goodput": ["ttft:100"]}


def test_what_follows_a_setting_of_the_kernel_or_a_label_is_one_key_with_its_dots(folder: Folder) -> None:
    folder.write("p.yaml", GOOD)
    profile = folder.load("p", "container.sysctls.net.core.somaxconn=1024", "container.labels.org.site=a")
    assert profile.container.sysctls == {"net.core.somaxconn": "1024"}
    assert profile.container.labels == {"org.site": "a"}


def test_variables_and_secrets_can_be_set(folder: Folder) -> None:
    folder.write("p.yaml", f"{GOOD[:-2]}, env: {{A: 1, B: 2}}}}\n")
    profile = folder.load("p", "server.env.A=", "server.env.B=no", "container.env.T.from_env=TOKEN")
    assert dict(profile.server.env) == {"B": "no"}
    assert profile.model_dump(mode="json")["container"]["env"] == {"T": {"from_env": "TOKEN"}}


def test_nothing_after_the_equals_sign_takes_a_key_away(folder: Folder) -> None:
    folder.write("p.yaml", "container: {image: i, shm_size: 1g}\nserver: {model: m, flags: {x: 1, y: 2}}\n")
    profile = folder.load("p", "container.shm_size=", "server.flags.x=null")
    assert profile.container.shm_size is None
    assert dict(profile.server.flags) == {"y": 2}


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("server.prot=8000", "--set server.prot:1:8 server.prot — unknown key; did you mean 'port'?"),
        ("serer.port=8000", "--set serer.port:1:1 serer — unknown key; did you mean 'server'?"),
        ("server.port=many", "--set server.port:1:13 server.port — must be a whole number"),
        ("server..port=1", "--set server..port:1:8 server.'' — unknown key; known here: model, command, host, port, flags, env, container_port"),
        ("server.port.x=1", "--set server.port.x:1:8 server.port — must be a whole number"),
        ("container.mounts.0=/a:/b", "--set container.mounts.0:1:11 container.mounts — must be a list; its items have no keys, so give the whole list"),
        ("container.mounts=[/a:b]", "--set container.mounts:1:19 container.mounts[0] — target must be an absolute path"),
        ("server.flags.x=", "--set server.flags.x:1:14 server.flags.x — has no value, and no extended profile sets it: in a one-line mapping put text that holds a comma in quotes; a flag without a value is written true"),
        ("server.flags.---x=1", "--set server.flags.---x:1:14 server.flags.---x — must be a flag's name, such as max-model-len or --max-model-len"),
        ("server.flags.x=[1", "--set server.flags.x:1:18 — not YAML: expected ',' or ']', but got '<stream end>'"),
        ("extends=other", "--set extends:1:1 extends — only a file can extend another"),
        ("server.port", "--set:1:1 — write KEY=VALUE, such as server.port=8010"),
        ("=5", "--set :1:1 — write KEY=VALUE, such as server.port=8010"),
        ("", "--set:1:1 — write KEY=VALUE, such as server.port=8010"),
    ],
)  # fmt: skip
def test_a_fault_of_an_override_names_its_key_but_not_its_value(folder: Folder, override: str, fault: str) -> None:
    assert folder.faults_in(GOOD, override) == [fault]


def test_overrides_keep_their_order_in_faults(folder: Folder) -> None:
    assert folder.faults_in(GOOD, "server.zort=1", "server.bort=1", "server.zort=2") == [
        "--set server.zort:1:8 server.zort — unknown key; did you mean 'port'?",
        "--set server.bort:1:8 server.bort — unknown key; did you mean 'port'?",
    ]

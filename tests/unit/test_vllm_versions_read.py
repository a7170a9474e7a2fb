"""Which version a text or an image's name tells: vLLM's, or none; nothing else is ever taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import a_profile

from orchestrator.lint.lint import lint
from orchestrator.plan.plan import plan
from orchestrator.vllm.client import LATEST
from orchestrator.vllm.versions import parse_version, planned_version, version_in_image


@given(st.tuples(*[st.integers(min_value=0, max_value=99)] * 3), st.sampled_from(["", "v", "vllm-"]))
def test_any_version_of_three_numbers_is_read(version: tuple[int, int, int], prefix: str) -> None:
    text = prefix + ".".join(map(str, version))
    assert parse_version(text) == version


@pytest.mark.parametrize("rest", ["+local.1.2.3", "+dtk2604.torch2.5.1", "rc2", ".post1", ".dev7+g0123abc.d20260101"])
def test_what_follows_a_version_does_not_count(rest: str) -> None:
    assert parse_version(f"0.28.1{rest}") == (0, 28, 1)
    assert parse_version(f"0.28{rest}") == (0, 28, 0)


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (
            "image.sourcefind.cn:5000/dcu/admin/base/vllm:0.8.5-ubuntu22.04-dtk25.04.1-rc5-das1.6-py3.10-20250711",
            "0.8.5",
        ),
        ("hub.example.cn:5000/base/custom:vllm0.18.1-ubuntu22.04-dtk26.04-py3.10-20260301", "0.18.1"),
        ("hub.example.cn/base/custom:lmslim-vLLM_v0.9.2-dtk25.04", "0.9.2"),
        ("hub.example.cn/base/vllm0.11.0-dtk26.04:20260301", "0.11.0"),
        ("vllm/vllm-openai:v0.32.0", "0.32.0"),
        ("vllm/vllm-openai:v0.11.0rc2", "0.11.0"),
        ("vllm/vllm-openai:v0.10.1.1", "0.10.1"),
        ("vllm-openai:v0.10.2-aarch64", "0.10.2"),
        ("vllm/vllm-openai-rocm:v0.24.0@sha256:0123", "0.24.0"),
        ("vllm/vllm-openai:cu129-v0.11.0", "0.11.0"),
        ("quay.example.io/ascend/vllm-ascend:v0.9.1rc1-310p", "0.9.1"),
        ("orch-cpu:0.8.5", "0.8.5"),
        ("orch-cpu:0.8.5-f213d434923c", "0.8.5"),
        ("orch-client:0.14.1", "0.14.1"),
        ("rocm/vllm:rocm6.4.1_vllm_0.10.0_20250812", "0.10.0"),
        ("rocm/vllm:rocm6.4.1_vllm_0.9.1_20250715", "0.9.1"),
        ("registry/base:ubuntu22.04-vllm-0.9.2", "0.9.2"),
        ("registry:5000/vllm:0.10.2", "0.10.2"),
        ("registry:5000/vllm", None),
        ("vllm/vllm-openai:latest", None),
        ("vllm/vllm-openai", None),
        ("vllm/vllm-openai@sha256:0801085", None),
        ("rocm/vllm-dev:nightly_main_20260301", None),
        ("rocm/vllm-dev:nightly-rocm6.4.1", None),
        ("nvcr.io/nvidia/vllm:25.09-py3", None),
        ("vllm-gaudi:1.22.0", None),
        ("hub.example.com/gaudi/vllm-gaudi:0.22.0", None),
        ("vault.example.ai/gaudi-docker/1.22.0/ubuntu22.04/habanalabs/vllm-installer-2.7.1:latest", None),
        ("lmcache/vllm-openai:v0.3.9", None),
        ("vllm/production-stack-router:0.1.5", None),
        ("my/vllm:cuda12.8.1-py3.12", None),
        ("my/vllm:1.0.0", None),
        ("my/notvllm:0.9.1", None),
        ("image.sourcefind.cn:5000/dcu/admin/base/custom:kylinv10-dtk25.04-py310", None),
        ("pytorch:2.6.0", None),
        ("", None),
    ],
)
def test_an_image_that_names_its_version_is_believed(image: str, version: str | None) -> None:
    assert version_in_image(image) == version


@given(st.text())
def test_any_name_at_all_tells_a_version_of_vllm_or_none(image: str) -> None:
    found = version_in_image(image)
    assert found is None or found in image


@pytest.mark.parametrize(
    ("image", "version"), [("vllm:0.7.3", None), ("vllm:0.8.0", "0.8.0"), ("vllm:0.33.0", "0.33.0"), ("vllm", None)]
)
def test_a_version_older_than_orch_knows_is_planned_as_an_unknown_one(image: str, version: str | None) -> None:
    assert planned_version(image) == version
    made = plan(a_profile(container={"image": image}), "name", "/folder")
    assert (made.vllm_version, made.assumed) == (version or LATEST, version is None)


def test_that_a_version_is_older_than_orch_knows_is_said() -> None:
    profile = a_profile(container={"image": "vllm:0.7.3"})
    said = "names vLLM 0.7.3, older than orch knows; it is planned for as if it were the newest"
    assert f"container.image — {said}" in plan(profile, "name", "/folder").flags
    assert said in [remark.text for remark in lint(profile) if remark.key == "container.image"]

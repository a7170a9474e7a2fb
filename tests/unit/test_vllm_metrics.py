"""What `/metrics` says under one set of names for all versions, from the pages of real servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.vllm.counters import COUNTERS, GAUGES, UNCOUNTED, Served, read_load, read_served, sample_totals

PAGES = sorted((Path(__file__).resolve().parents[1] / "fixtures" / "vllm").glob("*/metrics.txt"))
assert PAGES

PAGE = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="/m"} 3.0
vllm:num_requests_running{engine="1",model_name="a } b, c"} 4.0 1732420000000
vllm:generation_tokens_total{engine="0"} 1.5e+03
vllm:kv_cache_usage_perc{engine="0"} 0.5
vllm:kv_cache_usage_perc{engine="1"} 0.75
vllm:kv_cache_usage_perc{engine="2"} 0.25
process_open_fds 42.0
vllm:broken{engine="0"} many
vllm:nothing{engine="0"}

"""


def counters(**values: float | None) -> Served:
    return Served(**{**dict.fromkeys(COUNTERS, 0.0), **values})


def test_samples_are_summed_over_their_labels_and_parts_are_those_of_the_fullest_engine() -> None:
    assert sample_totals(PAGE) == {
        "vllm:num_requests_running": 7.0,
        "vllm:generation_tokens_total": 1500.0,
        "vllm:kv_cache_usage_perc": 0.75,
        "process_open_fds": 42.0,
    }


def test_requests_that_were_cut_off_are_among_those_that_ended_and_told_apart() -> None:
    sample = 'vllm:request_success_total{{finished_reason="{}",model_name="/m"}} {}\n'
    page = "".join(sample.format(reason, count) for reason, count in (("stop", 5), ("abort", 2), ("error", 1)))
    served = read_served(sample_totals(page))
    assert (served.requests, served.cut_off) == (8.0, 3.0)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.parent.name)
def test_a_real_server_s_page_is_read(page: Path) -> None:
    totals = sample_totals(page.read_text(encoding="utf-8"))
    served, load = read_served(totals), read_load(totals)
    assert served.prompt_tokens > 0
    assert served.generation_tokens > 0
    assert (load.running, load.waiting) == (0.0, 0.0)
    assert 0.0 <= load.kv_cache_usage <= 1.0


@pytest.mark.parametrize("name", COUNTERS)
def test_a_counter_is_found_under_each_of_its_names(name: str) -> None:
    for sample in COUNTERS[name]:
        assert getattr(read_served({sample: 5.0}), name) == 5.0
    assert getattr(read_served({}), name) == (None if name in UNCOUNTED else 0.0)


@pytest.mark.parametrize("name", GAUGES)
def test_a_gauge_is_found_under_each_of_its_names(name: str) -> None:
    for sample in GAUGES[name]:
        assert getattr(read_load({sample: 0.5}), name) == 0.5
    assert getattr(read_load({}), name) == 0.0


def test_what_was_served_between_two_moments_is_the_difference() -> None:
    before, after = counters(requests=5, prompt_tokens=100), counters(requests=8, prompt_tokens=400, preemptions=1)
    assert after.since(before) == counters(requests=3, prompt_tokens=300, preemptions=1)


@pytest.mark.parametrize("after", [{"requests": 2, "prompt_tokens": 400}, {"requests": 9, "prompt_tokens": 50}])
def test_a_server_that_was_restarted_in_between_counts_from_zero(after: dict[str, float]) -> None:
    before = counters(requests=5, prompt_tokens=100, preemptions=7)
    assert counters(**after).since(before) == counters(**after)


def test_what_an_engine_does_not_count_is_not_zero() -> None:
    before, after = counters(prefix_cache_hits=None), counters(requests=3, prefix_cache_hits=None)
    assert after.since(before).prefix_cache_hits is None
    assert counters(prefix_cache_hits=5).since(before).prefix_cache_hits == 5


def test_means_are_told_where_there_is_something_to_tell() -> None:
    assert counters(ttft_sum_s=0.5, ttft_count=10).mean_ttft_ms == 50.0
    assert counters().mean_ttft_ms is None
    assert counters(drafts=10, accepted_tokens=25).acceptance_length == 3.5
    assert counters().acceptance_length is None
    assert counters(queue_sum_s=0.5, queue_count=10).queued_ms == 50.0
    assert counters().queued_ms is None
    assert counters(e2el_sum_s=5.0, e2el_count=10).mean_e2el_ms == 500.0
    assert counters().mean_e2el_ms is None


def test_the_server_s_time_per_token_is_its_decoding_over_the_tokens_after_the_first() -> None:
    assert counters(decode_sum_s=1.5, answer_tokens=160, answers=10).mean_tpot_ms == 10.0
    assert counters(decode_sum_s=1.5, answer_tokens=10, answers=10).mean_tpot_ms is None
    assert counters(answer_tokens=160, answers=10).mean_tpot_ms is None
    assert counters(decode_sum_s=1.5).mean_tpot_ms is None


def test_a_server_that_keeps_no_statistics_is_told_from_one_that_has_served_nothing() -> None:
    """`--disable-log-stats` leaves the samples of the process and of HTTP alone."""
    assert not read_served({"process_open_fds": 42.0, "http_requests_total": 8.0}).counts
    assert read_served({"vllm:prompt_tokens_total": 0.0}).counts


def test_a_counter_of_a_v1_server_that_is_not_there_is_null_and_of_a_v0_server_zero() -> None:
    v1 = read_served({"vllm:prefix_cache_queries_total": 8.0, "vllm:prefix_cache_hits_total": 1.0})
    v0 = read_served({"vllm:prompt_tokens_total": 8.0})
    assert (v1.preemptions, v1.external_cache_hits, v1.speculates) == (None, None, False)
    assert (v0.preemptions, v0.prefix_cache_hits, v0.speculates) == (0.0, None, None)
    assert read_served({"vllm:spec_decode_num_draft_tokens_total": 0.0}).speculates is True


TTFT_PAGE = """vllm:time_to_first_token_seconds_bucket{engine="0",le="0.1",model_name="/m"} 2.0
vllm:time_to_first_token_seconds_bucket{engine="1",le="0.1",model_name="/m"} 1.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.5",model_name="/m"} 10.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="/m"} 11.0
vllm:time_to_first_token_seconds_count{engine="0"} 11.0
"""


def test_times_to_first_token_are_bounded_by_the_edges_of_their_buckets() -> None:
    served = read_served(sample_totals(TTFT_PAGE))
    assert served.ttft_buckets == ((0.1, 3.0), (0.5, 10.0))
    assert served.ttft_bound_ms(0.1, 11) == 100.0
    assert served.ttft_bound_ms(0.5, 11) == 500.0
    assert served.ttft_bound_ms(0.99, 11) is None, "the slowest is in the last bucket, which has no edge"
    assert served.ttft_bound_ms(0.99, 9) is None, "what is not the client's may have been the quickest"
    before = served.model_copy(update={"ttft_count": 3.0, "ttft_buckets": ((0.1, 3.0), (0.5, 3.0))})
    assert served.since(before).ttft_buckets == ((0.1, 0.0), (0.5, 7.0))

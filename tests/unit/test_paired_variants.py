"""Promise V6: Variants of a study are compared by pairs that had the same prompts."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest
from samples import a_bench, a_profile, a_record, a_run, result_bytes

from orchestrator.cli.show import show_study
from orchestrator.plan.sweep import sweep
from orchestrator.report.compared import compared
from orchestrator.results.pairs import change_of, change_over_points, paired, paired_change
from orchestrator.results.statistics import mean_interval
from orchestrator.runs.format.records import MeasurementRecord, RunState
from orchestrator.runs.study import Study
from orchestrator.vllm.result import read_metrics

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.workload.point import Measurement

METRIC = "output_throughput"


def record(taken: Measurement, throughput: float, **fields: Any) -> MeasurementRecord:
    """Return the record of a measurement that nothing speaks against, with this output throughput."""
    metrics = read_metrics(result_bytes(output_throughput=throughput, duration=10.0, mean_e2el_ms=100.0))
    return a_record(taken, **{"metrics": metrics, **fields})


def test_a_change_is_the_geometric_mean_of_the_ratios_with_student_s_interval() -> None:
    change = paired_change([math.log(1.02), math.log(1.04), math.log(1.06)])
    assert change is not None
    assert change.pairs == 3
    assert change.change == pytest.approx((1.02 * 1.04 * 1.06) ** (1 / 3) - 1)
    assert change.low is not None
    assert change.high is not None
    assert change.low == pytest.approx(-0.0087, abs=2e-4)
    assert change.high == pytest.approx(0.0908, abs=2e-4)
    t = 3.5209
    assert change.p == pytest.approx(1.0 - t / math.sqrt(2.0 + t * t), rel=1e-3), "two degrees have a closed form"


def test_values_that_agree_exactly_have_an_interval_all_the_same() -> None:
    change = paired_change([0.0, 0.0, 0.0])
    assert change is not None
    assert change.low is not None
    assert change.high is not None
    assert change.low < 0.0 < change.high
    assert change.p == pytest.approx(1.0)


def test_one_pair_has_a_change_and_no_interval_and_none_has_nothing() -> None:
    change = paired_change([math.log(1.1)])
    assert change is not None
    assert (change.pairs, change.low, change.high, change.p) == (1, None, None, None)
    assert paired_change([]) is None


@pytest.mark.parametrize(("repetitions", "told", "apart"), [(3, 0.60, 0.14), (5, 0.98, 0.57)])
def test_pairs_tell_what_separate_intervals_do_not_and_are_wrong_no_more_often(
    repetitions: int, told: float, apart: float
) -> None:
    drawn = random.Random(repetitions)
    seen = separate = wrong = 0
    trials, own = 1500, 0.02 / math.sqrt(2.0)
    for _ in range(trials):
        prompts = [drawn.gauss(0.0, own) for _ in range(repetitions)]
        before = [math.exp(each + drawn.gauss(0.0, own)) for each in prompts]
        after = [1.05 * math.exp(each + drawn.gauss(0.0, own)) for each in prompts]
        ratios = [math.log(there / here) for here, there in zip(before, after, strict=True)]
        change, same = paired_change(ratios), paired_change([ratio - math.log(1.05) for ratio in ratios])
        assert change is not None
        assert same is not None
        assert change.low is not None
        assert same.p is not None
        seen += change.low > 0.0
        wrong += same.p < 0.05
        left, right = mean_interval(before), mean_interval(after)
        assert left is not None
        assert right is not None
        separate += left.high < right.low
    assert seen / trials == pytest.approx(told, abs=0.04)
    assert separate / trials == pytest.approx(apart, abs=0.04)
    assert wrong / trials == pytest.approx(0.05, abs=0.02)


def test_only_what_had_the_same_prompts_and_is_done_makes_a_pair() -> None:
    taken = sweep(a_bench(repetitions=4))
    before = [record(each, 100.0) for each in taken]
    after = [
        record(taken[0], 110.0),
        record(taken[1], 110.0, seed=1),
        record(taken[2], 110.0, state=RunState.FAILED),
        record(taken[3], 110.0),
    ]
    assert [pair[1].repetition for pair in paired(before, after)] == [1, 4]
    change = change_of(paired(before, after), METRIC)
    assert change is not None
    assert change.pairs == 2
    assert change.change == pytest.approx(0.1)
    assert change_of(paired(before, after), "request_goodput") is None


def test_over_all_points_a_repetition_is_one_value() -> None:
    taken = sweep(a_bench(num_prompts=[2, 4, 6], repetitions=3))
    before = [record(each, 100.0) for each in taken]
    gains = {2: 1.02, 4: 1.04, 6: 1.5}
    after = [record(each, 100.0 * gains[each.point.num_prompts]) for each in taken]
    without = [each for each in after if (each.parameters["num_prompts"], each.repetition) != (6, 3)]
    change = change_over_points(paired(before, without), METRIC)
    assert change is not None
    assert change.pairs == 3
    assert change.change == pytest.approx(math.sqrt(1.02 * 1.04) - 1), "a point that lacks a repetition is left out"


def test_a_study_says_how_each_variant_differs_from_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = {"num_prompts": [2, 4], "repetitions": 3}
    profile = a_profile(bench=bench)
    assert profile.bench is not None
    runs = []
    for number, gain in enumerate((1.0, 1.05), start=1):
        run = a_run(tmp_path / str(number), profile, study="s", varied={"server.flags.max-num-seqs": str(64 * number)})
        for each in sweep(profile.bench):
            level = {1: 98.0, 2: 100.0, 3: 103.0}[each.repetition]
            run.write_record(record(each, gain * level, idle_before=each.repetition != 2 or number == 1))
        runs.append(run)
    study = Study("s", tuple(runs))
    rows = [row for item in compared(study) for row in item.as_data() if row["metric"] == METRIC]
    assert [row["point"] is None for row in rows] == [False, False, True]
    for row in rows:
        assert row["change"] == pytest.approx(0.05)
        assert 0.04 < row["low"] < 0.05 < row["high"] < 0.06
        assert (row["pairs"], row["suspect"]) == (3, 2 if row["point"] is None else 1)
    show_study(study, as_json=False)
    shown = capsys.readouterr().out
    assert "max-num-seqs=128 against max-num-seqs=64, by pairs with the same prompts (95% interval; one start" in shown
    assert "64/16 × 2 prompts: output_throughput +5.0% (+4.5% to +5.5%), mean_ttft_ms +0.0% (" in shown
    assert "(3 pairs, 1 of them SUSPECT)" in shown
    assert "all points together: output_throughput +5.0% (+4.5% to +5.5%)" in shown

"""Every name of a metric in results, tables, objectives and documents is in the catalogue, which has no others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from samples import a_manifest, a_profile, a_record, result_bytes

import orchestrator
from orchestrator.cli.tables import SEARCHED, SHOWN, WHOLE
from orchestrator.metrics.catalogue import BESIDE, CATALOGUE, FIGURES, LATENCIES, Metric, find, of_latency, usual
from orchestrator.metrics.objectives import METRIC_PATTERN, METRICS, bounded, metric_value, parse_objective
from orchestrator.metrics.reference import rewritten
from orchestrator.metrics.values import STATISTICS, Metrics
from orchestrator.report.table import GUIDE_COLUMNS, wide_row
from orchestrator.vllm.result import read_metrics

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"
PAGES = [*sorted(DOCS.glob("**/*.md")), *sorted(TESTS.parent.glob("README*.md"))]
SOURCES = sorted(Path(orchestrator.__file__).parent.rglob("*.py"))
BEFORE, BEHIND = "seed", "server_prompt_tokens"
"""The columns of the wide table that the client's figures stand between."""
LIKE_A_METRIC = (
    r"\b(?:mean|median|std|p\d[\d.]*)_[a-z0-9]+_ms|\b(?:total_)?(?:request|output|token)_(?:throughput|goodput)"
)
UNITS = {"seconds": "s", "requests per second": "requests/s", "tokens per second": "tokens/s", "milliseconds": "ms"}
UNITS |= {"秒": "s", "请求/秒": "requests/s", "token/秒": "tokens/s", "毫秒": "ms"}


def of_the_client(columns: list[str]) -> list[str]:
    return columns[columns.index(BEFORE) + 1 : columns.index(BEHIND)]


def usual_ones(columns: list[str]) -> list[str]:
    """Return the columns but those of further percentiles, each of which is read from its name."""
    further = [column for column in columns if column not in CATALOGUE]
    assert [column for column in further if (metric := find(column)) is None or metric.always] == []
    return [column for column in columns if column not in further]


def flat(dumped: dict[str, object]) -> dict[str, object]:
    """Return the figures of a record as the wide table names them."""
    figures: dict[str, object] = {}
    for name, value in dumped.items():
        figures |= {f"{key}_{name}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
    return figures


def distinct() -> Metrics:
    """A measurement in which no two figures are alike."""
    latencies = {
        f"{latency}_ms": {statistic: 10.0 * number + place for place, statistic in enumerate(STATISTICS)}
        for number, latency in enumerate(LATENCIES, start=10)
    }
    return Metrics.model_validate({**{metric.name: place for place, metric in enumerate(FIGURES)}, **latencies})


def test_the_catalogue_has_every_figure_of_a_record_and_no_other() -> None:
    figures = flat(distinct().model_dump())
    assert list(figures) == list(CATALOGUE)
    assert {name: metric.value(distinct()) for name, metric in CATALOGUE.items()} == figures
    assert len(set(figures.values())) == len(figures)


def test_the_wide_table_has_every_metric_and_no_other_figure_of_the_client() -> None:
    metrics = read_metrics(result_bytes(request_goodput=3.0, **{"p99.9_tpot_ms": 8.5}))
    row = wide_row(a_manifest(), a_record(metrics=metrics), None)
    without = wide_row(a_manifest(), a_record(metrics=None), None)
    ours = {"state", *(column.name for column in BESIDE)}
    assert [name for name in row if row[name] != without.get(name) and name not in ours] == of_the_client(list(row))
    assert usual_ones(of_the_client(list(row))) == list(CATALOGUE)
    assert list(without) == [name for name in row if name != "p99.9_tpot_ms"]


@pytest.mark.parametrize("path", sorted(TESTS.glob("golden/expected/**/wide.csv")), ids=lambda path: path.parent.name)
def test_the_csv_of_every_run_on_record_has_the_catalogue_s_columns(path: Path) -> None:
    header = path.read_text(encoding="utf-8").splitlines()[0].split(",")
    assert usual_ones(of_the_client(header)) == list(CATALOGUE)


@pytest.mark.parametrize("kind", ["run", "study"])
def test_the_json_has_the_catalogue_s_keys(kind: str) -> None:
    schema = json.loads((DOCS / "schemas" / f"json-{kind}.schema.json").read_bytes())["properties"]
    run = schema["runs"]["items"]["properties"] if kind == "study" else schema
    assert of_the_client(list(run["results"]["items"]["properties"])) == list(CATALOGUE)


def test_the_guide_s_table_has_the_metrics_that_have_a_column_there() -> None:
    filled = {column: source for column, source in GUIDE_COLUMNS.items() if source in CATALOGUE}
    assert filled == {metric.guide: name for name, metric in CATALOGUE.items() if metric.guide}


def test_no_two_metrics_have_one_heading_and_every_heading_of_a_figure_is_shown() -> None:
    headed = [metric for metric in CATALOGUE.values() if metric.heading]
    assert len({metric.heading for metric in headed}) == len(headed)
    assert {metric for metric in FIGURES if metric.heading} <= {CATALOGUE.get(name) for name in (*SHOWN, *SEARCHED)}


def test_the_table_of_requests_that_generate_nothing_has_no_metric_of_tokens() -> None:
    assert [name for name in WHOLE if name in CATALOGUE and CATALOGUE[name].of_tokens] == []
    assert [CATALOGUE[usual(generates=generates)].of_tokens for generates in (True, False)] == [True, False]


@pytest.mark.parametrize("metric", [*CATALOGUE.values(), of_latency("itl", "p99.9")], ids=lambda metric: metric.name)
def test_an_objective_can_be_about_just_what_has_a_better_direction(metric: Metric) -> None:
    assert find(metric.name) == metric
    assert (re.fullmatch(METRIC_PATTERN, metric.name) is not None) == (metric.better is not None)
    if metric.better:
        assert bounded(metric.name) == metric
    else:
        with pytest.raises(ValueError, match="is not a metric"):
            bounded(metric.name)


def test_less_is_better_of_every_latency_and_more_of_every_throughput() -> None:
    assert {name: CATALOGUE[name].better for name in METRICS} == {
        name: "lower" if name.endswith("_ms") else "higher" for name in METRICS
    }


def test_zeros_too_many_in_a_percentile_name_the_same_metric() -> None:
    metrics = read_metrics(result_bytes(**{"p99.9_ttft_ms": 7.25}))
    assert metric_value("p99.90_ttft_ms", metrics) == 7.25
    assert str(parse_objective("p99.90_ttft_ms<8")) == "p99.9_ttft_ms<8"
    assert find("p50.0_ttft_ms") is CATALOGUE["p50_ttft_ms"]
    assert a_profile(bench={"percentiles": 99.9}, objectives=["p99.90_ttft_ms<8"]).objectives


@pytest.mark.parametrize("name", ["p100_ttft_ms", "p9.9.9_ttft_ms", "p99_ttft", "max_ttft_ms", "ttft_ms", "", "state"])
def test_what_is_no_metric_is_not_found(name: str) -> None:
    assert find(name) is None
    assert metric_value(name, distinct()) is None


def test_the_committed_table_is_what_the_catalogue_says() -> None:
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert page == rewritten(page), "docs/metrics.md is stale: make generated"


@pytest.mark.parametrize("page", ["metrics.md", "metrics.zh-CN.md"])
def test_the_glossary_explains_metrics_under_their_names_and_units(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    explained = dict(re.findall(r"^### .*· `(\w+)`[^·]* · (.+)$", text, flags=re.MULTILINE))
    assert {name: UNITS[unit] for name, unit in explained.items()} == {
        name: metric.unit
        for name, metric in CATALOGUE.items()
        if metric.statistic == "mean" or (not metric.latency and metric.heading)
    }
    for metric in CATALOGUE.values():
        assert not metric.guide or f"| `{metric.guide}` | `{metric.name}` |" in text


def test_no_document_and_no_module_names_a_metric_that_there_is_not() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in (*PAGES, *SOURCES)}
    named = {(path.name, name) for path, text in texts.items() for name in re.findall(LIKE_A_METRIC, text)}
    assert {(path, name) for path, name in named if find(name) is None} == set()
    assert {name for _, name in named} >= {metric.name for metric in CATALOGUE.values() if metric.unit.endswith("/s")}

"""The phases of a starting server, from the log lines of real ones and from the wordings of all releases."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.vllm.phases import Phase, phase_of, shards_loaded

LOGS = sorted((Path(__file__).resolve().parents[1] / "fixtures" / "vllm").glob("*/server*.log"))

assert LOGS

OLD = "INFO 07-11 10:00:00 [x.py:1] "
WORKER = "(VllmWorker rank=3 pid=77) INFO 07-11 10:00:00 [x.py:1] "
NEW = "(EngineCore pid=26) INFO 11-24 04:07:19 [core.py:402] "

WORDINGS = {
    OLD + "vLLM API server version 0.8.5.dev0": Phase.STARTING,
    OLD + "args: Namespace(subparser='serve')": None,
    OLD + "Automatically detected platform rocm.": Phase.STARTING,
    NEW + "vLLM server version 0.18.0, serving model /m": Phase.STARTING,
    NEW + "non-default args: {'model': '/m'}": Phase.STARTING,
    WORKER + "Starting to load model /data/model/DeepSeek-R1-awq...": Phase.WEIGHTS,
    "Loading safetensors checkpoint shards:   2% Completed | 2/74 [00:03<01:51,  1.55s/it]": Phase.WEIGHTS,
    WORKER + "Loading weights took 115.71 seconds": Phase.MEMORY,
    WORKER + "Model loading took 41.2 GiB and 120.1 seconds": Phase.MEMORY,
    NEW + "Model loading took 41.2 GiB memory and 120.1 seconds": Phase.MEMORY,
    OLD + "Memory profiling takes 6.01 seconds": Phase.MEMORY,
    OLD + "# rocm blocks: 5461, # CPU blocks: 4096": Phase.MEMORY,
    OLD + "# GPU blocks: 5461, # CPU blocks: 4096": Phase.MEMORY,
    NEW + "GPU KV cache size: 1,048,576 tokens": Phase.MEMORY,
    NEW + "Dynamo bytecode transform time: 5.2 s": Phase.GRAPHS,
    NEW + "torch.compile takes 25.1 s in total": Phase.GRAPHS,
    NEW + "torch.compile took 25.1 s in total": Phase.GRAPHS,
    "Capturing CUDA graph shapes:  31%|███▏      | 11/35 [00:07<00:16,  1.44it/s]": Phase.GRAPHS,
    "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE): 100%|": Phase.GRAPHS,
    NEW + "init engine (profile, create kv cache, warmup model) took 0.42 s": Phase.SERVING,
    OLD + "Starting vLLM API server on http://0.0.0.0:8000": Phase.SERVING,
    OLD + "Starting vLLM API server 0 on http://0.0.0.0:8000": Phase.SERVING,
    NEW + "Starting vLLM server on http://0.0.0.0:8000": Phase.SERVING,
    OLD + "Available routes are:": Phase.SERVING,
    'INFO:     172.17.0.1:48656 - "GET /health HTTP/1.1" 200 OK': None,
    OLD + "Using max model len 2048": None,
    "": None,
}


@pytest.mark.parametrize("line", WORDINGS)
def test_a_wording_announces_its_phase(line: str) -> None:
    assert phase_of(line.encode()) == WORDINGS[line]


@pytest.mark.parametrize(
    ("line", "percent"),
    [
        ("Loading safetensors checkpoint shards:   0% Completed | 0/74 [00:00<?, ?it/s]", 0),
        ("Loading safetensors checkpoint shards:  31% Completed | 23/74 [00:36<01:21,  1.60s/it]", 31),
        ("Loading pt checkpoint shards: 100% Completed | 2/2 [00:01<00:00,  1.2it/s]", 100),
        ("Capturing CUDA graph shapes:  31%|███▏      | 11/35 [00:07<00:16,  1.44it/s]", None),
        ("Loading weights took 115.71 seconds", None),
    ],
)
def test_the_progress_of_loading_is_read(line: str, percent: int | None) -> None:
    assert shards_loaded(line.encode()) == percent


@pytest.mark.parametrize("log", LOGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_real_server_goes_through_its_phases_in_order(log: Path) -> None:
    found = [phase for phase in map(phase_of, log.read_bytes().splitlines()) if phase is not None]
    reached = [phase for index, phase in enumerate(found) if phase > max(found[:index], default=Phase.CONTAINER)]
    assert reached[:2] == [Phase.STARTING, Phase.WEIGHTS]
    assert reached[-1] == Phase.SERVING
    assert Phase.MEMORY in reached


@pytest.mark.parametrize("log", LOGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_real_server_tells_how_far_it_has_loaded(log: Path) -> None:
    percents = [percent for percent in map(shards_loaded, log.read_bytes().splitlines()) if percent is not None]
    assert percents == sorted(percents)
    assert percents[-1] == 100


def test_a_phase_has_a_label_of_its_own() -> None:
    assert len({phase.label for phase in Phase}) == len(Phase)
    assert Phase.WEIGHTS.label == "loading weights"


def test_junk_is_no_phase() -> None:
    assert phase_of(b"\xff\xfe\x00 Capturing") is None

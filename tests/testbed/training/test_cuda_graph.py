"""When a step is called, recorded and played, with a stand-in for the GPU; nothing here says that a GPU agrees."""

import contextlib
import functools
from types import SimpleNamespace

import pytest
import torch

from lrsym.testbed.training import cuda_graph
from lrsym.testbed.training.cuda_graph import WARM_UP, CudaGraph

DEVICE = torch.device("cuda:1")


@pytest.fixture
def calls(monkeypatch):
    """What the stand-in was asked for, in order."""
    calls = []

    @contextlib.contextmanager
    def inside(name):
        calls.append(f"{name} begins")
        yield
        calls.append(f"{name} ends")

    stream = SimpleNamespace(wait_stream=lambda other: None)
    made = functools.cache(lambda device: calls.append(f"stream on {device}") or stream)
    monkeypatch.setattr(cuda_graph, "stream_of", made)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: inside("aside"))
    monkeypatch.setattr(torch.cuda, "device", lambda device: inside(str(device)))
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, stream: inside("recording"))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=lambda: calls.append("played")))
    return calls


def test_a_step_is_called_to_warm_up_then_recorded_once_and_played_from_then_on(calls):
    recorded = CudaGraph(DEVICE)
    first = ["cuda:1 begins", "stream on cuda:1", "aside begins", "run", "aside ends", "cuda:1 ends"]
    aside = ["cuda:1 begins", "aside begins", "run", "aside ends", "cuda:1 ends"]
    recording = ["cuda:1 begins", "recording begins", "run", "recording ends", "played", "cuda:1 ends"]
    for wanted in [first] + [aside] * (WARM_UP - 1) + [recording] + [["cuda:1 begins", "played", "cuda:1 ends"]] * 3:
        calls.clear()
        recorded(lambda: calls.append("run"))
        assert calls == wanted


def test_all_recordings_of_a_process_share_one_stream(calls):
    for _ in range(2):
        CudaGraph(DEVICE)(lambda: None)
    assert calls.count("stream on cuda:1") == 1


def test_a_recording_that_failed_is_not_played(calls):
    recorded = CudaGraph(DEVICE)
    for _ in range(WARM_UP):
        recorded(lambda: None)

    def fail():
        raise RuntimeError("not to be recorded")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="not to be recorded"):
            recorded(fail)
    assert "played" not in calls

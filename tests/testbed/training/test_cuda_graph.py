"""When a step is called, recorded and played, with a stand-in for the GPU; nothing here says that a GPU agrees."""

import contextlib
from types import SimpleNamespace

import pytest
import torch

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
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: calls.append(f"stream on {device}") or stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: inside("aside"))
    monkeypatch.setattr(torch.cuda, "device", lambda device: inside(str(device)))
    monkeypatch.setattr(torch.cuda, "graph", lambda graph: inside("recording"))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=lambda: calls.append("played")))
    return calls


def test_a_step_is_called_to_warm_up_then_recorded_once_and_played_from_then_on(calls):
    recorded = CudaGraph(DEVICE)
    assert calls == ["stream on cuda:1"]
    aside = ["cuda:1 begins", "aside begins", "run", "aside ends", "cuda:1 ends"]
    recording = ["cuda:1 begins", "recording begins", "run", "recording ends", "played", "cuda:1 ends"]
    for wanted in [aside] * WARM_UP + [recording] + [["cuda:1 begins", "played", "cuda:1 ends"]] * 3:
        calls.clear()
        recorded(lambda: calls.append("run"))
        assert calls == wanted

"""Out of GPU memory: smaller pieces, then the CPU, each said aloud; with a GPU's refusals injected."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

torch = pytest.importorskip("torch", reason="the engine is not installed", exc_type=ImportError)

from SpineQuantLib.models.committee import Committee  # noqa: E402
from SpineQuantLib.segment import inference  # noqa: E402

SMALLER, CPU = "smaller pieces", "runs on the CPU"


class Net:
    """Stands where a network does, and notes where it was put."""

    def __init__(self) -> None:
        self.places: list[str] = []

    def cpu(self) -> Net:
        self.places.append("cpu")
        return self

    def to(self, device) -> Net:
        self.places.append(str(device))
        return self


@pytest.fixture
def refusing(monkeypatch):
    """A GPU that takes only so many tiles at a time."""

    def refuse(most: int) -> list[tuple[str, int]]:
        tried: list[tuple[str, int]] = []

        def predict(_net, _x, device, tiles):
            tried.append((device.type, tiles))
            if device.type == "cuda" and tiles > most:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return np.zeros((6, 1, 1, 1), np.float32)

        monkeypatch.setattr(inference, "_predict", predict)
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
        return tried

    return refuse


@pytest.mark.parametrize(
    ("most", "tried", "told"),
    [
        (4, [("cuda", 4)], []),
        (1, [("cuda", 4), ("cuda", 1)], [SMALLER]),
        (0, [("cuda", 4), ("cuda", 1), ("cpu", 2)], [SMALLER, CPU]),
    ],
)
def test_each_step_down_is_said_once(refusing, most, tried, told):
    attempts, said, net = refusing(most), [], Net()
    inference._predict_within_memory(net, torch.zeros(1), torch.device("cuda"), tell=said.append)
    assert attempts == tried
    assert len(said) == len(told)
    assert all(words in sentence for words, sentence in zip(told, said, strict=True))
    assert net.places == (["cpu", "cuda"] if most == 0 else []), "the network goes back to the GPU"
    assert not any("tensor" in sentence or "CUDA" in sentence for sentence in said)


def test_on_the_cpu_nothing_is_said(refusing):
    attempts, said = refusing(0), []
    inference._predict_within_memory(Net(), torch.zeros(1), torch.device("cpu"), tell=said.append)
    assert attempts == [("cpu", 2)]
    assert said == []


def test_the_committee_passes_it_on(monkeypatch):
    """Every member meets the same refusal; who listens decides how often to repeat it."""
    shape = (4, 8, 8)

    def predict(net, _x, device, tiles):
        if device.type == "cuda":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        out = np.zeros((6, *shape), np.float32)
        out[net.number] = 1.0
        return out

    class Numbered(Net):
        config = None

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    members = (Numbered(1), Numbered(2))
    committee = Committee.__new__(Committee)
    object.__setattr__(committee, "members", members)
    object.__setattr__(committee, "device", torch.device("cuda"))
    image = sitk.GetImageFromArray(np.random.default_rng(0).random(shape, np.float32))
    grid = inference.Grid.of(image)
    monkeypatch.setattr(inference, "_predict", predict)
    monkeypatch.setattr(inference, "_shown", lambda *_: (torch.zeros((1, 1, *shape)), grid))
    monkeypatch.setattr(inference.Embedding, "gather", lambda *_: inference.nullcontext())
    monkeypatch.setattr(inference.Embedding, "vector", None, raising=False)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    said: list[str] = []
    opinion = inference.ask_committee(committee, image, tell=said.append)
    assert [bool(SMALLER in s) for s in said] == [True, False, True, False]
    assert opinion.members[0].max() == 1
    assert opinion.members[1].max() == 2

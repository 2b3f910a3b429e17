"""Weights come back as they were stored, and nothing else is taken for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from SpineQuantLib.case.errors import EngineError
from SpineQuantLib.models.committee import choose_device, load_committee, load_fast
from SpineQuantLib.models.network import NetworkConfig, SpineUNet
from SpineQuantLib.models.store import find_model, read_weights, write_model

TINY = NetworkConfig(filters=(4, 8, 8), patch=(4, 32, 32))


def networks(n: int) -> list[SpineUNet]:
    out = []
    for seed in range(n):
        torch.manual_seed(seed)
        out.append(SpineUNet(TINY))
    return out


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    write_model(folder, "tiny", "1", TINY, [n.state_dict() for n in networks(2)])
    return folder


def test_weights_survive_at_half_precision(model: Path) -> None:
    for net, state in zip(networks(2), read_weights(find_model(str(model))), strict=True):
        assert {k.replace(".skip_layers", "") for k in state} == set(state)
        for name in state:
            value = net.state_dict()[name]
            torch.testing.assert_close(state[name], value.half().float())


def test_no_file_of_a_model_is_a_pickle(model: Path) -> None:
    assert sorted(p.suffix for p in model.iterdir()) == [".json", ".safetensors", ".safetensors"]


def test_a_loaded_network_is_the_stored_one(model: Path) -> None:
    x = torch.randn(1, 1, 4, 32, 32)
    for net, loaded in zip(networks(2), load_committee(str(model), "cpu").members, strict=True):
        with torch.inference_mode():
            torch.testing.assert_close(loaded(x), net.half().float().eval()(x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("change", ["missing", "added"])
def test_weights_of_another_network_are_refused(tmp_path: Path, change: str) -> None:
    states = [n.state_dict() for n in networks(2)]
    if change == "missing":
        states[0].pop(next(iter(states[0])))
    else:
        states[0]["core.more.weight"] = torch.zeros(1)
    write_model(tmp_path / "other", "other", "1", TINY, states)
    with pytest.raises(EngineError, match="do not fit"):
        load_committee(str(tmp_path / "other"), "cpu")


def test_a_changed_weight_file_is_refused(model: Path) -> None:
    path = model / "member_1.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(EngineError, match="checksum"):
        read_weights(find_model(str(model)))


def test_a_truncated_weight_file_is_refused_even_if_the_card_agrees(model: Path) -> None:
    import hashlib

    path = model / "member_0.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    card = json.loads((model / "card.json").read_text(encoding="utf-8"))
    card["members"][0]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (model / "card.json").write_text(json.dumps(card))
    with pytest.raises(EngineError, match="cannot be read"):
        read_weights(find_model(str(model)))


def test_a_missing_model_is_named() -> None:
    with pytest.raises(EngineError, match="no-such-model"):
        find_model("no-such-model")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"classes": 3}'])
def test_a_broken_card_is_told(model: Path, text: str) -> None:
    (model / "card.json").write_text(text)
    with pytest.raises(EngineError, match="card"):
        find_model(str(model))


def test_a_model_with_other_classes_is_refused(model: Path) -> None:
    card = json.loads((model / "card.json").read_text(encoding="utf-8"))
    card["classes"] = ["background", "kidney"]
    (model / "card.json").write_text(json.dumps(card))
    with pytest.raises(EngineError, match="kidney"):
        find_model(str(model))


def test_a_committee_of_copies_is_refused(tmp_path: Path) -> None:
    state = networks(1)[0].state_dict()
    write_model(tmp_path / "copies", "copies", "1", TINY, [state, state])
    with pytest.raises(EngineError, match="same weights"):
        load_committee(str(tmp_path / "copies"), "cpu")


def test_a_committee_is_loaded_once(model: Path) -> None:
    first = load_committee(str(model), "cpu")
    assert load_committee(str(model), "cpu") is first
    assert not any(m.training for m in first.members)


def test_devices_that_are_not_there_are_refused() -> None:
    assert choose_device("cpu").type == "cpu"
    for wanted in ("cuda:99", "toaster", "meta"):
        with pytest.raises(EngineError, match=r"cpu"):
            choose_device(wanted)


def test_the_network_keeps_the_shape_of_a_patch() -> None:
    net = networks(1)[0].eval()
    with torch.inference_mode():
        assert net(torch.zeros(2, 1, 4, 32, 64)).shape == (2, 6, 4, 32, 64)


def test_the_first_stage_does_not_look_across_thick_slices() -> None:
    torch.manual_seed(0)
    stage = SpineUNet(TINY).core.input_block
    for module in stage.modules():
        if isinstance(module, torch.nn.GroupNorm):
            module.forward = lambda x: x
    x = torch.randn(1, 4, 4, 16, 16)
    y = x.clone()
    y[:, :, 3] += 1
    with torch.inference_mode():
        a, b = stage(x), stage(y)
    torch.testing.assert_close(a[:, :, :3], b[:, :, :3])
    assert not torch.allclose(a[:, :, 3], b[:, :, 3])


def test_eight_bit_weights_are_off_by_half_a_step_at_most(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    states = [n.state_dict() for n in networks(2)]
    write_model(folder, "small", "1", TINY, states, eight_bit=True)
    write_model(tmp_path / "usual", "usual", "1", TINY, states)
    for state, stored in zip(states, read_weights(find_model(str(folder))), strict=True):
        assert set(stored) == {k for k in state if ".skip_layers" not in k}, "scales are no weights of their own"
        for name, value in stored.items():
            if value.ndim == 1:
                torch.testing.assert_close(value, state[name].half().float())
                continue
            step = state[name].flatten(1).abs().amax(dim=1) / 127
            error = (value - state[name]).flatten(1).abs().amax(dim=1)
            assert (error <= 0.5 * step + 1e-7).all()
    size = {n: (tmp_path / n / "member_0.safetensors").stat().st_size for n in ("small", "usual")}
    tensors = len(states[0])
    assert size["small"] - 200 * tensors < size["usual"] / 2, "but for names, half of the size"


def test_eight_bit_kernels_may_be_zero(tmp_path: Path) -> None:
    state = networks(1)[0].state_dict()
    name = next(k for k, v in state.items() if v.ndim > 1 and ".skip_layers" not in k)
    state[name] = torch.zeros_like(state[name])
    write_model(tmp_path / "zero", "zero", "1", TINY, [state], eight_bit=True)
    assert not read_weights(find_model(str(tmp_path / "zero")))[0][name].any()


def test_a_mirrored_look_sees_the_mirror_image(tmp_path: Path) -> None:
    write_model(tmp_path / "one", "one", "1", TINY, [networks(1)[0].state_dict()], {"mirrored": True})
    committee = load_committee(str(tmp_path / "one"), "cpu")
    plain, mirrored = committee.members
    assert committee.words == "1 network (and its look at the mirror image)"
    assert mirrored.config == plain.config
    x = torch.randn(1, 1, 4, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(mirrored(x.flip(2)).flip(2), plain(x))
        assert not torch.allclose(mirrored(x), plain(x))


def test_a_quick_look_is_by_the_network_that_the_card_names(tmp_path: Path) -> None:
    states = [n.state_dict() for n in networks(3)]
    write_model(tmp_path / "pupil", "pupil", "1", TINY, [states[2]], {"mirrored": True})
    write_model(tmp_path / "committee", "committee", "1", TINY, states, {"fast": "pupil"})
    write_model(tmp_path / "other", "other", "1", TINY, states)
    quick = load_fast(str(tmp_path / "committee"), "cpu")
    assert (quick.card.name, quick.card.info.members, len(quick.members)) == ("pupil", 1, 2)
    assert quick.words.startswith("1 network ")
    few = load_fast(str(tmp_path / "other"), "cpu")
    assert (few.card.name, few.words) == ("other", "2 networks")

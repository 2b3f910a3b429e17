"""A spine that leans in its volume is shown to the networks upright, and what they say lies where the spine lies."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

torch = pytest.importorskip("torch", reason="the engine is not installed", exc_type=ImportError)

from SpineQuantLib.anatomy.labels import describe  # noqa: E402
from SpineQuantLib.anatomy.levels import SACRUM_VALUE  # noqa: E402
from SpineQuantLib.anatomy.structures import NetworkClass, Structure  # noqa: E402
from SpineQuantLib.case.grid import Grid  # noqa: E402
from SpineQuantLib.case.opinion import CommitteeOpinion  # noqa: E402
from SpineQuantLib.case.spine import NamedSpine  # noqa: E402
from SpineQuantLib.images.resample import resample_like  # noqa: E402
from SpineQuantLib.images.turn import turned  # noqa: E402
from SpineQuantLib.models.committee import Committee  # noqa: E402
from SpineQuantLib.models.network import NetworkConfig, SpineUNet  # noqa: E402
from SpineQuantLib.segment import upright  # noqa: E402
from SpineQuantLib.segment.upright import Lean, lean_of, look_upright  # noqa: E402

CONFIG = NetworkConfig(filters=(4, 8, 8), patch=(12, 160, 144))
USUAL = np.radians(-7.0)


class Bright(SpineUNet):
    """A network that says: what is bright is body; it keeps what it was shown."""

    def __init__(self, sureness: float) -> None:
        super().__init__(CONFIG)
        self._sureness = sureness
        self.shown: list[np.ndarray] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        super().forward(x[..., :32, :32])  # its encoder is asked for the embedding
        self.shown.append(x[0, 0].numpy().copy())
        bright = x[:, 0] > 0.5 * (x.min() + x.max())
        logits = torch.zeros((len(x), len(NetworkClass), *x.shape[2:]))
        logits[:, NetworkClass.BODY] = torch.where(bright, self._sureness, -self._sureness)
        logits[:, NetworkClass.BACKGROUND] = -logits[:, NetworkClass.BODY]
        return logits


@pytest.fixture(scope="module")
def truth(make_spine):
    return make_spine()


def leaning(truth, turn: tuple[float, float, float]) -> NamedSpine:
    """The spine in a volume whose axes are turned against it by so many degrees about k, j and i."""
    axes = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() @ np.array(truth.grid.directions)
    grid = Grid.of(turned(truth.grid.image(truth.labels.astype(np.float32)), axes))
    labels = resample_like(truth.labels, truth.grid, grid, "nearest")
    inside = resample_like(np.pad(np.ones(np.array(truth.grid.shape) - 2, np.uint8), 1), truth.grid, grid, "nearest")
    return NamedSpine.from_labels(np.where(inside > 0, labels, 0), grid, truth.vertebrae)


def bodies(spine: NamedSpine) -> np.ndarray:
    values = [int(v) for v in np.unique(spine.labels) if v and describe(int(v)).structure is Structure.VERTEBRA]
    return np.isin(spine.labels, [v for v in values if v != SACRUM_VALUE])


@given(
    st.floats(-60, 60),
    st.floats(-40, 40),
    st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(-50, 50)),
)
def test_upright_the_column_runs_as_usual(backwards, sideways, axes):
    down = np.array([np.tan(np.radians(sideways)), 1.0, np.tan(np.radians(backwards))])
    lean = Lean(down / np.linalg.norm(down))
    directions = Rotation.from_euler("xyz", axes, degrees=True).as_matrix()
    found = lean.upright(directions)
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(found) == pytest.approx(1.0), "a mirrored volume would exchange the patient's sides"
    patient = lean.down @ directions
    np.testing.assert_allclose(found @ patient, [0.0, np.cos(USUAL), np.sin(USUAL)], atol=1e-9)
    assert lean.sideways == pytest.approx(sideways, abs=1e-6)
    assert lean.backwards == pytest.approx(backwards + 7.0, abs=1e-6)


def test_a_column_that_runs_as_usual_is_left_alone():
    lean = Lean(np.array([0.0, np.cos(USUAL), np.sin(USUAL)]))
    np.testing.assert_allclose(lean.upright(np.eye(3)), np.eye(3), atol=1e-9)
    assert not lean.matters


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (30.0, 0.0, 0.0), (-30.0, 0.0, 0.0), (0.0, 0.0, 25.0)])
def test_a_lean_is_seen_as_it_is(truth, turn):
    straight, lean = lean_of(leaning(truth, (0.0, 0.0, 0.0))), lean_of(leaning(truth, turn))
    assert abs(lean.backwards - straight.backwards) == pytest.approx(abs(turn[0]), abs=3)
    assert abs(lean.sideways - straight.sideways) == pytest.approx(abs(turn[2]), abs=3)
    assert lean.matters == any(turn)
    if any(turn):
        assert f"leans by {max(abs(lean.backwards), abs(lean.sideways)):.0f}°" in lean.words


def test_of_two_bodies_no_lean_is_told(truth):
    spine = leaning(truth, (30.0, 0.0, 0.0))
    values = list(spine.vertebra_values().values())[:2]
    few = NamedSpine.from_labels(np.where(np.isin(spine.labels, values), spine.labels, 0), spine.grid, truth.vertebrae)
    assert lean_of(few) is None


@pytest.mark.parametrize("turn", [(30.0, 0.0, 0.0), (0.0, 0.0, 30.0)])
def test_what_is_said_of_an_upright_volume_lies_where_the_spine_lies(truth, turn, monkeypatch):
    spine = leaning(truth, turn)
    mask = bodies(spine)
    image = spine.grid.image(mask.astype(np.float32))
    committee = Committee(
        SimpleNamespace(network=CONFIG, name="bright"), tuple(map(Bright, (4.0, 5.0))), torch.device("cpu")
    )
    empty = np.zeros(spine.grid.shape, np.uint8)
    first = CommitteeOpinion(spine.grid, np.zeros((6, *spine.grid.shape), np.float16), np.stack([empty, empty]), None)
    monkeypatch.setattr(upright, "name_spine", lambda _, lowest_disc=None: lowest_disc)
    said: list[str] = []
    lean = lean_of(spine)
    again, named = look_upright(committee, image, first, spine, lean, lowest_disc="L5-S1", tell=said.append)
    assert named == "L5-S1"
    assert said == [f"{lean.words}: the networks are shown it once more, upright"]
    assert again.grid == spine.grid
    assert again.embedding is first.embedding
    found = again.members[0] == NetworkClass.BODY
    assert 2 * (found & mask).sum() / (found.sum() + mask.sum()) > 0.85
    shown = max(committee.members[0].shown, key=lambda tile: int((tile > 0.5 * (tile.min() + tile.max())).sum()))
    points = np.argwhere(shown > 0.5 * (shown.min() + shown.max())) * np.array([4.0, 1.0, 1.0])
    _, _, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    assert np.degrees(np.arccos(abs(axes[0] @ [0.0, np.cos(USUAL), np.sin(USUAL)]))) < 6

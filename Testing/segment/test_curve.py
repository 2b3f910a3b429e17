"""Positions along a curve, and curves through the middle of long shapes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from SpineQuantLib.segment.curve import Curve, principal_curve, track


def arc_of_circle(radius: float) -> np.ndarray:
    angle = np.linspace(-0.6, 0.6, 200)
    return np.stack([np.zeros_like(angle), radius * np.sin(angle), radius * (1 - np.cos(angle))], axis=1)


@settings(max_examples=30, deadline=None)
@given(radius=st.floats(90, 400), share=st.floats(0.1, 0.9), offset=st.floats(-30, 30), side=st.floats(-30, 30))
def test_projection_onto_an_arc(radius, share, offset, side):
    curve = Curve.through(arc_of_circle(radius))
    angle = -0.6 + 1.2 * share
    point = [[side, (radius + offset) * np.sin(angle), radius - (radius + offset) * np.cos(angle)]]
    arc, distance = curve.project(np.array(point))
    np.testing.assert_allclose(arc, 1.2 * share * radius, atol=0.3)
    np.testing.assert_allclose(distance, np.hypot(offset, side), atol=0.1)


def test_beyond_its_ends_a_curve_goes_straight_on():
    curve = Curve.through(np.array([[0.0, 0.0, 0.0], [0.0, 100.0, 0.0]]))
    arc, distance = curve.project(np.array([[3.0, 130.0, 4.0], [0.0, -20.0, 0.0]]))
    np.testing.assert_allclose(arc, [130.0, -20.0], atol=1e-6)
    np.testing.assert_allclose(distance, [5.0, 0.0], atol=1e-6)


def test_a_tube_is_followed_over_gaps_and_past_blobs():
    spacing = (4.0, 1.0, 1.0)
    index = np.stack(np.meshgrid(*map(np.arange, (24, 240, 140)), indexing="ij"), -1) * spacing
    middle = np.stack([48 + 10 * np.sin(index[..., 1] / 60), 60 + 15 * np.cos(index[..., 1] / 80)], axis=-1)
    mask = np.hypot(index[..., 0] - middle[..., 0], index[..., 2] - middle[..., 1]) < 9
    mask[:, 100:125] = False
    mask[2:6, 60:90, 110:135] = True
    chain = track(mask, spacing, 250.0)
    curve = principal_curve(chain, np.argwhere(mask) * spacing, radius=14.0)
    rows = np.arange(20.0, 220.0, 5.0)
    at = curve.at(np.interp(rows, curve.points[:, 1], curve.arc))
    np.testing.assert_allclose(at[:, 0], 48 + 10 * np.sin(rows / 60), atol=2.0)
    np.testing.assert_allclose(at[:, 2], 60 + 15 * np.cos(rows / 80), atol=2.0)


def test_an_empty_mask_has_no_course():
    assert track(np.zeros((5, 50, 50), bool), (4.0, 1.0, 1.0), 250.0) is None

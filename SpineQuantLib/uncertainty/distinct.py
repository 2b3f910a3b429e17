"""A committee whose members all say the same is one network: its agreement would mean nothing."""

from __future__ import annotations

import itertools

import numpy as np

from ..case.errors import EngineError

__all__ = ["ensure_distinct"]


def ensure_distinct(members: np.ndarray) -> None:
    """Refuse a committee in which two members gave the same answer in every voxel.

    Parameters
    ----------
    members : np.ndarray
        uint8 (members, nk, nj, ni): each member's most probable class. Members that saw nothing at all may be alike.

    Raises
    ------
    EngineError
        If two members that saw something are identical everywhere.
    """
    for a, b in itertools.combinations(range(len(members)), 2):
        if members[a].any() and np.array_equal(members[a], members[b]):
            raise EngineError(
                f"members {a + 1} and {b + 1} of the committee gave exactly the same segmentation, so their agreement "
                "says nothing; reinstall the model, whose weights may be copies of one another"
            )

"""Where the members of a committee differ, voxel by voxel."""

from __future__ import annotations

import numpy as np

__all__ = ["disagreement_map"]


def disagreement_map(members: np.ndarray) -> np.ndarray:
    """Entropy of the members' votes.

    A voxel's value is ``255 · min(1, H)`` with ``H = −Σ p log₂ p`` over the shares ``p`` of votes for each class, in
    bits: 0 where all agree, 255 where the votes are split as evenly as between two answers, or over more.

    Parameters
    ----------
    members : np.ndarray
        uint8 (members, nk, nj, ni): each member's most probable class.

    Returns
    -------
    np.ndarray
        uint8 (nk, nj, ni).
    """
    out = np.zeros(members.shape[1:], np.uint8)
    differ = np.zeros(members.shape[1:], bool)
    for member in members[1:]:
        differ |= member != members[0]
    votes = members[:, differ]
    entropy = np.zeros(votes.shape[1], np.float32)
    for value in np.unique(votes):
        share = (votes == value).mean(axis=0, dtype=np.float32)
        entropy -= share * np.log2(np.where(share > 0, share, 1.0))
    out[differ] = np.rint(255 * np.minimum(entropy, 1.0)).astype(np.uint8)
    return out

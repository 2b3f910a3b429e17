"""Two readers changed the same case: the folder stays the one's, the other's becomes a case of its own beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ..report.tables import measurement_record
from .accepting import Signed, Written, write_signed
from .case_review import CaseReview

__all__ = ["keep_beside", "place_beside", "write_beside"]


def place_beside(signed: Signed) -> Path:
    """Where a reading lies that cannot go into its folder; the same reading always has the same place.

    Parameters
    ----------
    signed : Signed
        The reading.
    """
    result = signed.after.result
    # Not the history: a stored scene that is opened twice makes the same edits at another time.
    content = [
        result.spine.vertebrae,
        [measurement_record(m) for m in result.measurements],
        result.accepted.to_record() if result.accepted else None,
    ]
    told = hashlib.sha256(json.dumps(content).encode())
    told.update(result.spine.labels.tobytes())
    folder = signed.folder.resolve()
    return folder.with_name(f"{folder.name}-second-reading-{told.hexdigest()[:8]}")


def write_beside(signed: Signed) -> Written:
    """Write a reading as a whole case folder beside its own, which stays as it is.

    Parameters
    ----------
    signed : Signed
        The reading, accepted or not.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    return write_signed(signed, place_beside(signed))


def keep_beside(review: CaseReview) -> CaseReview:
    """Keep corrections that nobody has accepted beside their case folder, and go on with them there.

    Parameters
    ----------
    review : CaseReview
        The case with the corrections.

    Returns
    -------
    CaseReview
        The case beside: the same review, its edits to be undone as before; or, where the same corrections were kept
        before, what has become of them since.

    Raises
    ------
    InputError
        If they were kept before and can no longer be read.
    OutputError
        If they cannot be written.
    """
    signed = review.unsigned()
    place = place_beside(signed)
    if place.is_dir():
        return CaseReview.open(place)
    written = write_beside(signed)
    review.written(signed, written.stamp, written.folder)
    return review

"""A signed case as files, so that another process can write its folder while the reader goes on.

A draft holds what a reader can change; the rest comes from the case folder, which stays as it is until the new one is
whole. Nothing is lost on the way: the numbers are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..case.borders import read_borders, write_borders
from ..case.canal_profile import read_canal_profile, write_canal_profile
from ..case.errors import OutputError
from ..case.progress import ProgressEvent
from ..case.record import read_record, write_record
from ..case.result import CaseResult
from ..images.gather import gathered
from ..report.tables import read_measurements, write_measurements_json
from .accepting import Signed, write_signed
from .history import FILE_NAME, read_corrections, write_corrections
from .opening import open_case
from .stamp import check_unchanged
from .state import State

__all__ = ["accept_draft", "read_draft", "write_draft", "written_stamp"]

_WRITTEN = "written.txt"


def write_draft(signed: Signed, folder: Path) -> None:
    """Write a draft into a new folder, quickly: the reader waits for it.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    result = signed.after.result
    try:
        folder.mkdir(parents=True)
        spine = result.spine
        borders = folder / "borders.npz"
        write_borders(spine.labels, spine.occupancy, spine.grid, signed.native, borders, compressed=False)
        write_measurements_json(result.measurements, folder / "measurements.json")
        if result.canal_profile is not None:
            write_canal_profile(result.canal_profile, folder / "canal_profile.csv")
        write_corrections(signed.after, folder / FILE_NAME)
        write_record(result, folder / "case.json")
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}; free some space") from error


def read_draft(folder: Path, case: Path, stamp: str) -> Signed:
    """Read a draft back, together with the case folder that it is about.

    Parameters
    ----------
    folder : Path
        Of the draft.
    case : Path
        Case folder, unchanged since the reader opened it.
    stamp : str
        Its stamp then.

    Raises
    ------
    InputError
        If either folder is damaged.
    OutputError
        If somebody else has changed the case folder meanwhile.
    """
    check_unchanged(case, stamp)
    opened = open_case(case)
    record, borders = read_record(folder / "case.json"), read_borders(folder / "borders.npz")
    before = opened.state.result
    profile = folder / "canal_profile.csv"
    edits, automatic, by_hand = read_corrections(folder / FILE_NAME)
    result = replace(
        before,
        spine=replace(
            before.spine,
            labels=borders.labels,
            occupancy=borders.occupancy,
            vertebrae=record.vertebrae,
            naming=record.naming,
        ),
        measurements=tuple(read_measurements(folder / "measurements.json")),
        assessment=replace(before.assessment, verdict=record.verdict, reasons=record.reasons, scores=record.scores),
        canal_profile=read_canal_profile(profile) if profile.is_file() else None,
        cross_check=record.cross_check,
        edits=edits,
        accepted=record.accepted,
    )
    return Signed(opened.state, State(result, automatic, by_hand), opened.native, case, stamp)


def accept_draft(
    folder: Path,
    case: Path,
    stamp: str,
    files: Sequence[Path] = (),
    progress: Callable[[ProgressEvent], None] | None = None,
) -> CaseResult:
    """Write a case folder again as its draft says.

    Parameters
    ----------
    folder, case, stamp
        As in :func:`read_draft`.
    files : sequence of Path
        The DICOM images that were analysed, where they are now; none where they are still where they were.
    progress : callable, optional
        Told about each step.

    Returns
    -------
    CaseResult
        The case as it was written.

    Raises
    ------
    InputError, OutputError
        As in :func:`read_draft` and :func:`~SpineQuantLib.review.accepting.write_signed`.
    """
    signed = read_draft(folder, case, stamp)
    written = write_signed(signed, source=gathered(files, folder / "images") if files else None, progress=progress)
    try:
        (folder / _WRITTEN).write_text(written.stamp, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{case} was written, but {folder} cannot be ({error.strerror or error}); free some space, and open the "
            "case again"
        ) from error
    return written.result


def written_stamp(folder: Path) -> str:
    """Stamp of the case folder as :func:`accept_draft` wrote it.

    Parameters
    ----------
    folder : Path
        Of the draft.

    Raises
    ------
    OutputError
        If it does not say so.
    """
    try:
        return (folder / _WRITTEN).read_text(encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{folder / _WRITTEN} cannot be read ({error.strerror or error}), so that nobody knows whether the case "
            "was written; open it again to see"
        ) from error

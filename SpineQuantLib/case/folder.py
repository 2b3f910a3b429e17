"""The case folder comes into being all at once: written beside its place, then renamed into it."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from .errors import OutputError

__all__ = ["mend_case_folder", "new_case_folder"]

_MARK = ".partial"
_OLD = ".old"


def _explain(error: OSError, output: Path) -> OutputError:
    reasons = {
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "the disk quota is used up; free some space",
        errno.EROFS: "the disk is read-only; choose another output folder",
        errno.EACCES: "permission denied; choose another output folder",
        errno.EPERM: "permission denied; choose another output folder",
        errno.EEXIST: "a part of the path is a file; choose another output folder",
        errno.ENOTDIR: "a part of the path is a file; choose another output folder",
        errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    }
    return OutputError(f"cannot write {output}: {reasons.get(error.errno or 0, error.strerror or str(error))}")


def _abandoned(path: Path) -> bool:
    """Whether the process that made a hidden folder (``.NAME.PID.RANDOM.partial``) is gone."""
    pid = path.name.split(".")[-3]
    return pid.isdigit() and not psutil.pid_exists(int(pid))


def mend_case_folder(output: Path) -> None:
    """Tidy up after earlier runs for this folder that were killed: a case they had moved aside comes back."""
    output = Path(os.path.abspath(output))  # noqa: PTH100 - symbolic links stay as the user named them
    for path in filter(_abandoned, output.parent.glob(f".{output.name}.*.*{_OLD}")):
        if output.exists():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.rename(output)
    for path in filter(_abandoned, output.parent.glob(f".{output.name}.*.*{_MARK}")):
        shutil.rmtree(path, ignore_errors=True)


def _check_place(output: Path, overwrite: bool) -> None:
    if output.is_dir() and not any(output.iterdir()):
        return
    if not output.exists() and not output.is_symlink():
        return
    if not overwrite:
        raise OutputError(f"{output} exists already; choose another output folder or add --overwrite")
    if not (output / "case.json").is_file():
        raise OutputError(f"{output} exists and is not a case folder; it is left alone, choose another output folder")


@contextmanager
def new_case_folder(output: Path, overwrite: bool = False) -> Iterator[Path]:
    """A folder to fill, which takes its final name only if the block ends well.

    Parameters
    ----------
    output : Path
        Where the case shall lie.
    overwrite : bool
        Replace an earlier case there. Anything that is not a case folder is never replaced.

    Yields
    ------
    pathlib.Path
        The folder to write to, on the same disk as ``output``. After any error or interruption it is removed and
        ``output`` is as it was.

    Raises
    ------
    OutputError
        If the place is taken or cannot be written, or the disk fills up.
    """
    output = Path(os.path.abspath(output))  # noqa: PTH100 - symbolic links stay as the user named them
    part = output.parent / f".{output.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}{_MARK}"
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        mend_case_folder(output)
        _check_place(output, overwrite)
        part.mkdir()
    except OSError as error:
        raise _explain(error, output) from error
    old: Path | None = None
    try:
        yield part
        if output.exists():
            old = part.with_suffix(_OLD)
            output.rename(old)
        part.rename(output)
    except OSError as error:
        if old is not None and not output.exists():
            old.rename(output)
        raise _explain(error, output) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)

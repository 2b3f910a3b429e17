"""Keep C and C++ libraries from writing to the user's terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import SimpleITK as sitk

__all__ = ["silence_libraries"]

_STDOUT, _STDERR = 1, 2


@contextlib.contextmanager
def silence_libraries() -> Iterator[None]:
    """Send what compiled code writes to standard output and error nowhere, for as short as a file is read.

    MetaIO and the NIfTI library print half-sentences about damaged files, MetaIO to standard output, where they would
    spoil lines that a program reads. The same reasons come back as exceptions. Without a terminal (a GUI) nothing is
    redirected.
    """
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with contextlib.ExitStack() as stack:
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, nowhere)
            for descriptor in (_STDOUT, _STDERR):
                saved = os.dup(descriptor)
                stack.callback(os.close, saved)
                stack.callback(os.dup2, saved, descriptor)
                os.dup2(nowhere, descriptor)
        except OSError:
            stack.close()
        yield

"""Errors that a user can do something about, each with the exit code of the command that ends in it."""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "EngineError",
    "ExitCode",
    "InputError",
    "InterruptedRunError",
    "OutputError",
    "SpineQuantError",
    "UnsuitableError",
]


class ExitCode(IntEnum):
    """Exit codes of ``spinequant``; listed in the README."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    INPUT = 3
    UNSUITABLE = 4
    OUTPUT = 5
    ENGINE = 6
    INTERRUPTED = 130


class SpineQuantError(Exception):
    """Something the user can mend; the message says what is wrong and what to do."""

    exit_code: ExitCode = ExitCode.UNEXPECTED


class InputError(SpineQuantError):
    """The input cannot be read: missing, empty, truncated, damaged, or of no known format."""

    exit_code = ExitCode.INPUT


class UnsuitableError(SpineQuantError):
    """The input was read, but is not something to analyse: CT, 2D, 4D, colour, constant, mixed patients, no spine."""

    exit_code = ExitCode.UNSUITABLE


class OutputError(SpineQuantError):
    """The result cannot be written: read-only or full disk, or the folder exists already."""

    exit_code = ExitCode.OUTPUT


class EngineError(SpineQuantError):
    """The networks cannot run: a package or the weights are missing or damaged, or memory ran out."""

    exit_code = ExitCode.ENGINE


class InterruptedRunError(SpineQuantError):
    """The user ended the run."""

    exit_code = ExitCode.INTERRUPTED

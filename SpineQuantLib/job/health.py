"""Whether a Python can run the engine, asked in a child process: a broken package must not take the asker along."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .child import ChildProcess, Stream, child_environment

__all__ = ["CHECK", "Device", "Health", "HealthCheck"]

CHECK = "SpineQuantLib.job.check"
"""Module that the child runs."""

_GIGABYTE = 1 << 30
_LAST_WORDS_SECONDS = 0.5


@dataclass(frozen=True)
class Device:
    """Something that networks can run on.

    Attributes
    ----------
    name : str
        What a request calls it: ``cpu``, ``cuda:0``.
    title : str
        For people: ``CPU``, ``NVIDIA RTX A4000``.
    total, free : int
        Bytes of memory.
    """

    name: str
    title: str
    total: int
    free: int

    @property
    def words(self) -> str:
        """For a selector: ``GPU 0: NVIDIA RTX A4000, 14 of 16 GB free``."""
        title = f"GPU {self.name.partition(':')[2] or 0}: {self.title}" if self.name != "cpu" else self.title
        return f"{title}, {self.free / _GIGABYTE:.0f} of {self.total / _GIGABYTE:.0f} GB free"


@dataclass(frozen=True)
class Health:
    """What was found.

    Attributes
    ----------
    problem : str
        Why cases cannot be analysed and what to do; empty where they can.
    missing : tuple of str
        Requirements that are not fulfilled, in pip's spelling.
    devices : tuple of Device
        GPUs first, the CPU last.
    python, torch : str
        Versions; empty where unknown.
    """

    problem: str
    missing: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    python: str = ""
    torch: str = ""

    @property
    def well(self) -> bool:
        """Whether cases can be analysed."""
        return not self.problem and not self.missing

    @classmethod
    def from_json(cls, line: str) -> Health:
        """Read the child's line.

        Raises
        ------
        ValueError
            If it is something else.
        """
        try:
            found: dict[str, Any] = json.loads(line)
            devices = tuple(Device(d["name"], d["title"], int(d["total"]), int(d["free"])) for d in found["devices"])
            missing = tuple(map(str, found["missing"]))
            problem = str(found["problem"])
            if missing:
                problem = f"Packages are missing: {', '.join(missing)}."
            return cls(problem, missing, devices, str(found["python"]), str(found["torch"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a report of health: {line[:200]!r}") from error


class HealthCheck:
    """One question to one Python; poll until :attr:`health` is there.

    Parameters
    ----------
    python : str or Path
        Interpreter.
    environment : mapping or None
        See :func:`~SpineQuantLib.job.child.child_environment`.
    timeout : float
        Seconds after which no answer is expected any more; the first start of PyTorch can take a minute.
    module : str
        What the child runs.
    """

    def __init__(
        self,
        python: str | Path,
        environment: Mapping[str, str] | None = None,
        *,
        timeout: float = 180.0,
        module: str = CHECK,
    ) -> None:
        self.health: Health | None = None
        self._python, self._timeout = str(python), timeout
        self._started, self._ended = time.monotonic(), 0.0
        self._lines: list[str] = []
        self._child: ChildProcess | None = None
        try:
            self._child = ChildProcess([self._python, "-m", module], child_environment(environment))
        except (OSError, ValueError) as error:
            self.health = Health(f"The Python at {self._python} could not be started: {error}. Choose another one.")

    def poll(self) -> Health | None:
        """The answer, once it is there; never waits."""
        child, now = self._child, time.monotonic()
        if child is None or self.health is not None:
            return self.health
        code, silent = child.exit_code, child.silent
        for stream, line in child.lines():
            try:
                self.health = Health.from_json(line) if stream is Stream.OUT else self.health
            except ValueError:
                self._lines.append(line)
            else:
                self._lines += [line] if stream is Stream.ERR and line.strip() else []
        self._ended = self._ended or (now if code is not None else 0.0)
        if self.health is None and code is not None and (silent or now - self._ended > _LAST_WORDS_SECONDS):
            last = self._lines[-1] if self._lines else "it said nothing"
            self.health = Health(f"The Python at {self._python} cannot run the engine (exit code {code}): {last}")
        elif self.health is None and now - self._started > self._timeout:
            self.health = Health(f"The Python at {self._python} did not answer within {self._timeout:.0f} s.")
        if self.health is not None:
            self.close()
        return self.health

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.tree.kill()
            self._child.close()
            self._child = None

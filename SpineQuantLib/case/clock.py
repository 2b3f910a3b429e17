"""Seconds and peak memory of each stage of a case."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from .result import StageCost

__all__ = ["StageClock"]

_INTERVAL = 0.05


class StageClock:
    """Measures stages, one after the other, while a thread samples this process's memory."""

    def __init__(self) -> None:
        self.costs: list[StageCost] = []
        self._began = time.monotonic()
        self._process = psutil.Process()

    @property
    def seconds(self) -> float:
        """Time since the clock was made."""
        return time.monotonic() - self._began

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block as a stage; resident memory is sampled 20 times a second."""
        peak = [self._process.memory_info().rss]
        done = threading.Event()

        def watch() -> None:
            while not done.wait(_INTERVAL):
                peak[0] = max(peak[0], self._process.memory_info().rss)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        began = time.monotonic()
        try:
            yield
        finally:
            done.set()
            watcher.join()
            peak[0] = max(peak[0], self._process.memory_info().rss)
            self.costs.append(StageCost(name, time.monotonic() - began, peak[0] / 2**20))

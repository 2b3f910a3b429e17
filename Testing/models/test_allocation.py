"""Memory that is kept: done where the C library allows it, and never an error elsewhere."""

from __future__ import annotations

import ctypes
import platform
import sys

import pytest

from SpineQuantLib.models.allocation import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library decides for itself")
def test_glibc_takes_every_option() -> None:
    assert keep_freed_memory()


@pytest.mark.parametrize("missing", [OSError("no such library"), AttributeError("mallopt")])
def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch, missing: Exception) -> None:
    def load(_name: str) -> None:
        raise missing

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", load)
    assert not keep_freed_memory()


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert not keep_freed_memory()

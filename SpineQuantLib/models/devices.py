"""What networks can run on here, with its memory."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch

__all__ = ["DeviceMemory", "computes_bfloat16", "find_devices", "torch_version"]


@dataclass(frozen=True)
class DeviceMemory:
    """A device by the name that :func:`~SpineQuantLib.models.committee.choose_device` takes; memory in bytes."""

    name: str
    title: str
    total: int
    free: int


def torch_version() -> str:
    """Version of PyTorch with its build, for example ``2.6.0+cu124``."""
    return str(torch.__version__)


def computes_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16, as oneDNN sees it, and need not emulate it."""
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def find_devices() -> tuple[DeviceMemory, ...]:
    """GPUs in order, then the CPU."""
    found = []
    for n in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(n)
        found.append(DeviceMemory(f"cuda:{n}", torch.cuda.get_device_name(n), total, free))
    memory = psutil.virtual_memory()
    return (*found, DeviceMemory("cpu", "CPU", memory.total, memory.available))

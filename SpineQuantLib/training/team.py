"""Several processes that train one network together: started by ``torchrun``, on one machine or many."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

__all__ = ["Team", "join_team"]

_PATIENCE = timedelta(hours=12)
"""How long the others wait while the first process fills the cache or scores."""


@dataclass(frozen=True)
class Team:
    """This process among those that train together.

    Attributes
    ----------
    rank, size : int
        Which one this is, from 0, of how many.
    device : torch.device
        Where this one computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes, tells and validates."""
        return self.rank == 0

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.size > 1:
            distributed.barrier()

    def share(self, net: torch.nn.Module) -> torch.nn.Module:
        """The network with gradients averaged over the team."""
        if self.size == 1:
            return net
        ids = [self.device.index] if self.device.type == "cuda" else None
        return torch.nn.parallel.DistributedDataParallel(net, device_ids=ids)


@contextmanager
def join_team(device: str | None = None) -> Iterator[Team]:
    """Join the team that ``torchrun`` started; alone where it did not.

    Parameters
    ----------
    device : str, optional
        Torch device. Without it each process takes the GPU of its number on the machine, or the CPU.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    gpu = torch.cuda.is_available() and device is None
    where = torch.device(device or (f"cuda:{local}" if gpu and size > 1 else "cuda" if gpu else "cpu"))
    if size == 1:
        yield Team(0, 1, where)
        return
    if where.type == "cuda":
        torch.cuda.set_device(where)
    distributed.init_process_group("nccl" if where.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Team(distributed.get_rank(), size, where)
    finally:
        distributed.destroy_process_group()

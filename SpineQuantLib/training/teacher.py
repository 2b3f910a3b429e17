"""A committee as the teacher of one small network (distillation)."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..models.committee import load_committee
from ..models.network import NetworkConfig
from .loss import mean_of_heads

__all__ = ["Teacher", "TeachingLoss"]

_EPS = 1e-5


class Teacher:
    """The mean opinion of a committee about the patches that a pupil sees.

    The teacher judges every patch as the pupil sees it, degraded and turned, instead of once for each volume: a pupil
    taught so keeps learning for longer (Beyer et al. 2022, arXiv:2106.05237).

    Parameters
    ----------
    model : str
        Name of a shipped committee, or path of a model folder.
    network : NetworkConfig
        Of the pupil.
    device : torch.device
        Where both compute.

    Raises
    ------
    EngineError
        If there is no such model.
    ValueError
        If the committee sees images on another grid, or with other grey values, than the pupil.
    """

    def __init__(self, model: str, network: NetworkConfig, device: torch.device) -> None:
        committee = load_committee(model, str(device))
        theirs = committee.network
        own = {"spacing": network.spacing, "keep_slices": network.keep_slices, "window": network.window}
        if replace(theirs, **own) != theirs:
            raise ValueError(f"the members of {committee.card.name} see images on another grid than the pupil")
        self.members = committee.members

    @torch.no_grad()
    def judge(self, image: torch.Tensor, precision: torch.dtype | None) -> torch.Tensor:
        """Mean probabilities of the members.

        Parameters
        ----------
        image : torch.Tensor
            (batch, 1, k, j, i) normalised intensities.
        precision : torch.dtype or None
            Half precision to compute in; None for float32.

        Returns
        -------
        torch.Tensor
            float32 (batch, classes, k, j, i).
        """
        total = None
        for net in self.members:
            with torch.autocast(image.device.type, precision or torch.bfloat16, enabled=precision is not None):
                logits = net(image)
            own = torch.softmax(logits.float(), dim=1)
            total = own if total is None else total.add_(own)
        return total / len(self.members)


class TeachingLoss(torch.nn.Module):
    """Weighted sum of a Dice loss and cross-entropy against a teacher's probabilities.

    The usual soft Dice loss is not smallest where the pupil says what the teacher says unless the teacher is certain
    of every voxel; the form with Σ|p − t| is (Wang et al. 2023, arXiv:2303.16296).

    Parameters
    ----------
    dice_weight : float
        Weight of the Dice term; cross-entropy has the rest.
    """

    def __init__(self, dice_weight: float = 0.7) -> None:
        super().__init__()
        self.dice_weight = dice_weight

    def forward(self, logits: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
        """Loss of a batch.

        Parameters
        ----------
        logits : torch.Tensor
            (batch, classes, k, j, i), or (batch, heads, classes, k, j, i) with the finest output first: then each
            output weighs half of the one before.
        taught : torch.Tensor
            float32 (batch, classes, k, j, i) probabilities.

        Returns
        -------
        torch.Tensor
            Scalar; smallest, though not zero, where the pupil's probabilities are the teacher's.
        """
        if logits.ndim == 6:
            return mean_of_heads(self, logits, taught)
        log_p = torch.log_softmax(logits.float(), dim=1)
        cross_entropy = -(taught * log_p).sum(dim=1).mean()
        p = log_p.exp()
        axes = (0, 2, 3, 4)
        size = (p + taught).sum(dim=axes)
        dice = (size - (p - taught).abs().sum(dim=axes)) / size.clamp_min(_EPS)
        # Of a class that the teacher sees nowhere in the batch a few stray voxels would rule the mean.
        seen = taught.argmax(dim=1, keepdim=True) == torch.arange(taught.shape[1], device=taught.device).view(
            1, -1, 1, 1, 1
        )
        present = seen.any(dim=(0, 2, 3, 4))
        present[0] = False
        dice_loss = 1 - dice[present].mean() if present.any() else logits.new_zeros(())
        return self.dice_weight * dice_loss + (1 - self.dice_weight) * cross_entropy

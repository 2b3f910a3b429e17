"""Dice and cross-entropy on partial labels."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..anatomy.structures import NetworkClass

__all__ = ["PartialLoss", "mean_of_heads"]

_EPS = 1e-5


def mean_of_heads(
    loss_of: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], logits: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """Loss of a network with coarser outputs (deep supervision): each weighs half of the one before.

    Parameters
    ----------
    loss_of : callable
        Loss of one output, (batch, classes, k, j, i), against the target.
    logits : torch.Tensor
        (batch, heads, classes, k, j, i), the finest output first.
    target : torch.Tensor
        As ``loss_of`` takes it.

    Returns
    -------
    torch.Tensor
        Scalar.
    """
    weights = [0.5**n for n in range(logits.shape[1])]
    parts = [w * loss_of(head, target) for w, head in zip(weights, logits.unbind(dim=1), strict=True)]
    return sum(parts) / sum(weights)


class PartialLoss(torch.nn.Module):
    """Weighted sum of Dice loss and cross-entropy where some voxels may belong to several classes.

    Cross-entropy is marginal: the loss of a voxel is −log of the probability that its class is one of those it may
    have, so that a voxel which may be anything costs nothing (Shi et al. 2021, arXiv:2007.03868). Dice of a class is
    taken over the voxels of which it is known whether they belong to it, over the whole batch.

    Parameters
    ----------
    dice_weight : float
        Weight of the Dice term; cross-entropy has the rest.
    """

    def __init__(self, dice_weight: float = 0.7) -> None:
        super().__init__()
        self.dice_weight = dice_weight
        self.register_buffer("bits", 1 << torch.arange(len(NetworkClass), dtype=torch.int32))

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss of a batch.

        Parameters
        ----------
        logits : torch.Tensor
            (batch, classes, k, j, i), or (batch, heads, classes, k, j, i) with the finest output first: then each
            output weighs half of the one before.
        target : torch.Tensor
            uint8 (batch, k, j, i) bit sets, see :mod:`SpineQuantLib.training.partial`.

        Returns
        -------
        torch.Tensor
            Scalar.
        """
        if logits.ndim == 6:
            return mean_of_heads(self, logits, target)
        logits = logits.float()
        allowed = (target.to(torch.int32).unsqueeze(1) & self.bits.view(1, -1, 1, 1, 1)) != 0
        log_p = torch.log_softmax(logits, dim=1)
        marginal = torch.logsumexp(log_p.masked_fill(~allowed, float("-inf")), dim=1)
        cross_entropy = -marginal.mean()
        certain = allowed.sum(dim=1, keepdim=True) == 1
        known = certain | ~allowed
        truth = (allowed & certain).float()
        p = log_p.exp() * known
        axes = (0, 2, 3, 4)
        overlap = (p * truth).sum(dim=axes)
        size = p.sum(dim=axes) + truth.sum(dim=axes)
        dice = 2 * overlap / size.clamp_min(_EPS)
        # A class that is nowhere in the batch gives no Dice; cross-entropy still punishes it where it is excluded.
        present = truth.sum(dim=axes) > 0
        present[NetworkClass.BACKGROUND] = False
        dice_loss = 1 - dice[present].mean() if present.any() else logits.new_zeros(())
        return self.dice_weight * dice_loss + (1 - self.dice_weight) * cross_entropy

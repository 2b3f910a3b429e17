"""The U-Net of one committee member."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from monai.networks.nets import DynUNet
from torch import nn
from torch.nn import functional

from ..anatomy.structures import NetworkClass

__all__ = ["NetworkConfig", "SpineUNet", "is_training_head"]


@dataclass(frozen=True)
class NetworkConfig:
    """Size and input grid of a network; stored with its weights.

    Attributes
    ----------
    filters : tuple of int
        Feature maps per resolution.
    thick_stages : int
        Number of leading stages whose kernels do not reach across slices, (1, 3, 3), because slices are thick.
    fold : int
        In-plane pixels folded into channels on the way in and unfolded on the way out (sub-pixel convolution, Shi
        et al. 2016, arXiv:1609.05158): the costly full-resolution stage runs on ``fold``² fewer voxels.
    spacing : tuple of float
        Millimetres (k, j, i) of the grid that the network was trained on.
    keep_slices : tuple of float
        Slice distances from … to … mm that are kept as they are; others are resampled to ``spacing[0]``.
    stacks : int
        Interleaved stacks in which thinner slices are shown, see :mod:`~SpineQuantLib.models.slices`; 1 makes one
        volume of thick slices of them.
    patch : tuple of int
        Voxels (k, j, i) of a patch.
    window : tuple of float or None
        (width, centre) in the image's own intensities, to which values are cut before they are normalised; only where
        intensities mean the same in every image. None cuts at percentiles.
    least_component : int
        Connected parts of a class with fewer voxels, on the network's grid, are taken for background; 0 keeps all.
    """

    filters: tuple[int, ...] = (16, 32, 64, 128)
    thick_stages: int = 1
    fold: int = 2
    spacing: tuple[float, float, float] = (4.0, 1.0, 1.0)
    keep_slices: tuple[float, float] = (3.0, 5.0)
    stacks: int = 1
    patch: tuple[int, int, int] = (12, 192, 144)
    window: tuple[float, float] | None = None
    least_component: int = 0

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> NetworkConfig:
        """Config from its JSON form."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def to_dict(self) -> dict[str, object]:
        """JSON form."""
        return asdict(self)


class SpineUNet(nn.Module):
    """MONAI's DynUNet (nnU-Net's architecture) on in-plane folded voxels.

    Parameters
    ----------
    config : NetworkConfig
        Size of the network.
    heads : int
        Coarser outputs that are trained beside the finest one (deep supervision); they are no part of a finished
        model.
    """

    def __init__(self, config: NetworkConfig, heads: int = 0) -> None:
        super().__init__()
        self.config = config
        n, thick, fold = len(config.filters), config.thick_stages, config.fold
        kernels = [[1, 3, 3]] * thick + [[3, 3, 3]] * (n - thick)
        strides = [[1, 1, 1]] + [[1, 2, 2]] * thick + [[2, 2, 2]] * (n - 1 - thick)
        self.core = DynUNet(
            spatial_dims=3,
            in_channels=fold**2,
            out_channels=fold**2 * len(NetworkClass),
            kernel_size=kernels,
            strides=strides,
            upsample_kernel_size=strides[1:],
            filters=list(config.filters),
            norm_name=("instance", {"affine": True}),
            act_name=("leakyrelu", {"inplace": True, "negative_slope": 0.01}),
            deep_supervision=heads > 0,
            deep_supr_num=max(heads, 1),
            res_block=False,
        )
        _normalise_as_laid_out(self.core)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch of patches.

        Parameters
        ----------
        x : torch.Tensor
            (batch, 1, k, j, i) normalised intensities; each side of a patch a multiple of the network's stride.

        Returns
        -------
        torch.Tensor
            (batch, classes, k, j, i), channels as in :class:`~SpineQuantLib.anatomy.structures.NetworkClass`. While
            training with coarser heads (batch, 1 + heads, classes, k, j, i), the finest output first.
        """
        folded = functional.pixel_unshuffle(x.transpose(1, 2), self.config.fold).transpose(1, 2)
        out = self.core(folded.contiguous(memory_format=torch.channels_last_3d))
        return functional.pixel_shuffle(out.transpose(-4, -3), self.config.fold).transpose(-4, -3)


def _normalise_as_laid_out(module: nn.Module) -> None:
    """Put group norm with a group for each channel, which is instance norm, in the place of instance norm.

    On CPUs torch has a kernel of it for channels-last tensors, as the convolutions use them; instance norm copies every
    feature map into another layout and back, which takes a quarter of the time of a network.
    """
    for name, child in module.named_children():
        if isinstance(child, nn.InstanceNorm3d):
            same = nn.GroupNorm(child.num_features, child.num_features, child.eps, child.affine)
            same.load_state_dict(child.state_dict())
            setattr(module, name, same)
        else:
            _normalise_as_laid_out(child)


def is_training_head(name: str) -> bool:
    """Whether a tensor belongs to an output that only training uses."""
    return ".deep_supervision_heads." in name

"""The network that reads millimetres straight from the image around a level, without a mask.

Five blocks of convolution 3 × 3 × 3, batch normalisation, ReLU and max-pooling by 2, dropout 0.3, after the 3D CNN of
arXiv:2503.11281. A patch has 64 × 64 × 32 voxels of 1 mm: 64 mm from front to back and up and down, and the middle
32 mm from right to left, where heights and AP diameters are measured; thick sagittal slices are interpolated between.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from monai.networks.blocks import Convolution
from scipy.ndimage import gaussian_filter
from torch import nn
from torch.nn import functional

from ..case.direct import QUANTITIES, LevelPlace
from ..case.grid import Grid, lps_to_ras
from .preprocess import normalise

__all__ = ["LevelRegressor", "RegressorConfig", "Scan", "patch_offsets", "sample"]

_FWHM_PER_SIGMA = 2.3548200450309493


@dataclass(frozen=True)
class RegressorConfig:
    """Size and patch of the network; stored with its weights.

    Attributes
    ----------
    features : tuple of int
        Feature maps of each block.
    hidden : int
        Units between the last block and the outputs.
    dropout : float
        Share of the features left out in training.
    patch : tuple of int
        Voxels (k right–left, j up–down, i front–back).
    spacing : tuple of float
        Millimetres of a patch's voxel along (k, j, i).
    behind : float
        Millimetres by which the patch's middle lies behind the disc's, so that the whole sac is in it.
    means, spreads : tuple of float
        Mean and standard deviation in mm of the training values, in the order of
        :data:`~SpineQuantLib.case.direct.QUANTITIES`; the outputs are multiples of them.
    """

    features: tuple[int, ...] = (8, 16, 32, 64, 128)
    hidden: int = 64
    dropout: float = 0.3
    patch: tuple[int, int, int] = (32, 64, 64)
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    behind: float = 8.0
    means: tuple[float, ...] = (7.0, 13.0)
    spreads: tuple[float, ...] = (2.0, 3.0)

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> RegressorConfig:
        """Config from its JSON form."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

    def to_dict(self) -> dict[str, object]:
        """JSON form."""
        return asdict(self)


class LevelRegressor(nn.Module):
    """Millimetres from patches.

    Parameters
    ----------
    config : RegressorConfig
        Size of the network.
    """

    def __init__(self, config: RegressorConfig) -> None:
        super().__init__()
        self.config = config
        blocks: list[nn.Module] = []
        before = 1
        for width in config.features:
            block = Convolution(
                3, before, width, kernel_size=3, adn_ordering="NA", act="RELU", norm="BATCH", bias=False
            )
            blocks += [block, nn.MaxPool3d(2)]
            before = width
        self.blocks = nn.Sequential(*blocks)
        flat = before * int(np.prod([n >> len(config.features) for n in config.patch]))
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(config.dropout),
            nn.Linear(flat, config.hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, len(QUANTITIES)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, quantities) standardised values of patches (batch, 1, k, j, i)."""
        return self.head(self.blocks(x.contiguous(memory_format=torch.channels_last_3d)))

    def to_mm(self, out: torch.Tensor) -> torch.Tensor:
        """Millimetres of the outputs (…, quantities)."""
        return out.float() * torch.tensor(self.config.spreads) + torch.tensor(self.config.means)


def patch_offsets(config: RegressorConfig) -> torch.Tensor:
    """(k, j, i, 3) millimetres of a patch's voxels from the disc's middle, along left, down and posterior."""
    axes = [(torch.arange(n) - (n - 1) / 2) * step for n, step in zip(config.patch, config.spacing, strict=True)]
    axes[2] = axes[2] + config.behind
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


@dataclass(frozen=True)
class Scan:
    """A volume ready for patches to be sampled from it.

    Attributes
    ----------
    image : torch.Tensor
        float32 (nk, nj, ni), normalised, without detail finer than a patch's voxel.
    grid : Grid
        Where it lies; reading order.
    """

    image: torch.Tensor
    grid: Grid

    @classmethod
    def of(cls, image: np.ndarray, grid: Grid, config: RegressorConfig, window: np.ndarray | None = None) -> Scan:
        """Normalise a volume as for the committee and blur pixels that are finer than a patch's.

        Parameters
        ----------
        image : np.ndarray
            (nk, nj, ni) intensities in reading order.
        grid : Grid
            Its grid.
        config : RegressorConfig
            Whose patches will be sampled.
        window : np.ndarray, optional
            (n, 3) RAS millimetres that must stay in view; the rest is cut off. Everything stays by default.

        Raises
        ------
        ValueError
            If the image is constant.
        """
        values = normalise(image)
        if window is not None:
            index = grid.to_index(lps_to_ras(window))
            low = np.clip(np.floor(index.min(axis=0)) - 3, 0, np.array(grid.shape) - 1).astype(int)
            high = np.clip(np.ceil(index.max(axis=0)) + 4, low + 1, grid.shape).astype(int)
            values = values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
            grid = Grid(values.shape, grid.spacing, tuple(grid.to_lps(low).tolist()), grid.directions)
            sigma = [
                max(new**2 - old**2, 0.0) ** 0.5 / old / _FWHM_PER_SIGMA
                for old, new in zip(grid.spacing, config.spacing, strict=True)
            ]
        if any(sigma):
            values = gaussian_filter(values, sigma, mode="nearest")
        return cls(torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)), grid)


def sample(scan: Scan, place: LevelPlace, offsets: torch.Tensor) -> torch.Tensor:
    """Values of a scan at offsets from a level.

    Parameters
    ----------
    scan : Scan
        The volume.
    place : LevelPlace
        The level.
    offsets : torch.Tensor
        (k, j, i, 3) millimetres along the level's left, down and posterior.

    Returns
    -------
    torch.Tensor
        float32 (k, j, i); linear between voxels. Beyond the volume there is air, as for the committee.
    """
    # Index = A · offset + b, in one step, because all of it is affine.
    corner = scan.grid.to_index(lps_to_ras(np.array(place.centre)))
    step = scan.grid.to_index(lps_to_ras(np.array(place.centre) + place.axes)) - corner
    index = offsets @ torch.from_numpy(step).float() + torch.from_numpy(corner).float()
    size = torch.tensor(scan.image.shape, dtype=torch.float32)
    where = ((index * 2 + 1) / size - 1).flip(-1)[None]
    low = scan.image.min()
    return functional.grid_sample((scan.image - low)[None, None], where, align_corners=False)[0, 0] + low

"""The committee looks at a volume."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

import numpy as np
import SimpleITK as sitk
import torch
from monai.inferers import SlidingWindowInferer

from ..anatomy.structures import NetworkClass
from ..case.errors import EngineError
from ..case.grid import Grid
from ..case.opinion import CommitteeOpinion
from ..images.resample import resample_like, resample_to_spacing
from ..models.committee import Committee
from ..models.network import NetworkConfig, SpineUNet
from ..models.preprocess import normalise

__all__ = ["ask_committee", "network_spacing"]

log = logging.getLogger(__name__)

_OVERLAP = (0.33, 0.4, 0.4)
"""Share of a patch that neighbours have in common, along (k, j, i)."""


def network_spacing(spacing: tuple[float, float, float], config: NetworkConfig) -> tuple[float, float, float]:
    """Grid spacing (k, j, i) in mm on which a volume is shown to the networks.

    Slices about as thick as those in training stay as they are; interpolating between them would only blur.
    """
    low, high = config.keep_slices
    slice_mm = spacing[0] if low - 1e-3 <= spacing[0] <= high + 1e-3 else config.spacing[0]
    return (slice_mm, *config.spacing[1:])


def _predict(net: SpineUNet, x: torch.Tensor, device: torch.device, tiles: int) -> np.ndarray:
    """Probabilities float32 (classes, nk, nj, ni) of one member."""
    # Air lies beyond the edge of a volume, as in training.
    inferer = SlidingWindowInferer(
        net.config.patch,
        sw_batch_size=tiles,
        overlap=0.4,
        mode="gaussian",
        padding_mode="constant",
        cval=float(x.min()),
    )
    with torch.inference_mode(), torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
        logits = inferer(x.to(device), net)
        return torch.softmax(logits.float(), dim=1)[0].cpu().numpy()


def _predict_within_memory(net: SpineUNet, x: torch.Tensor, device: torch.device) -> np.ndarray:
    """One member's probabilities, with smaller tiles and then on the CPU where the GPU's memory runs out."""
    if device.type != "cuda":
        return _predict(net, x, device, tiles=1)
    for tiles in (4, 1):
        try:
            return _predict(net, x, device, tiles)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            log.warning("out of GPU memory with %d tiles at a time", tiles)
    log.warning("the GPU has too little memory for one tile; this member runs on the CPU")
    try:
        return _predict(net.cpu(), x, torch.device("cpu"), tiles=1)
    finally:
        net.to(device)


def ask_committee(
    committee: Committee, image: sitk.Image, progress: Callable[[int, int], None] | None = None
) -> CommitteeOpinion:
    """Every member's judgement of a volume, and their mean.

    Parameters
    ----------
    committee : Committee
        The networks.
    image : sitk.Image
        3D scalar in reading order, on the input's own grid.
    progress : callable, optional
        Called with (members done, members in all) after each member.

    Returns
    -------
    CommitteeOpinion
        On the grid of ``image``.

    Raises
    ------
    EngineError
        If memory runs out, or two members say the same everywhere: then it is one network, not a committee.
    """
    native = Grid.of(image)
    shown = resample_to_spacing(image, network_spacing(native.spacing, committee.network))
    grid = Grid.of(shown)
    x = torch.from_numpy(normalise(sitk.GetArrayFromImage(shown)))[None, None]
    mean = np.zeros((len(NetworkClass), *native.shape), np.float32)
    masks = np.empty((len(committee.members), *native.shape), np.uint8)
    seen: set[bytes] = set()
    try:
        for n, net in enumerate(committee.members):
            own = _predict_within_memory(net, x, committee.device)
            digest = hashlib.sha256(own.data).digest()
            if digest in seen:
                raise EngineError(f"model '{committee.card.name}': two members give identical answers; reinstall it")
            seen.add(digest)
            own = resample_like(own, grid, native)
            masks[n] = own.argmax(axis=0)
            mean += own / len(committee.members)
            if progress:
                progress(n + 1, len(committee.members))
    except MemoryError as error:
        raise EngineError("out of memory while segmenting; use a machine with more, or a smaller volume") from error
    return CommitteeOpinion(native, mean.astype(np.float16), masks)

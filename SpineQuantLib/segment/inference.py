"""The committee looks at a volume."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import numpy as np
import SimpleITK as sitk
import torch
from monai.inferers import SlidingWindowInferer

from ..anatomy.structures import NetworkClass
from ..case.errors import EngineError
from ..case.grid import Grid
from ..case.opinion import CommitteeOpinion
from ..case.view import view_of
from ..images.resample import resample_like, resample_to_spacing
from ..images.turn import turned
from ..models.clean import drop_small_components
from ..models.committee import Committee
from ..models.network import SpineUNet
from ..models.preprocess import normalise
from ..models.slices import shown_slices
from .embedding import Embedding

__all__ = ["Witness", "ask_committee", "embed_volume"]

log = logging.getLogger(__name__)

Witness = Callable[[int, np.ndarray], None]
"""Is shown (member, its probabilities float32 (classes, nk, nj, ni) on the input's grid), to keep what it needs."""

_SURE = 0.9995
"""Background probability from which a voxel's entropy (below 0.008 bits) is not worth its logarithms."""

_OVERLAP = (0.33, 0.4, 0.4)
"""Share of a patch that neighbours have in common, along (k, j, i)."""

_PAIR = 2
"""Patches that are shown together on the CPU. PyTorch takes its fast convolution (oneDNN) for several of this size, and
one that is four times as slow for a single one (``ConvParams::use_mkldnn`` in ATen/native/Convolution.cpp)."""


def _beside_itself(net: SpineUNet) -> Callable[[torch.Tensor], torch.Tensor]:
    """The network, shown the only patch of a small volume together with the same patch."""
    return lambda patch: net(torch.cat([patch] * _PAIR))[:1]


def _predict(net: SpineUNet, stacks: Sequence[torch.Tensor], device: torch.device, tiles: int) -> np.ndarray:
    """Probabilities float32 (classes, nk, nj, ni) of one member, the slices of all stacks in their order again."""
    inferer = SlidingWindowInferer(
        net.config.patch,
        sw_batch_size=tiles,
        overlap=_OVERLAP,
        mode="gaussian",
        padding_mode="constant",
        # Air lies beyond the edge of a volume, as in training.
        cval=min(float(x.min()) for x in stacks),
    )
    depth = sum(x.shape[2] for x in stacks)
    out = np.empty((len(NetworkClass), depth, *stacks[0].shape[3:]), np.float32)
    with torch.inference_mode(), torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
        for n, x in enumerate(stacks):
            alone = device.type == "cpu" and all(n <= m for n, m in zip(x.shape[2:], net.config.patch, strict=True))
            logits = inferer(x.to(device), _beside_itself(net) if alone else net)
            out[:, n :: len(stacks)] = torch.softmax(logits.float(), dim=1)[0].cpu().numpy()
    least = net.config.least_component
    return drop_small_components(out, least) if least else out


def _predict_within_memory(
    net: SpineUNet,
    stacks: Sequence[torch.Tensor],
    device: torch.device,
    embedding: Embedding | None = None,
    tell: Callable[[str], None] = log.warning,
) -> np.ndarray:
    """One member's probabilities, with smaller tiles and then on the CPU where the GPU's memory runs out.

    ``tell`` is told of each step down, in words for a reader.
    """
    embedding = embedding or Embedding()
    if device.type != "cuda":
        return _predict(net, stacks, device, _PAIR)
    for tiles in (4, 1):
        try:
            return _predict(net, stacks, device, tiles)
        except torch.cuda.OutOfMemoryError:
            embedding.clear()
            torch.cuda.empty_cache()
            if tiles > 1:
                tell("the GPU has too little free memory; going on in smaller pieces, which takes longer")
    tell("the GPU has too little free memory even for small pieces; this network runs on the CPU, which takes longer")
    try:
        return _predict(net.cpu(), stacks, torch.device("cpu"), _PAIR)
    finally:
        net.to(device)


def _shown(
    committee: Committee, image: sitk.Image, directions: np.ndarray | None = None
) -> tuple[list[torch.Tensor], Grid]:
    """A volume as the networks see it, in stacks (1, 1, slices, nj, ni), and the grid of all of its slices."""
    network, spacing = committee.network, Grid.of(image).spacing
    slice_mm, count = shown_slices(spacing[0], network)
    shown = resample_to_spacing(image, (slice_mm, *network.spacing[1:]))
    if directions is not None:
        shown = turned(shown, directions)
    values = torch.from_numpy(normalise(sitk.GetArrayFromImage(shown), network.window))[None, None]
    return [values[:, :, n::count] for n in range(min(count, values.shape[2]))], Grid.of(shown)


def _add_entropy(total: np.ndarray, probabilities: np.ndarray) -> None:
    """Add the entropy in bits of each voxel's classes to ``total`` (nk, nj, ni); in place."""
    unsure = probabilities[0] < _SURE
    p = probabilities[:, unsure]
    total[unsure] -= (p * np.log2(np.maximum(p, 1e-12))).sum(axis=0)


def embed_volume(committee: Committee, image: sitk.Image) -> np.ndarray:
    """The embedding alone, as :func:`ask_committee` finds it, at the price of one member.

    Parameters
    ----------
    committee : Committee
        The networks.
    image : sitk.Image
        3D scalar in reading order.

    Returns
    -------
    np.ndarray
        float32 (features,).
    """
    stacks, _ = _shown(committee, image)
    embedding = Embedding()
    with embedding.gather(committee.members[0]):
        _predict_within_memory(committee.members[0], stacks, committee.device, embedding)
    return embedding.vector


def ask_committee(
    committee: Committee,
    image: sitk.Image,
    progress: Callable[[int, int], None] | None = None,
    witness: Witness | None = None,
    tell: Callable[[str], None] = log.warning,
    directions: np.ndarray | None = None,
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
    witness : callable, optional
        Shown each member's own probabilities, which the opinion does not keep.
    tell : callable
        Told, in words for a reader, where the GPU's memory does not suffice and what is done instead.
    directions : np.ndarray, optional
        (3, 3) rows are the axes (k, j, i), unit vectors in LPS, along which the networks are shown the volume; its own
        without them.

    Returns
    -------
    CommitteeOpinion
        On the grid of ``image``, whichever way it was shown.

    Raises
    ------
    EngineError
        If memory runs out, or two members say the same everywhere: then it is one network, not a committee.
    """
    native = Grid.of(image)
    stacks, grid = _shown(committee, image, directions)
    mean = np.zeros((len(NetworkClass), *native.shape), np.float32)
    masks = np.empty((len(committee.members), *native.shape), np.uint8)
    entropy = np.zeros(native.shape, np.float32)
    embedding = Embedding()
    seen: set[bytes] = set()
    try:
        for n, net in enumerate(committee.members):
            with embedding.gather(net) if n == 0 else nullcontext():
                own = _predict_within_memory(net, stacks, committee.device, embedding if n == 0 else None, tell)
            digest = hashlib.sha256(own.data).digest()
            if digest in seen:
                raise EngineError(f"model '{committee.card.name}': two members give identical answers; reinstall it")
            seen.add(digest)
            own = resample_like(own, grid, native)
            masks[n] = own.argmax(axis=0)
            mean += own / len(committee.members)
            _add_entropy(entropy, own)
            if witness:
                witness(n, own)
            if progress:
                progress(n + 1, len(committee.members))
    except MemoryError as error:
        raise EngineError("out of memory while segmenting; use a machine with more, or a smaller volume") from error
    entropy /= len(committee.members)
    return CommitteeOpinion(
        native,
        mean.astype(np.float16),
        masks,
        entropy.astype(np.float16),
        embedding.vector,
        view=view_of(sitk.GetArrayViewFromImage(image)),
    )

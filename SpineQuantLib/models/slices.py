"""How the slices of a volume are shown to a network that was trained on thick ones."""

from __future__ import annotations

from .network import NetworkConfig

__all__ = ["shown_slices"]

_SLACK = 1e-3


def shown_slices(slice_mm: float, config: NetworkConfig) -> tuple[float, int]:
    """Distance to which slices are brought, and in how many stacks they are shown.

    Slices about as far apart as those in training stay as they are: interpolating between them would only blur. Thin
    ones are shown as interleaved stacks, every second slice in one and those between in another where there are two
    stacks: so a network that knows thick slices judges each thin one by itself, where an average of two would hide on
    which of them a foramen ends.

    Parameters
    ----------
    slice_mm : float
        Distance of the volume's slices.
    config : NetworkConfig
        The network's grid.

    Returns
    -------
    slice_mm : float
        Distance after resampling.
    stacks : int
        Slice ``n`` belongs to stack ``n % stacks``.
    """
    low, high = config.keep_slices[0] - _SLACK, config.keep_slices[1] + _SLACK
    if low <= slice_mm <= high:
        return slice_mm, 1
    if slice_mm > high or config.stacks == 1:
        return config.spacing[0], 1
    if low <= slice_mm * config.stacks <= high:
        return slice_mm, config.stacks
    return config.spacing[0] / config.stacks, config.stacks

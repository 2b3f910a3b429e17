"""What another program does to a case folder while the panel knows nothing of it."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from SpineQuantLib.anatomy.labels import disc_value

__all__ = ["save_a_mask"]


def save_a_mask(folder: Path) -> bytes:
    """Save the folder's masks without the L4-L5 disc; returns the file."""
    path = folder / "segmentation.nii.gz"
    image = sitk.ReadImage(str(path))
    labels = sitk.GetArrayFromImage(image)
    labels[labels == disc_value("L4")] = 0
    drawn = sitk.GetImageFromArray(labels)
    drawn.CopyInformation(image)
    sitk.WriteImage(drawn, str(path))
    return path.read_bytes()

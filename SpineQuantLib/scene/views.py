"""What a reader sees first: three slice views on the volume, the sagittal one through the middle of the spine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ..case.spine import NamedSpine
from .build import SceneNodes
from .host import SceneHost, import_slicer

__all__ = ["centre_of", "show_in_views"]

# Slicer's own names and orientations of its slice views.
_VIEWS = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}


def centre_of(spine: NamedSpine) -> np.ndarray:
    """RAS millimetres of the middle of what is segmented, or of the volume where nothing is."""
    found = np.argwhere(spine.labels > 0)
    index = np.median(found, axis=0) if len(found) else (np.array(spine.grid.shape) - 1) / 2
    return spine.grid.to_ras(index)


@contextmanager
def show_in_views(host: SceneHost, nodes: SceneNodes, spine: NamedSpine) -> Iterator[None]:
    """Make the slice views of a scene show a case, for as long as the block lasts.

    Slicer takes such views over when it opens the scene, so that the volume is on screen without a click.
    """
    slicer = import_slicer()
    centre = centre_of(spine)
    logics = []
    for name, orientation in _VIEWS.items():
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(host.application_logic)
        logic.SetMRMLScene(host.scene)
        node = logic.AddSliceNode(name)
        node.SetOrientation(orientation)
        logic.GetSliceCompositeNode().SetBackgroundVolumeID(nodes.volume)
        logic.FitSliceToBackground()
        node.JumpSliceByOffsetting(*centre)
        logics.append(logic)
    try:
        yield
    finally:
        # The logics observe the scene and must let go of it before it is cleared.
        for logic in logics:
            logic.SetMRMLScene(None)

"""The brush for masks: Slicer's own Segment Editor, embedded and set to one object of a case."""

from contextlib import contextmanager

import slicer

MASK_EVENTS = (
    slicer.vtkSegmentation.SourceRepresentationModified,
    slicer.vtkSegmentation.SegmentModified,
    slicer.vtkSegmentation.SegmentRemoved,
)
"""What says that a mask changed: a stroke; the editor's own undo, which says no more than that a segment did; and a
segment that was deleted, here or in another module."""


class Brush:
    """The editor, made on first use.

    :param frame: where it is shown, while it is in use.
    """

    def __init__(self, frame) -> None:
        self._frame = frame
        self._editor = self._node = None
        self.active = False
        frame.visible = False

    def take(self, nodes, segment: str, diameter: float) -> None:
        """Paint into one segment of a case.

        :param nodes: node IDs of the case.
        :param segment: ID of the segment.
        :param diameter: of the round brush, in mm; it paints within a slice.
        """
        editor = self._open(nodes)
        editor.setCurrentSegmentID(segment)
        editor.setActiveEffectByName("Paint")
        effect = editor.activeEffect()
        if effect is not None:
            effect.setCommonParameter("BrushDiameterIsRelative", 0)
            effect.setCommonParameter("BrushAbsoluteDiameter", diameter)
            effect.setCommonParameter("BrushSphere", 0)
        self._frame.visible = self.active = True

    def _open(self, nodes):
        if self._editor is None:
            self._editor = slicer.qMRMLSegmentEditorWidget()
            self._editor.setMaximumNumberOfUndoStates(10)
            # The panel says what is painted, and a case takes no segments but its own.
            self._editor.setSegmentationNodeSelectorVisible(False)
            self._editor.setSourceVolumeNodeSelectorVisible(False)
            if hasattr(self._editor, "setAddRemoveSegmentButtonsVisible"):  # not in every Slicer
                self._editor.setAddRemoveSegmentButtonsVisible(False)
            self._editor.setMRMLScene(slicer.mrmlScene)
            self._frame.layout().addWidget(self._editor)
        if self._node is None or slicer.mrmlScene.GetNodeByID(self._node.GetID()) is not self._node:
            node = slicer.vtkMRMLSegmentEditorNode()
            # A voxel belongs to one structure: what is painted is taken from the others.
            node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments)
            self._node = slicer.mrmlScene.AddNode(node)
            self._editor.setMRMLSegmentEditorNode(self._node)
        self._editor.setSegmentationNode(slicer.mrmlScene.GetNodeByID(nodes.segmentation))
        self._editor.setSourceVolumeNode(slicer.mrmlScene.GetNodeByID(nodes.volume))
        return self._editor

    @contextmanager
    def kept(self):
        """Hold the brush while masks are put into the scene anew, which takes segment and tool away from the editor."""
        segment = self._node.GetSelectedSegmentID() if self.active else None
        tool = self._node.GetActiveEffectName() if self.active else None
        yield
        if not self.active or not segment:
            return
        node = self._node.GetSegmentationNode()
        if node is not None and node.GetSegmentation().GetSegment(segment) is not None:
            self._editor.setCurrentSegmentID(segment)
            self._editor.setActiveEffectByName(tool or "")

    def drop(self) -> None:
        """Put the brush away; an effect that stays active would go on drawing, into a case that is closed."""
        if self._editor is not None:
            self._editor.setActiveEffectByName("")
            self._editor.setSegmentationNode(None)
        self._frame.visible = self.active = False

    def close(self) -> None:
        """Let the editor's node go, for when the application closes."""
        if self._editor is not None:
            self._editor.setMRMLSegmentEditorNode(None)

"""Stand-ins for the widgets of Slicer and CTK that a module's form may use, bound to the real MRML scene."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPolygon
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

__all__ = ["WIDGETS"]

_HEADER = 26


class ctkCollapsibleButton(QWidget):
    """A titled box that folds away; the title is painted, the contents lie below it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._collapsed, self._hidden = "", False, []
        self.setContentsMargins(0, _HEADER, 0, 0)

    def _get_text(self) -> str:
        return self._text

    def _set_text(self, text: str) -> None:
        self._text = text
        self.update()

    def _get_collapsed(self) -> bool:
        return self._collapsed

    def _set_collapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        if collapsed:
            own = [c for c in self.findChildren(QWidget, options=Qt.FindDirectChildrenOnly) if not c.isHidden()]
            self._hidden = own
            for child in own:
                child.hide()
        else:
            for child in self._hidden:
                child.show()
        self.setMaximumHeight(_HEADER if collapsed else 16777215)
        self.updateGeometry()

    text = Property(str, _get_text, _set_text)
    collapsed = Property(bool, _get_collapsed, _set_collapsed)

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        if self._collapsed and not self._hidden:
            self._collapsed = False
            self._set_collapsed(True)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, _HEADER) if self._collapsed else QWidget.minimumSizeHint(self)

    def mousePressEvent(self, event: Any) -> None:
        if event.position().y() < _HEADER:
            self._set_collapsed(not self._collapsed)

    def paintEvent(self, _event: Any) -> None:
        painter = QPainter(self)
        painter.fillRect(QRect(0, 0, QWidget.width(self), _HEADER - 3), QWidget.palette(self).mid())
        x, y = 10, _HEADER // 2 - 2
        shape = [(-3, -4), (-3, 4), (4, 0)] if self._collapsed else [(-4, -3), (4, -3), (0, 4)]
        painter.setBrush(QWidget.palette(self).text())
        painter.drawPolygon(QPolygon([QPoint(x + dx, y + dy) for dx, dy in shape]))
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        painter.drawText(QRect(22, 0, QWidget.width(self) - 24, _HEADER - 3), Qt.AlignVCenter, self._text)


class ctkPathLineEdit(QWidget):
    """A path with a button to browse."""

    currentPathChanged = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._edit, button = QLineEdit(self), QToolButton(self)
        button.setText("…")
        row.addWidget(self._edit)
        row.addWidget(button)
        self._edit.textChanged.connect(self.currentPathChanged)

    def _get(self) -> str:
        return self._edit.text()

    def _set(self, path: str) -> None:
        self._edit.setText(path)

    currentPath = Property(str, _get, _set)


class ctkMessageBox(QMessageBox):
    """A message; the host's ``slicer.util`` never opens one."""


class qMRMLWidget(QWidget):
    """Hands the scene to the selectors of a form."""

    mrmlSceneChanged = Signal(object)

    def setMRMLScene(self, scene: Any) -> None:
        for child in self.findChildren(QWidget):
            if isinstance(child, qMRMLNodeComboBox):
                child.setMRMLScene(scene)


class qMRMLNodeComboBox(QComboBox):
    """Selector of a node; follows the scene."""

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene, self._types, self._hidden, self._none = None, [], [], False
        self._children = True
        self.currentIndexChanged.connect(self._changed)

    nodeTypes = Property("QStringList", lambda s: s._types, lambda s, v: setattr(s, "_types", list(v)))
    hideChildNodeTypes = Property("QStringList", lambda s: s._hidden, lambda s, v: setattr(s, "_hidden", list(v)))
    noneEnabled = Property(bool, lambda s: s._none, lambda s, v: setattr(s, "_none", bool(v)))
    showChildNodeTypes = Property(bool, lambda s: s._children, lambda s, v: setattr(s, "_children", bool(v)))
    addEnabled = Property(bool, lambda _: False, lambda _s, _v: None)
    removeEnabled = Property(bool, lambda _: False, lambda _s, _v: None)
    currentNodeID = Property(str, lambda s: s.itemData(QComboBox.currentIndex(s)) or "", lambda s, v: s._choose(v))

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent):
            scene.AddObserver(event, self._fill)
        self._fill()

    def _fill(self, *_: Any) -> None:
        before, self._filling = self._node_id(), True
        self.clear()
        if self._none:
            self.addItem("None", "")
        nodes = self._scene.GetNodesByClass(self._types[0]) if self._types else None
        for n in range(nodes.GetNumberOfItems() if nodes else 0):
            node = nodes.GetItemAsObject(n)
            fits = self._children or node.GetClassName() in self._types
            if fits and not node.GetHideFromEditors() and not any(node.IsA(kind) for kind in self._hidden):
                self.addItem(node.GetName(), node.GetID())
        if nodes:
            nodes.UnRegister(None)
        self.setCurrentIndex(
            self.findData(before) if before else (0 if QComboBox.count(self) and not self._none else -1)
        )
        self._filling = False
        if self._node_id() != before:
            self._changed()

    _filling = False

    def _node_id(self) -> str:
        return self.itemData(QComboBox.currentIndex(self)) or ""

    def _choose(self, node_id: str) -> None:
        self.setCurrentIndex(self.findData(node_id or ""))

    def _changed(self, *_: Any) -> None:
        if not self._filling:
            self.currentNodeIDChanged.emit(self._node_id())
            self.currentNodeChanged.emit(self.currentNode())

    def currentNode(self) -> Any:
        return self._scene.GetNodeByID(self._node_id()) if self._scene and self._node_id() else None

    def setCurrentNode(self, node: Any) -> None:
        self._choose(node.GetID() if node else "")

    def setCurrentNodeID(self, node_id: str) -> None:
        self._choose(node_id)


class _Effect:
    """The active effect: remembers its parameters."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.parameters: dict[str, Any] = {}

    def setParameter(self, name: str, value: Any) -> None:
        self.parameters[name] = value

    def setCommonParameter(self, name: str, value: Any) -> None:
        self.parameters[name] = value


class qMRMLSegmentEditorWidget(QWidget):
    """The segment editor, without its tools: what is painted, a test writes into the segmentation."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._effect, self._node, self._segmentation, self._volume, self._segment = None, None, None, None, ""
        column = QVBoxLayout(self)
        self._label = QLabel("Segment Editor", self)
        self._label.setMinimumHeight(60)
        self._label.setAlignment(Qt.AlignCenter)
        self._label.setStyleSheet("border: 1px solid gray; color: gray;")
        column.addWidget(self._label)
        undo = QPushButton("Undo (segment)", self)
        column.addWidget(undo)

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        self._node = node

    def mrmlSegmentEditorNode(self) -> Any:
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        if self._segmentation:
            self._segmentation.GetSegmentation().RemoveObserver(self._tag)
        self._segmentation = node
        if node:
            import slicer

            event = slicer.vtkSegmentation.SegmentRemoved
            self._tag = node.GetSegmentation().AddObserver(event, self._on_removed)
        if self._node:
            self._node.SetAndObserveSegmentationNode(node)

    def _on_removed(self, segmentation: Any, _event: Any) -> None:
        """As in Slicer, the tool is put away when the segment that it is for vanishes, if only for a moment."""
        if self._segment and segmentation.GetSegment(self._segment) is None:
            self.setActiveEffectByName("")
            self.setCurrentSegmentID("")

    def segmentationNode(self) -> Any:
        return self._segmentation

    def setSourceVolumeNode(self, node: Any) -> None:
        self._volume = node

    def setCurrentSegmentID(self, segment_id: str) -> None:
        self._segment = segment_id
        if self._node:
            self._node.SetSelectedSegmentID(segment_id)
        self._say()

    def currentSegmentID(self) -> str:
        return self._segment

    def setActiveEffectByName(self, name: str) -> None:
        if name != (self._effect.name if self._effect else ""):
            self._effect = _Effect(name) if name else None
        if self._node:
            self._node.SetActiveEffectName(name)
        self._say()

    def activeEffect(self) -> _Effect | None:
        return self._effect

    def setSegmentationNodeSelectorVisible(self, on: bool) -> None:
        self._chooses_segmentation = on

    def setSourceVolumeNodeSelectorVisible(self, on: bool) -> None:
        self._chooses_volume = on

    def setAddRemoveSegmentButtonsVisible(self, on: bool) -> None:
        self._adds_segments = on

    def setEffectNameOrder(self, names: list[str]) -> None:
        self._names = names

    def setMaximumNumberOfUndoStates(self, number: int) -> None:
        self._undo = number

    def setAutoShowSourceVolumeNode(self, on: bool) -> None:
        self._auto = on

    def _say(self) -> None:
        effect = self._effect.name if self._effect else "no effect"
        self._label.setText(f"Segment Editor: {effect} · {self._segment or 'no segment'}")


WIDGETS = {
    kind.__name__: kind
    for kind in (
        ctkCollapsibleButton,
        ctkMessageBox,
        ctkPathLineEdit,
        qMRMLNodeComboBox,
        qMRMLSegmentEditorWidget,
        qMRMLWidget,
    )
}

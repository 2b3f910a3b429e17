"""The views: a layout for reading, and a jump to what is to be looked at."""

import slicer

LAYOUT = 5917
"""Number of the layout; other extensions must not have the same."""

_SAGITTAL, _AXIAL, _BESIDE = "Yellow", "Red", "Green"

# Slicer's own views under their own names, so that other modules find them; what they show is written beside them.
_DESCRIPTION = """
<layout type="horizontal" split="true">
 <item splitSize="420"><view class="vtkMRMLSliceNode" singletontag="Yellow">
  <property name="orientation" action="default">Sagittal</property>
  <property name="viewlabel" action="default">Y</property>
   <property name="viewcolor" action="default">#EDD54C</property>
 </view></item>
 <item splitSize="330"><layout type="vertical" split="true">
  <item><view class="vtkMRMLSliceNode" singletontag="Red">
   <property name="orientation" action="default">Axial</property>
   <property name="viewlabel" action="default">R</property>
   <property name="viewcolor" action="default">#F34A33</property>
  </view></item>
  <item><view class="vtkMRMLSliceNode" singletontag="Green">
   <property name="orientation" action="default">Sagittal</property>
   <property name="viewlabel" action="default">G</property>
   <property name="viewcolor" action="default">#6EB04B</property>
  </view></item>
 </layout></item>
 <item splitSize="250"><layout type="vertical" split="true">
  <item><view class="vtkMRMLViewNode" singletontag="1">
   <property name="viewlabel" action="default">1</property>
  </view></item>
  <item><view class="vtkMRMLPlotViewNode" singletontag="PlotView1">
   <property name="viewlabel" action="default">P</property>
  </view></item>
  <item><view class="vtkMRMLTableViewNode" singletontag="TableView1">
   <property name="viewlabel" action="default">T</property>
  </view></item>
 </layout></item>
</layout>
"""


def setReadingLayout(nodes) -> None:
    """Show sagittal, axial, parasagittal, 3D, plot and table views of a case.

    :param nodes: node IDs of the case, or None to set the layout alone.
    """
    manager = slicer.app.layoutManager()
    if manager is None:
        return  # Slicer without a main window has no views
    layoutNode = manager.layoutLogic().GetLayoutNode()
    if not layoutNode.IsLayoutDescription(LAYOUT):
        layoutNode.AddLayoutDescription(LAYOUT, _DESCRIPTION)
    manager.setLayout(LAYOUT)
    for name, orientation in ((_SAGITTAL, "Sagittal"), (_AXIAL, "Axial"), (_BESIDE, "Sagittal")):
        widget = manager.sliceWidget(name)
        if widget is not None:
            widget.mrmlSliceNode().SetOrientation(orientation)
    if nodes is None:
        return
    slicer.util.setSliceViewerLayers(background=nodes.volume, fit=True)
    if "measurements" in nodes.tables:
        application = slicer.app.applicationLogic()
        application.GetSelectionNode().SetActiveTableID(nodes.tables["measurements"])
        application.PropagateTableSelection()
    showPlot(nodes, next(iter(nodes.plots), ""))
    segmentation = slicer.mrmlScene.GetNodeByID(nodes.segmentation)
    if segmentation is not None:
        segmentation.CreateClosedSurfaceRepresentation()
    if manager.threeDViewCount:
        manager.threeDWidget(0).threeDView().resetFocalPoint()


def showPlot(nodes, key: str) -> bool:
    """Show a plot of the case in the plot view; returns whether there is one."""
    manager = slicer.app.layoutManager()
    if manager is None or key not in nodes.plots:
        return False
    if manager.plotWidget(0) is None:
        setReadingLayout(None)
    manager.plotWidget(0).mrmlPlotViewNode().SetPlotChartNodeID(nodes.plots[key][0])
    return True


def jump(place) -> None:
    """Let the slice views show a place: sagittal, axial across the canal, and parasagittal beside it."""
    manager = slicer.app.layoutManager()
    if manager is None or place is None:
        return
    for name in manager.sliceViewNames():
        node = manager.sliceWidget(name).mrmlSliceNode()
        if name == _AXIAL:
            _across(node, place)
        elif name == _BESIDE:
            node.SetOrientation("Sagittal")
            node.JumpSliceByOffsetting(*place.beside)
            continue
        elif name == _SAGITTAL:
            node.SetOrientation("Sagittal")
        node.JumpSliceByOffsetting(*place.point)


def _across(node, place) -> None:
    """Turn the axial view across the canal, the patient's left on the reader's right as everywhere in Slicer."""
    from SpineQuantLib.panel.places import axial_axes

    matrix = node.GetSliceToRAS()
    for column, axis in enumerate(axial_axes(place.along)):
        for row in range(3):
            matrix.SetElement(row, column, axis[row])
    node.UpdateMatrices()

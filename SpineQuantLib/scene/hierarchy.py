"""Patient, study and folders of a case in the subject hierarchy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .host import import_slicer

__all__ = ["case_item", "folder", "place", "subject_hierarchy"]


def subject_hierarchy(scene: Any) -> Any:
    """The scene's vtkMRMLSubjectHierarchyNode, made where there is none."""
    slicer = import_slicer()
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def place(hierarchy: Any, node: Any, parent: int) -> int:
    """Put a node under an item; Slicer's desktop has made an item for it already, elsewhere it is made here."""
    item = hierarchy.GetItemByDataNode(node)
    if item == hierarchy.GetInvalidItemID():
        return hierarchy.CreateItem(parent, node)
    hierarchy.SetItemParent(item, parent)
    return item


def folder(hierarchy: Any, parent: int, name: str) -> int:
    """A new folder under an item."""
    return hierarchy.CreateFolderItem(parent, name)


def case_item(hierarchy: Any, dicom: Mapping[str, Any], volume_node: Any, name: str) -> int:
    """Study under which a case goes: the one the volume lies in, else a new one.

    A volume that was loaded through Slicer's DICOM module already has its patient and its study, and stays there.
    Otherwise a patient called like the case and a study are made; the patient's name is not known here, on purpose.
    """
    slicer = import_slicer()
    levels = slicer.vtkMRMLSubjectHierarchyConstants
    item = hierarchy.GetItemByDataNode(volume_node)
    if item != hierarchy.GetInvalidItemID():
        found = hierarchy.GetItemAncestorAtLevel(item, levels.GetDICOMLevelStudy())
        if found != hierarchy.GetInvalidItemID():
            return found
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), name)
    study = hierarchy.CreateStudyItem(patient, str(dicom.get("StudyDescription") or "Spine MRI"))
    uid = dicom.get("StudyInstanceUID")
    if uid:
        hierarchy.SetItemUID(study, levels.GetDICOMUIDName(), str(uid))
    return study

"""Files that Slicer opens: the scene, the segmentation and the markups, each written completely or not at all."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from ..case.errors import OutputError
from ..case.result import CaseResult
from .build import add_case
from .host import new_host, vtk_messages
from .markups import add_markup, shown_together
from .provenance import provenance_of
from .segmentation import add_segmentation
from .views import show_in_views
from .volume import add_volume

__all__ = ["write_markups", "write_scene", "write_segmentation"]


def write_scene(
    result: CaseResult,
    volume_image: sitk.Image,
    mrb_path: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    time: datetime | None = None,
) -> None:
    """Write a scene with everything of a case (:func:`~SpineQuantLib.scene.build.add_case`) as a bundle.

    Parameters
    ----------
    result : CaseResult
        Analysed case.
    volume_image : SimpleITK.Image
        The input volume on its own grid, with its own numbers.
    mrb_path : Path
        Ends in ``.mrb``; replaced if it exists.
    settings, time
        For the provenance, as in :func:`~SpineQuantLib.scene.build.add_case`.

    Raises
    ------
    OutputError
        If it cannot be written.
    EngineError
        If neither Slicer nor ``slicer-core`` is there.
    """
    _check_ending(mrb_path, ".mrb")
    with new_host() as host, _written_whole(mrb_path) as part:
        nodes = add_case(host.scene, result, volume_image, settings=settings, time=time)
        with show_in_views(host, nodes, result.spine), vtk_messages() as messages:
            written = host.scene.WriteToMRB(str(part))
        _check_written(written and zipfile.is_zipfile(part), mrb_path, messages)
        _check_bundle(part, mrb_path)


def write_segmentation(
    result: CaseResult,
    volume_image: sitk.Image,
    path: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    time: datetime | None = None,
) -> None:
    """Write the segmentation on the volume's grid with segment ids, names, colours, codes and provenance.

    Parameters
    ----------
    result, volume_image, settings, time
        As in :func:`write_scene`.
    path : Path
        Ends in ``.seg.nrrd``; replaced if it exists.

    Raises
    ------
    OutputError
        If it cannot be written.
    EngineError
        If neither Slicer nor ``slicer-core`` is there.
    """
    _check_ending(path, ".seg.nrrd")
    name = path.name.removesuffix(".seg.nrrd")
    with new_host() as host, _written_whole(path) as part:
        volume = add_volume(host.scene, volume_image, "volume")
        provenance = provenance_of(result, settings, time)
        node = add_segmentation(host.scene, result.spine, volume_image, volume, name, provenance)
        _store(node, part, path)
        _check_image(part, path)


def write_markups(result: CaseResult, folder: Path) -> tuple[Path, ...]:
    """Write each markup (:mod:`~SpineQuantLib.scene.markups`) to a file ``KEY.mrk.json`` of its own.

    Parameters
    ----------
    result : CaseResult
        Analysed case.
    folder : Path
        Made if it does not exist; a file of the same name is replaced.

    Returns
    -------
    tuple of Path
        The files; none where no measurement has a geometry.

    Raises
    ------
    OutputError
        If one cannot be written.
    EngineError
        If neither Slicer nor ``slicer-core`` is there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    paths = []
    with new_host() as host:
        for group in shown_together(result.measurements):
            path = folder / f"{re.sub(r'[^A-Za-z0-9_.+-]', '_', group[0].key)}.mrk.json"
            with _written_whole(path) as part:
                _store(add_markup(host.scene, group), part, path)
            paths.append(path)
    return tuple(paths)


def _store(node: Any, part: Path, path: Path) -> None:
    storage = node.GetStorageNode()
    storage.SetFileName(str(part))
    storage.SetUseCompression(1)
    with vtk_messages() as messages:
        written = storage.WriteData(node)
    _check_written(written and part.is_file() and part.stat().st_size > 0, path, messages)


def _check_ending(path: Path, ending: str) -> None:
    if not path.name.endswith(ending) or path.name == ending:
        raise OutputError(f"cannot write {path}: its name must end in {ending}")


def _check_written(written: bool, path: Path, messages: list[str]) -> None:
    errors = [m for m in messages if m.startswith("ERROR")]
    if not written or errors:
        raise _cannot_write(path, "; ".join(errors) or "no reason given")


def _check_image(part: Path, path: Path) -> None:
    """Read an image back: MRML's writers do not notice that the disk is full and leave half an image."""
    try:
        sitk.ReadImage(str(part))
    except RuntimeError as error:
        raise _cannot_write(path, "what was written is not whole") from error


def _check_bundle(part: Path, path: Path) -> None:
    with zipfile.ZipFile(part) as bundle, tempfile.TemporaryDirectory(dir=part.parent) as folder:
        for name in bundle.namelist():
            if name.endswith(".nrrd"):
                _check_image(Path(bundle.extract(name, folder)), path)


def _cannot_write(path: Path, reason: object) -> OutputError:
    return OutputError(f"cannot write {path}: {reason}. Is the folder writable, and is there room on the disk?")


@contextmanager
def _written_whole(path: Path) -> Iterator[Path]:
    """Path to write to in a folder beside the target, moved there in one step if the block ends well."""
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".spinequant-") as beside:
            part = Path(beside) / path.name
            yield part
            part.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error

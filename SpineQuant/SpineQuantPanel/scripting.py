"""Analyses without the panel: one volume or a folder, waited for, for scripts and Slicer's Python console."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from SpineQuantLib.case.errors import EngineError
from SpineQuantPanel import packages


@dataclass(frozen=True)
class Processed:
    """What :func:`process` returns.

    segmentation - Segmentation node.
    tables - Table nodes by name: measurements, findings, and an overview of each structure.
    verdict - ``pass``, ``review`` or ``fail``.
    reasons - Why.
    folder - The case folder.
    nodes - IDs of all nodes, see :class:`SpineQuantLib.scene.build.SceneNodes`.
    """

    segmentation: Any
    tables: dict
    verdict: str
    reasons: tuple
    folder: Path
    nodes: Any


def process(logic, volumeNode, **choices) -> Processed:
    """Analyse a volume, wait for it, and bring the result into the scene.

    :param logic: Runs the analysis.
    :param volumeNode: The MRI.
    :param choices: as for :meth:`SpineQuantPanel.runs.Runs.start`.
    :returns: Segmentation, tables, verdict and the case folder.
    :raises SpineQuantError: with what is wrong and what to do.
    """
    packages.requireDesk()
    entry = logic.start(volumeNode, **choices)
    while not entry.ended:
        logic.poll()
        slicer.app.processEvents()
        time.sleep(0.02)
    node = logic.finish(entry)
    if node is None:
        raise EngineError(_("The analysis was cancelled."))
    nodes = loadCase(entry.result.folder, node)
    return Processed(
        slicer.mrmlScene.GetNodeByID(nodes.segmentation),
        {name: slicer.mrmlScene.GetNodeByID(nodeID) for name, nodeID in nodes.tables.items()},
        str(entry.result.verdict),
        entry.result.reasons,
        entry.result.folder,
        nodes,
    )


def processFolder(logic, folder, output, report=print, timeout=None, **choices):
    """Analyse every image file and DICOM folder of a folder, with the networks loaded once.

    :param logic: Its engine is used.
    :param folder: Where the images are.
    :param output: Where the cases go; ``summary.csv`` is written there too.
    :param report: Called with a line for each case; None for silence.
    :param timeout: Seconds for each case; None for no limit.
    :param choices: ``lowest_disc``, ``contrast``, ``device``, ``model``, ``quality``, ``sex``, ``age``, ``height``.
    :returns: Rows of :class:`SpineQuantLib.job.batch.BatchRow` and a table node with the same.
    :raises SpineQuantError: if there is nothing to analyse or the summary cannot be written.
    """
    from SpineQuantLib.job.batch import find_images, run_batch, write_summary
    from SpineQuantLib.scene.tables import Column, add_table

    packages.requireDesk()
    output = Path(output)
    sources = find_images(Path(folder))
    output.mkdir(parents=True, exist_ok=True)

    def listen(_name, _event) -> None:
        slicer.app.processEvents()

    rows = []
    for source in sources:
        rows += run_batch([source], output, logic.engine, choices, listen, timeout)
        if report is not None:
            row = rows[-1]
            report(f"{row.name}: {row.verdict or row.state} {'; '.join(row.reasons)}")
    write_summary(rows, output / "summary.csv")
    columns = [
        Column("case", "name of the image", tuple(row.name for row in rows)),
        Column("state", "how it ended", tuple(str(row.state) for row in rows)),
        Column("verdict", "pass, review or fail", tuple(row.verdict or "-" for row in rows)),
        Column("reasons", "why", tuple("; ".join(row.reasons) or "-" for row in rows)),
        Column("seconds", "it took", tuple(row.seconds for row in rows), "s"),
    ]
    return rows, add_table(slicer.mrmlScene, slicer.mrmlScene.GenerateUniqueName("SpineQuant summary"), columns)


def loadCase(folder: Path, volumeNode):
    """Add segmentation, tables, plots and markups of a case folder to the scene; what is there stays as it is.

    :returns: Node IDs as :class:`SpineQuantLib.scene.build.SceneNodes`.
    """
    from SpineQuantLib.case.record import read_scores
    from SpineQuantLib.report.tables import read_measurements
    from SpineQuantLib.scene.reopen import add_case_folder

    measurements = read_measurements(folder / "measurements.json")
    scores = read_scores(folder / "case.json")
    return add_case_folder(slicer.mrmlScene, folder, volumeNode, measurements, scores)

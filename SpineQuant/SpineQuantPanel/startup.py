"""What the module tells other modules of Slicer when all of them are there."""

import logging
from pathlib import Path

import slicer

from SpineQuantLib.anatomy.resources import resource
from SpineQuantLib.case.errors import SpineQuantError

PHANTOM = Path(__file__).resolve().parents[1] / "Resources" / "SampleData" / "SpineQuantPhantom.nrrd"
PHANTOM_CHECKSUM = "SHA256:5092e6e513ed823e03f7997116c41121590ce877f42393c2d14ae6e8030fed82"


def registerTerminology() -> None:
    """Make the codes of what SpineQuant segments known to Slicer, so that they can be chosen by hand."""
    from SpineQuantLib.scene.terminology import load_terminology

    try:
        load_terminology(slicer.modules.terminologies.logic(), resource("Terminologies"))
    except (SpineQuantError, FileNotFoundError) as error:
        logging.error("SpineQuant's terminology is not available: %s", error)


def registerSampleData() -> None:
    """Offer a lumbar phantom in the module Sample Data and to ``SampleData.downloadSample("SpineQuantPhantom")``.

    The file comes with this module. The console knows no custom downloader, so that its address must be one that can
    be fetched: that of the file itself.
    """
    try:
        import SampleData
    except ImportError:
        return  # an application without that module
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="SpineQuant",
        sampleName=PHANTOM.stem,
        uris=PHANTOM.as_uri(),
        fileNames=PHANTOM.name,
        nodeNames=PHANTOM.stem,
        checksums=PHANTOM_CHECKSUM,
        thumbnailFileName=str(PHANTOM.parents[1] / "Icons" / "SpineQuant.png"),
    )


def addPhantom():
    """Add the phantom to the scene, without the module Sample Data.

    :returns: Its volume node.
    """
    import SimpleITK as sitk

    from SpineQuantLib.scene.volume import add_volume

    name = slicer.mrmlScene.GenerateUniqueName(PHANTOM.stem)
    return add_volume(slicer.mrmlScene, sitk.ReadImage(str(PHANTOM)), name)

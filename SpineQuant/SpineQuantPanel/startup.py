"""What the module tells other modules of Slicer when all of them are there."""

import logging
from pathlib import Path

import slicer

from SpineQuantLib.anatomy.resources import resource
from SpineQuantLib.case.errors import SpineQuantError


def registerTerminology() -> None:
    """Make the codes of what SpineQuant segments known to Slicer, so that they can be chosen by hand."""
    from SpineQuantLib.scene.terminology import load_terminology

    try:
        load_terminology(slicer.modules.terminologies.logic(), resource("Terminologies"))
    except (SpineQuantError, FileNotFoundError) as error:
        logging.error("SpineQuant's terminology is not available: %s", error)


def registerSampleData() -> None:
    """Offer a lumbar phantom in the module Sample Data; it is drawn here and not downloaded."""
    try:
        import SampleData
    except ImportError:
        return  # an application without that module
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="SpineQuant",
        sampleName="SpineQuantPhantom",
        # An address is asked for, although nothing is fetched where there is an own downloader.
        uris="spinequant:phantom",
        fileNames="SpineQuantPhantom.nrrd",
        nodeNames="SpineQuantPhantom",
        thumbnailFileName=str(Path(__file__).parents[1] / "Resources" / "Icons" / "SpineQuant.png"),
        customDownloader=makePhantom,
    )


def makePhantom(_source=None) -> list:
    """Draw a lumbar phantom and load it.

    :returns: Its volume node, in a list as the module Sample Data expects.
    """
    from SpineQuantLib.scene.volume import add_volume
    from SpineQuantLib.training.phantom import PhantomSpec, make_phantom

    phantom = make_phantom(PhantomSpec(size=(16, 224, 176), seed=5))
    return [add_volume(slicer.mrmlScene, phantom.image, slicer.mrmlScene.GenerateUniqueName("SpineQuantPhantom"))]

"""Packages of Slicer's own Python: which are missing, and how they come there once the user agrees."""

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SpineQuantLib.case.errors import EngineError
from SpineQuantLib.job.requirements import PYTORCH, missing_requirements, read_requirements

ENGINE_ONLY = ("monai", "safetensors")
DESK = ("psutil>=5.9",)


def listedRequirements() -> list[str]:
    """What the module's ``requirements.txt`` asks for."""
    return read_requirements(Path(__file__).parents[1] / "Resources" / "requirements.txt")


def missingPackages(requirements=None) -> list[str]:
    """Requirements that Slicer's own Python does not fulfil; by default all that the engine needs."""
    return missing_requirements([PYTORCH, *listedRequirements()] if requirements is None else list(requirements))


def requireDesk(whole: bool = False) -> None:
    """Check that Slicer's own Python has what this module needs here, wherever the engine is.

    :param whole: all that opening and correcting a case needs; otherwise what starting one needs.
    :raises EngineError: with what is missing.
    """
    missing = missingPackages(_desk() if whole else DESK)
    if missing:
        raise EngineError(
            _("Slicer lacks packages: {names}. Press Install… in the settings of this computer.").format(
                names=", ".join(missing)
            )
        )


def _desk() -> list[str]:
    return [line for line in listedRequirements() if not line.startswith(ENGINE_ONLY)]


def install(python: str = "", health=None) -> bool:
    """Say what is missing and install it if the user agrees.

    :param python: the engine's Python; only Slicer's own is ever changed.
    :param health: what is known of it.
    :returns: whether anything was installed, or nothing was missing.
    :raises RuntimeError: if it cannot be done from here, with how to do it.
    """
    own = not python
    missing = missingPackages([PYTORCH, *listedRequirements()] if own else _desk())
    if not own and health is not None and health.missing:
        slicer.util.infoDisplay(
            _("Another Python is never changed from here. In a terminal run:\n\n")
            + f'"{python}" -m pip install "spinequant[engine,dicom,mrml]"'
        )
    if not missing:
        return True
    plan = _("These packages will be downloaded and installed into Slicer's own Python:\n\n")
    plan += "\n".join(f"  {line}" for line in missing)
    plan += _("\n\nThis takes some minutes and, with PyTorch, up to 3 GB.")
    plan += _(" Other extensions use the same Python. Go on?")
    if not slicer.util.confirmOkCancelDisplay(plan):
        return False
    if PYTORCH in missing:
        installTorch()
        missing.remove(PYTORCH)
    if missing:
        _pip(missing)
    return True


def _pip(missing: list[str]) -> None:
    try:
        from slicer.packaging import pip_ensure
    except ImportError:
        slicer.util.pip_install(" ".join(f'"{line}"' for line in missing))  # Slicer 5.10
        return
    from packaging.requirements import Requirement

    # The user has agreed already, to all of it at once.
    pip_ensure([Requirement(line) for line in missing], prompt_install=False, requester="SpineQuant")


def installTorch() -> None:
    """Install PyTorch through the extension that knows which build fits the graphics card.

    That extension imports what it installed into Slicer itself, the one time that PyTorch is there; a restart ends it.

    :raises RuntimeError: if the extension is not there, or it could not install.
    """
    try:
        import PyTorchUtils
    except ImportError:
        raise RuntimeError(
            _(
                "PyTorch comes through its own extension, which chooses the build for your graphics card: install "
                "PyTorch in the Extensions Manager, restart Slicer, and press Install… again."
            )
        ) from None
    torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(
        askConfirmation=False, torchVersionRequirement=PYTORCH.removeprefix("torch")
    )
    if torch is None:
        raise RuntimeError(_("PyTorch could not be installed; the module PyTorch Utils says why."))

"""What training tells while it runs: log, curve file, TensorBoard."""

from __future__ import annotations

import logging
from pathlib import Path

from .curves import CurveFile
from .settings import TrainConfig
from .validate import DICE_COLUMNS

__all__ = ["Journal", "curve_path"]

log = logging.getLogger(__name__)
_told = set()


def curve_path(output: Path, seed: int) -> Path:
    """Curve file of a member."""
    return output / f"member_{seed}.csv"


class Journal:
    """Records one member's progress.

    Parameters
    ----------
    config : TrainConfig
        The member.
    start : int
        Step that it begins at; later rows of an interrupted run are dropped.
    """

    def __init__(self, config: TrainConfig, start: int) -> None:
        output = Path(config.output)
        self._seed = config.seed
        self._curve = CurveFile(curve_path(output, config.seed), ("loss", "rate", *DICE_COLUMNS), start)
        self._board = _board(output / "tensorboard" / f"member_{config.seed}", start)

    def tell(self, step: int, values: dict[str, float], pace: float) -> None:
        """Record the values of a step; ``pace`` is in seconds a step."""
        words = f"loss {values['loss']:.4f}"
        if "dice" in values:
            words += f", validation Dice {values['dice']:.3f}"
        log.info("member %d step %d %s, %.2f s a step", self._seed, step, words, pace)
        self._curve.add(step, values)
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Finish writing."""
        if self._board is not None:
            self._board.close()


def _board(folder: Path, start: int):
    """TensorBoard's writer; None where the package is not installed, which is said once."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        if "board" not in _told:
            log.info("TensorBoard is not installed, curves are kept as CSV alone; pip install 'spinequant[train]'")
            _told.add("board")
        return None
    return SummaryWriter(str(folder), purge_step=start or None)

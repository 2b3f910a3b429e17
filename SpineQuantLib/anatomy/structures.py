"""The structures a case can hold, and the classes a network tells apart."""

from __future__ import annotations

from enum import Enum, IntEnum

__all__ = ["CLASSES_OF", "NetworkClass", "Side", "Structure"]


class Structure(str, Enum):
    """A measured structure, spelled as in the ``structure`` column of ``measurements.csv``."""

    VERTEBRA = "vertebra"
    DISC = "disc"
    CANAL = "canal"
    FORAMEN = "foramen"
    SPINE = "spine"

    def __str__(self) -> str:
        return self.value


class Side(str, Enum):
    """The patient's side."""

    RIGHT = "right"
    LEFT = "left"

    def __str__(self) -> str:
        return self.value

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.LEFT if self is Side.RIGHT else Side.RIGHT


class NetworkClass(IntEnum):
    """Channels of a network's output, in order.

    The two foramina share one channel: seen alone, a right and a left foramen are mirror images, so the side
    is taken from the position beside the dural sac in the patient's coordinates and not from appearance.
    """

    BACKGROUND = 0
    BODY = 1
    SACRUM = 2
    DISC = 3
    CANAL = 4
    FORAMEN = 5


CLASSES_OF: dict[Structure, tuple[NetworkClass, ...]] = {
    Structure.VERTEBRA: (NetworkClass.BODY, NetworkClass.SACRUM),
    Structure.DISC: (NetworkClass.DISC,),
    Structure.CANAL: (NetworkClass.CANAL,),
    Structure.FORAMEN: (NetworkClass.FORAMEN,),
}
"""The classes that together make up a structure."""

"""``slicer.parameterNodeWrapper``, as far as a module with plain parameters needs it."""

from __future__ import annotations

import types
import typing
from enum import Enum
from typing import Any

__all__ = ["Choice", "WithinRange", "make_module", "parameterNodeWrapper"]


class Choice:
    """The values that a parameter may take."""

    def __init__(self, choices: list) -> None:
        self.choices = list(choices)


class WithinRange:
    """The least and the greatest value that a parameter may have."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum


def _read(node: Any, name: str, kind: Any, default: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, Enum):
        text = node.GetParameter(name)
        return kind[text] if text else default
    if isinstance(kind, type) and hasattr(kind, "IsTypeOf"):
        return node.GetNodeReference(name)
    text = node.GetParameter(name) if node.HasParameter(name) else None
    if text is None:
        return default
    return text == "True" if kind is bool else kind(text)


def _write(node: Any, name: str, kind: Any, value: Any) -> None:
    if isinstance(kind, type) and hasattr(kind, "IsTypeOf"):
        node.SetNodeReferenceID(name, value.GetID() if value else "")
    elif isinstance(value, Enum):
        node.SetParameter(name, value.name)
    else:
        node.SetParameter(name, str(value))


def _plain(hint: Any) -> tuple[Any, Any]:
    """Type of an annotation, and its choices or its range."""
    if typing.get_origin(hint) is typing.Annotated:
        kind, *extras = typing.get_args(hint)
        limits = next((e for e in extras if isinstance(e, WithinRange)), None)
        return kind, next((e.choices for e in extras if isinstance(e, Choice)), limits)
    return hint, None


def parameterNodeWrapper(cls: type) -> type:
    """Class decorator: members become parameters of a scripted module node."""
    hints = {name: _plain(hint) for name, hint in typing.get_type_hints(cls, include_extras=True).items()}
    defaults = {name: getattr(cls, name, None) for name in hints}
    for name, (kind, choices) in hints.items():
        if defaults[name] is None:
            defaults[name] = (
                choices[0] if isinstance(choices, list) else (kind() if kind in (str, bool, int, float) else None)
            )

    def member(name: str) -> property:
        kind, choices = hints[name]

        def put(self: Any, value: Any) -> None:
            if isinstance(choices, list) and value not in choices:
                raise ValueError(f"{name} cannot be {value!r}")
            if isinstance(choices, WithinRange) and not choices.minimum <= value <= choices.maximum:
                raise ValueError(f"{name} cannot be {value!r}")
            _write(self.parameterNode, name, kind, value)

        return property(lambda self: _read(self.parameterNode, name, kind, defaults[name]), put)

    namespace = {name: member(name) for name in hints}
    namespace |= {"__init__": _init, "connectGui": _connect, "disconnectGui": _disconnect, "_hints": hints}
    namespace |= {"AddObserver": lambda self, *a: self.parameterNode.AddObserver(*a)}
    namespace |= {"RemoveObserver": lambda self, *a: self.parameterNode.RemoveObserver(*a)}
    namespace |= {"GetID": lambda self: self.parameterNode.GetID()}
    return type(cls.__name__, (), namespace | {"__doc__": cls.__doc__, "__module__": cls.__module__})


def _init(self: Any, node: Any) -> None:
    self.parameterNode = node
    self._guis = {}


def _connect(self: Any, ui: Any) -> int:
    """Bind the widgets that name a parameter, and return a tag."""
    bound = []
    for widget in list(vars(ui).values()) if not isinstance(ui, type) else []:
        name = widget.property("SlicerParameterName") if hasattr(widget, "property") else None
        if name:
            bound.append(_bind(self, name, widget))
    tag = len(self._guis) + 1

    def show(*_: Any) -> None:
        for refresh, _end in bound:
            refresh()

    observer = self.parameterNode.AddObserver("ModifiedEvent", show)
    self._guis[tag] = (observer, bound)
    show()
    return tag


def _disconnect(self: Any, tag: int) -> None:
    observer, bound = self._guis.pop(tag, (None, []))
    if observer is not None:
        self.parameterNode.RemoveObserver(observer)
    for _refresh, end in bound:
        end()


def _bind(wrapper: Any, name: str, widget: Any) -> tuple[Any, Any]:
    kind, choices = wrapper._hints[name]
    if hasattr(widget, "setCurrentNode"):
        signal = widget.currentNodeChanged
        refresh = lambda: widget.setCurrentNode(getattr(wrapper, name))  # noqa: E731
        take = lambda *_: setattr(wrapper, name, widget.currentNode())  # noqa: E731
    elif widget.className() == "QComboBox":
        values = choices if choices is not None else list(kind)
        if widget.count != len(values):
            widget.clear()
            for value in values:
                widget.addItem(value.label() if hasattr(value, "label") else str(value))
        signal = widget.currentIndexChanged
        refresh = lambda: setattr(widget, "currentIndex", values.index(getattr(wrapper, name)))  # noqa: E731
        take = lambda *_: setattr(wrapper, name, values[widget.currentIndex])  # noqa: E731
    elif widget.className() == "QSpinBox":
        if choices is not None:
            widget.setRange(choices.minimum, choices.maximum)
        signal = widget.valueChanged
        refresh = lambda: setattr(widget, "value", getattr(wrapper, name))  # noqa: E731
        take = lambda *_: setattr(wrapper, name, widget.value)  # noqa: E731
    elif widget.className() == "QCheckBox":
        signal = widget.toggled
        refresh = lambda: setattr(widget, "checked", getattr(wrapper, name))  # noqa: E731
        take = lambda *_: setattr(wrapper, name, widget.checked)  # noqa: E731
    elif widget.className() == "QLineEdit":
        signal = widget.textChanged
        refresh = lambda: setattr(widget, "text", getattr(wrapper, name))  # noqa: E731
        take = lambda *_: setattr(wrapper, name, widget.text)  # noqa: E731
    else:
        raise RuntimeError(f"no stand-in connects a {widget.className()} to a parameter")
    signal.connect(take)
    return refresh, lambda: signal.disconnect(take)


def make_module() -> types.ModuleType:
    """A module ``slicer.parameterNodeWrapper``."""
    module = types.ModuleType("slicer.parameterNodeWrapper")
    module.Choice, module.WithinRange, module.parameterNodeWrapper = Choice, WithinRange, parameterNodeWrapper
    return module

"""How a flow gets its two public classes: same constructor, same documentation, each at home in its package."""

from __future__ import annotations

from typing import Callable, TypeVar

Class = TypeVar("Class", bound=type)


def public(name: str, package: str = "azure.identity") -> Callable[[Class], Class]:
    """Name a public class as users know it, so that reprs, tracebacks, pickles and help show no private place."""

    def decorate(cls: Class) -> Class:
        cls.__name__ = cls.__qualname__ = name
        cls.__module__ = package
        init = vars(cls.__mro__[1]).get("__init__")
        if init is not None:  # both faces share it, and Python's own errors about arguments name it
            init.__qualname__ = f"{name}.__init__"
        if cls.__doc__ is None:
            cls.__doc__ = next((base.__doc__ for base in cls.__mro__[1:] if base.__doc__), None)
        return cls

    return decorate


AIO = "azure.identity.aio"

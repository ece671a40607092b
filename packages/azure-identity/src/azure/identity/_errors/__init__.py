"""What goes wrong, and how it is said."""

from __future__ import annotations

from typing import Any

_FROM_ERRORS = ("AuthenticationFailedError", "_rebuild", "_rebuild_required")
"""What pickles of a time when `_errors` was one module look for here."""


def __getattr__(name: str) -> Any:
    if name not in _FROM_ERRORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import errors

    return getattr(errors, name)

"""One file per credential: its settings, its flow, its two public classes.

The sync classes are importable from this package too, as programs have come to do.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import azure.identity

    if name in azure.identity.__all__ and name.endswith("Credential"):
        return getattr(azure.identity, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

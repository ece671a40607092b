"""The name that the console script knows; the command itself is in `command`."""

from __future__ import annotations

from .command.main import main

__all__ = ["main"]

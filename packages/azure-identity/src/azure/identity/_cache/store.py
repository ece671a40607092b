"""The seam for stores that keep tokens beyond the process.

A store holds one document in MSAL's unified schema (`msal_schema`), which Microsoft's other tools read and write too.
Today there is one kind, a plain file, and it is only read. Encrypted and shared stores come behind the same two
methods.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

from .._messages import Unreadable

if TYPE_CHECKING:
    from .._io import FlowIO

LIMIT = 64 * 1024 * 1024
"""Bytes of a document that are read at most."""


class StoreUnusable(Exception):
    """The store cannot be read here; the text says why."""


class TokenStore(Protocol):
    """Where a document is kept."""

    async def load(self, io: FlowIO) -> str:
        """The document as JSON; empty if there is none yet. Raises StoreUnusable."""
        ...


class PlainFileStore:
    """A document in a plain file, where the published package puts it when encryption is not available."""

    def __init__(self, name: str, *, cae: bool) -> None:
        self.path = os.path.join(store_folder(), f"{name}.{'cae' if cae else 'nocae'}")  # noqa: PTH118

    async def load(self, io: FlowIO) -> str:
        try:
            content = await io.read(self.path, LIMIT)
        except Unreadable as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return ""
            raise StoreUnusable(str(error)) from error
        try:
            text = content.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            text = "?"
        # On Windows the file is encrypted; on Linux and macOS it may be an empty or one-byte mark beside the keyring.
        if text and not text.startswith("{") and len(text) > 1:
            raise StoreUnusable(f"{self.path} is encrypted, and this version cannot decrypt it")
        return text if text.startswith("{") else ""


def store_folder() -> str:
    """The folder Microsoft's developer tools share."""
    base = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    return os.path.join(base or os.path.expanduser("~"), ".IdentityService")  # noqa: PTH118, PTH111

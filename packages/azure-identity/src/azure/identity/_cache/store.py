"""The seam for stores that keep tokens beyond the process.

A store holds one document in MSAL's unified schema (`msal_schema`), which Microsoft's other tools read and write too.

1. `load` gives the document as it is now. No lock is taken: a reader sees the state before or after a change.
2. `update` changes it: under the store's lock it loads the document again, lets the caller merge its entries into it,
   and replaces it as a whole. Whoever merges keeps entries and sections it does not understand.
3. A store that cannot be used raises StoreUnusable with the reason, before anything was sent.

So far there is one kind, a plain file that is only read. Encrypted stores, and stores that are written, come behind the
same two methods.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Callable, Protocol

from .._values.messages import Unreadable

if TYPE_CHECKING:
    from .._outside.port import FlowIO

LIMIT = 64 * 1024 * 1024
"""Bytes of a document that are read at most."""


class StoreUnusable(Exception):
    """The store cannot be read here; the text says why."""


class TokenSource(Protocol):
    """Where a document can be read."""

    async def load(self, io: FlowIO) -> str:
        """The document as JSON; empty if there is none yet. Raises StoreUnusable."""
        ...


class TokenStore(TokenSource, Protocol):
    """Where a document is kept."""

    async def update(self, io: FlowIO, merge: Callable[[str], str]) -> None:
        """Replace the document by what `merge` makes of it. Raises StoreUnusable."""
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
        # On Windows the file is encrypted; on Linux and macOS it is empty when the tokens are in a keyring.
        try:
            text = content.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise StoreUnusable(f"{self.path} is encrypted, and this version cannot decrypt it") from None
        return text


def store_folder() -> str:
    """The folder Microsoft's developer tools share."""
    base = os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None
    return os.path.join(base or os.path.expanduser("~"), ".IdentityService")  # noqa: PTH118, PTH111

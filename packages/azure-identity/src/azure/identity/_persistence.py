"""Options for keeping tokens beyond the process."""

from __future__ import annotations

from typing import Any


class TokenCachePersistenceOptions:
    """Options for a persistent token cache.

    :keyword allow_unencrypted_storage: whether tokens may be stored in a plain file where the platform's encryption is
        not available. Default: False.
    :keyword name: name of the cache, shared by all applications that use the same name. Default: `msal.cache`.

    This version accepts the options and keeps tokens in memory only; see docs/token-caching.md.
    """

    def __init__(self, *, allow_unencrypted_storage: bool = False, name: str = "msal.cache", **kwargs: Any) -> None:
        del kwargs  # unknown keywords have always been ignored here
        self.allow_unencrypted_storage = allow_unencrypted_storage
        self.name = name

    def __repr__(self) -> str:
        allowed = self.allow_unencrypted_storage
        return f"TokenCachePersistenceOptions(allow_unencrypted_storage={allowed!r}, name={self.name!r})"

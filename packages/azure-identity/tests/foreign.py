"""Credentials of somebody else, for chains: small, and remembering what they were asked."""

from __future__ import annotations

from typing import Any, Optional

from azure.core.credentials import AccessToken, AccessTokenInfo
from scripted import NOW


class Call:
    """What a credential was asked, and by which method."""

    def __init__(self, method: str, scopes: tuple[str, ...], given: dict[str, Any]) -> None:
        self.method, self.scopes, self.given = method, scopes, given


class _Foreign:
    """Answers with a token of its own name, or raises."""

    def __init__(self, name: str = "T", error: Optional[BaseException] = None) -> None:
        self.name = name
        self.error = error
        self.calls: list[Call] = []

    def _answer(self, method: str, scopes: tuple[str, ...], given: dict[str, Any]) -> str:
        self.calls.append(Call(method, scopes, given))
        if self.error is not None:
            raise self.error
        return self.name


class TokenOnly(_Foreign):
    """Has `get_token`."""

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken(self._answer("get_token", scopes, kwargs), NOW + 3600)


class InfoOnly(_Foreign):
    """Has `get_token_info`."""

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        return AccessTokenInfo(
            self._answer("get_token_info", scopes, dict(options or {})),
            NOW + 3600,
            token_type="pop",
            refresh_on=NOW + 1800,
        )


class Both(TokenOnly, InfoOnly):
    """Has both."""


class Managed(Both):
    """Counts how its context is entered and left."""

    def __init__(self, name: str = "T", closing: Optional[Exception] = None) -> None:
        super().__init__(name)
        self.events: list[str] = []
        self.closing = closing

    def __enter__(self) -> Managed:
        self.events.append("enter")
        return self

    def __exit__(self, *exc: object) -> None:
        self.events.append("exit")
        if self.closing is not None:
            raise self.closing

"""The async chain does what the sync one does: the published package's passes fewer options and enters no members."""

from __future__ import annotations

import asyncio
from typing import Any, Optional

import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo
from scripted import NOW

from azure.identity import CredentialUnavailableError
from azure.identity.aio import ChainedTokenCredential


class Foreign:
    """Somebody else's async credential. It remembers what it was asked, and how its context was used."""

    def __init__(self, error: Optional[Exception] = None) -> None:
        self.error = error
        self.asked: list[dict[str, Any]] = []
        self.events: list[str] = []

    def answer(self, **given: Any) -> str:
        self.asked.append(given)
        if self.error is not None:
            raise self.error
        return "T1"

    async def __aenter__(self) -> Foreign:
        self.events.append("enter")
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.events.append("exit")

    async def close(self) -> None:
        self.events.append("close")


class InfoOnly(Foreign):
    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        return AccessTokenInfo(self.answer(scopes=scopes, **dict(options or {})), NOW + 9_999_999)


class TokenOnly(Foreign):
    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken(self.answer(scopes=scopes, **kwargs), NOW + 9_999_999)


class Bare:
    """Has nothing but the method."""

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken("T1", NOW + 9_999_999)


def test_a_member_with_the_newer_method_only_gets_all_options() -> None:
    """Claims, tenant and continuous access evaluation."""
    member = InfoOnly()

    async def program() -> AccessToken:
        return await ChainedTokenCredential(member).get_token("s", claims='{"a":1}', tenant_id="t", enable_cae=True)

    assert asyncio.run(program()).token == "T1"
    assert member.asked == [{"scopes": ("s",), "claims": '{"a":1}', "tenant_id": "t", "enable_cae": True}]


def test_a_member_with_the_older_method_only_gets_them_too() -> None:
    """As keywords."""
    member = TokenOnly()

    async def program() -> AccessTokenInfo:
        return await ChainedTokenCredential(member).get_token_info("s", options={"claims": "{}", "tenant_id": "t"})

    assert asyncio.run(program()).token == "T1"
    assert member.asked == [{"scopes": ("s",), "claims": "{}", "tenant_id": "t"}]


def test_bound_tokens_come_from_members_that_know_the_newer_method() -> None:
    """Others are passed over."""
    older, newer = TokenOnly(), InfoOnly()

    async def program() -> AccessTokenInfo:
        return await ChainedTokenCredential(older, newer).get_token_info("s", options={"pop": True})  # type: ignore[typeddict-unknown-key]

    assert asyncio.run(program()).token == "T1"
    assert (older.asked, newer.asked) == ([], [{"scopes": ("s",), "pop": True}])


def test_members_are_entered_and_left_with_the_chain() -> None:
    """Those that can be; one without a context is left alone."""
    members = InfoOnly(CredentialUnavailableError("not here")), TokenOnly()

    async def program() -> None:
        async with ChainedTokenCredential(*members, Bare()) as chain:
            await chain.get_token("s")

    asyncio.run(program())
    assert [member.events for member in members] == [["enter", "exit"]] * 2


def test_closing_reaches_every_member() -> None:
    """Also after one that fails."""

    class Failing(TokenOnly):
        async def __aexit__(self, *exc: object) -> None:
            raise OSError("boom")

    last = TokenOnly()

    async def program() -> None:
        with pytest.raises(OSError, match="boom"):
            await ChainedTokenCredential(Failing(), Bare(), last).close()

    asyncio.run(program())
    assert last.events == ["exit"]


def test_a_failed_walk_is_logged_by_both_methods(caplog: pytest.LogCaptureFixture) -> None:
    """With the whole report, once each."""
    chain = ChainedTokenCredential(TokenOnly(CredentialUnavailableError("not here")))

    async def program() -> None:
        for method in (chain.get_token, chain.get_token_info):
            with pytest.raises(CredentialUnavailableError):
                await method("s")  # type: ignore[operator]

    asyncio.run(program())
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 2
    assert all("Attempted credentials:\n\tTokenOnly: not here" in text for text in warnings)

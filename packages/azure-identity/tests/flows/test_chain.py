"""Chains: who is asked, in which order, how, and what is said in the end."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from foreign import Both, InfoOnly, Managed, TokenOnly
from scripted import NOW, ScriptedIO, ask, on, refusal, token

from azure.identity import (
    AuthenticationRequiredError,
    AzureCliCredential,
    ClientSecretCredential,
    CredentialUnavailableError,
    EnvironmentCredential,
)
from azure.identity import ChainedTokenCredential as _Chain
from azure.identity._credentials.chained import is_ours
from azure.identity._errors.diagnosis import COULD_NOT_TRY, FAILED
from azure.identity._values.messages import Completed, Token

ChainedTokenCredential: Any = _Chain  # members here are as incomplete as users' may be
NOT_HERE = CredentialUnavailableError("not here")
METHODS = ["get_token", "get_token_info"]


def failure(chain: Any, io: Any = None, **asked: Any) -> Any:
    with pytest.raises(ClientAuthenticationError) as caught:
        ask(chain, io or ScriptedIO(), **asked)
    return caught.value


# --- the walk ---


@pytest.mark.parametrize("method", METHODS)
def test_the_first_member_that_has_a_token_answers(method: str) -> None:
    """Members after it are not asked."""
    members = Both(error=NOT_HERE), Both("second"), Both("third")

    assert ask(ChainedTokenCredential(*members), ScriptedIO(), method=method).token == "second"
    assert [len(member.calls) for member in members] == [1, 1, 0]


def test_every_request_starts_with_the_first_member() -> None:
    """It may have become able to try meanwhile."""
    first, second = TokenOnly("first", NOT_HERE), TokenOnly("second")
    chain = ChainedTokenCredential(first, second)

    assert [ask(chain, ScriptedIO()).token for _ in range(2)] == ["second"] * 2
    first.error = None
    assert ask(chain, ScriptedIO()).token == "first"
    assert (len(first.calls), len(second.calls)) == (3, 2)


@pytest.mark.parametrize(
    "error",
    [NOT_HERE, AuthenticationRequiredError(["s"]), CredentialUnavailableError()],
    ids=["unavailable", "a person has to sign in", "without a text"],
)
def test_who_could_not_try_is_passed_over(error: Exception) -> None:
    """A person who would have to sign in is no reason to stop either."""
    assert ask(ChainedTokenCredential(TokenOnly(error=error), TokenOnly("T")), ScriptedIO()).token == "T"


@pytest.mark.parametrize(
    "error",
    [ClientAuthenticationError("boom"), ValueError("boom"), KeyError("boom"), HttpResponseError("boom")],
    ids=lambda error: type(error).__name__,
)
def test_who_tried_and_failed_ends_the_walk(error: Exception) -> None:
    """Another identity would be a surprise. What a foreign credential raises may be anything."""
    second = TokenOnly("second")

    raised = failure(ChainedTokenCredential(TokenOnly(error=error), second))

    assert not isinstance(raised, CredentialUnavailableError)
    assert "boom" in str(raised)
    assert raised.__cause__ is error
    assert second.calls == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()], ids=["Ctrl-C", "exit"])
def test_an_interruption_is_no_failure_of_a_member(error: BaseException) -> None:
    """It passes unchanged."""
    with pytest.raises(type(error)) as caught:
        ask(ChainedTokenCredential(TokenOnly(error=error), TokenOnly()), ScriptedIO())

    assert caught.value is error


def test_the_member_that_answered_can_be_looked_up() -> None:
    """Programs print it. It does not change who is asked next."""
    members = TokenOnly(error=NOT_HERE), TokenOnly()
    chain = ChainedTokenCredential(*members)
    assert chain._successful_credential is None

    ask(chain, ScriptedIO())

    assert chain._successful_credential is members[1]
    assert chain.credentials == members


def test_a_token_of_a_foreign_member_is_not_kept() -> None:
    """Whoever made it keeps it, or does not; and it may be revoked there."""
    member = TokenOnly()
    chain = ChainedTokenCredential(member)
    on(ScriptedIO(), chain)

    for _ in range(3):
        chain.get_token("s")

    assert len(member.calls) == 3


def test_members_of_this_package_keep_their_own_tokens() -> None:
    """The chain walks each time; the wire stays quiet."""
    io = ScriptedIO(token("T1"))
    chain = ChainedTokenCredential(EnvironmentCredential(), ClientSecretCredential("tid", "cid", "s"))

    assert [ask(chain, io).token for _ in range(3)] == ["T1"] * 3
    io.finished()


# --- how members are asked ---


def test_get_token_passes_all_it_was_given() -> None:
    """Also to a member that has only the newer method."""
    for member in (TokenOnly(error=NOT_HERE), Both(error=NOT_HERE), InfoOnly("T")):
        chain = ChainedTokenCredential(member, TokenOnly())

        ask(chain, ScriptedIO(), "s1", "s2", claims='{"a":1}', tenant="t", cae=True, extra={"foo": 42})

        call = member.calls[0]
        assert call.method == ("get_token" if hasattr(member, "get_token") else "get_token_info")
        assert call.scopes == ("s1", "s2")
        assert call.given == {"claims": '{"a":1}', "tenant_id": "t", "enable_cae": True, "foo": 42}


def test_get_token_info_passes_all_it_was_given() -> None:
    """As options; as keywords to a member that has only the older method."""
    for member in (InfoOnly("T"), Both("T"), TokenOnly("T")):
        ask(
            ChainedTokenCredential(member),
            ScriptedIO(),
            "s1",
            method="get_token_info",
            claims='{"a":1}',
            tenant="t",
            cae=True,
        )

        call = member.calls[0]
        assert call.method == ("get_token_info" if hasattr(member, "get_token_info") else "get_token")
        assert call.given == {"claims": '{"a":1}', "tenant_id": "t", "enable_cae": True}


def test_what_is_known_about_a_token_is_passed_on() -> None:
    """Refresh time and type, from members that know them."""
    chain = ChainedTokenCredential(InfoOnly("T"))

    for method in METHODS:
        assert ask(chain, ScriptedIO(), method=method) == Token("T", NOW + 3600, NOW + 1800, "pop")
    assert ask(ChainedTokenCredential(TokenOnly("T")), ScriptedIO(), method="get_token_info") == Token("T", NOW + 3600)


def test_a_token_bound_to_a_key_needs_the_newer_method() -> None:
    """A member without it is passed over."""
    old, new = TokenOnly("old"), Both("new")

    found = ask(ChainedTokenCredential(old, new), ScriptedIO(), method="get_token_info", extra={"pop": True})

    assert found.token == "new"
    assert old.calls == []
    assert new.calls[0].given == {"pop": True}


def test_a_subclass_with_its_own_method_is_asked_by_it() -> None:
    """It was overridden for a reason; so was one that a test replaced."""

    class Mine(ClientSecretCredential):
        def get_token(self, *scopes: str, **kwargs: Any) -> Any:
            return TokenOnly("mine").get_token(*scopes, **kwargs)

    replaced = ClientSecretCredential("tid", "cid", "s")
    replaced.get_token = TokenOnly("replaced").get_token  # type: ignore[method-assign]
    plain = ClientSecretCredential("tid", "cid", "s")

    assert [is_ours(member) for member in (Mine("t", "c", "s"), replaced, plain)] == [False, False, True]
    assert ask(ChainedTokenCredential(Mine("t", "c", "s")), ScriptedIO()).token == "mine"
    assert ask(ChainedTokenCredential(replaced), ScriptedIO()).token == "replaced"


def test_a_member_is_told_that_it_is_in_a_chain(az: str, caplog: pytest.LogCaptureFixture) -> None:
    """It then logs at DEBUG what the chain reports. An ordinary chain does not soften errors."""
    io = ScriptedIO(Completed(1, "", "boom"))
    chain = ChainedTokenCredential(AzureCliCredential(), TokenOnly())

    with caplog.at_level(logging.INFO, "azure.identity"):
        raised = failure(chain, io)

    assert not isinstance(raised, CredentialUnavailableError)
    said = [(r.levelname, r.getMessage()) for r in caplog.records if r.levelno >= logging.INFO]
    assert [(level, text.partition(":")[0]) for level, text in said] == [
        ("WARNING", "ChainedTokenCredential.get_token failed")
    ]


# --- the final error ---


def test_the_whole_message_when_nobody_could_try() -> None:
    """Every member, its reason, how long it took, and what to do."""

    def slow(*args: Any) -> Any:
        io.advance(1.5)
        raise CredentialUnavailableError("nobody home")

    io = ScriptedIO()
    member = TokenOnly()
    member._answer = slow  # type: ignore[method-assign, assignment]

    raised = failure(ChainedTokenCredential(EnvironmentCredential(), member), io)

    assert isinstance(raised, CredentialUnavailableError)
    assert str(raised) == (
        "ChainedTokenCredential failed to retrieve a token from the included credentials.\n"
        "Attempted credentials:\n"
        "\tEnvironmentCredential: Environment variables are not fully configured. Missing: AZURE_TENANT_ID, "
        "AZURE_CLIENT_ID, AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH.\n"
        "\t\t[could not try, 0 ms] Help: docs/troubleshooting.md#environment\n"
        "\tTokenOnly: nobody home\n"
        "\t\t[could not try, 1500 ms]\n"
        "Next: no credential could even try.\n"
        "  - On your machine, sign in with a developer tool, such as 'az login'.\n"
        "  - In Azure, give the host a managed identity.\n"
        "  - Elsewhere, set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or "
        "AZURE_CLIENT_CERTIFICATE_PATH).\n"
        "  Help: docs/troubleshooting.md#chain-unavailable\n"
        "Troubleshooting: https://aka.ms/azsdk/python/identity/defaultazurecredential/troubleshoot"
    )


def test_the_whole_message_when_one_failed() -> None:
    """The members after it are named too: they might have had a token."""
    io = ScriptedIO(refusal("invalid_client", "AADSTS7000215: Wrong."))
    chain = ChainedTokenCredential(
        TokenOnly(error=NOT_HERE), ClientSecretCredential("tid", "cid", "s"), TokenOnly(), InfoOnly()
    )

    assert str(failure(chain, io)) == (
        "ChainedTokenCredential failed to retrieve a token from the included credentials.\n"
        "Attempted credentials:\n"
        "\tTokenOnly: not here\n"
        "\t\t[could not try, 0 ms]\n"
        "\tClientSecretCredential: Microsoft Entra ID refused a token for s/.default (application cid, tenant tid). "
        "Authentication failed: (invalid_client) AADSTS7000215: Wrong.\n"
        "\t\tThe client secret is wrong. Make sure it is the secret's value, not its id, and belongs to this "
        "application.\n"
        "\t\t[tried and failed, 0 ms] Help: docs/troubleshooting.md#wrong-secret\n"
        "Not asked, because the last one above was refused: TokenOnly, InfoOnly.\n"
        "Next: correct what ClientSecretCredential reports, or leave it out of the chain. "
        "Help: docs/troubleshooting.md#chain-failed\n"
        "Troubleshooting: https://aka.ms/azsdk/python/identity/defaultazurecredential/troubleshoot"
    )


def test_the_attempts_are_data_too() -> None:
    """With the members' own errors."""
    boom = ValueError("boom")

    raised = failure(ChainedTokenCredential(TokenOnly(error=NOT_HERE), InfoOnly(error=boom), Both()))

    assert [(a.name, a.outcome, a.reason, a.milliseconds, a.error) for a in raised.attempts] == [
        ("TokenOnly", COULD_NOT_TRY, "not here", 0, NOT_HERE),
        ("InfoOnly", FAILED, "boom", 0, boom),
    ]


def test_a_refused_challenge_reaches_the_caller_through_the_chain() -> None:
    """With the response it came in."""
    raw = object()
    answer = refusal("invalid_grant", "AADSTS50076: x", 400, claims='{"a":1}')._replace(raw=raw)

    raised = failure(ChainedTokenCredential(ClientSecretCredential("t", "c", "s")), ScriptedIO(answer))

    assert (raised.claims, raised.response) == ('{"a":1}', raw)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("k"), "KeyError: 'k'"),
        (RuntimeError(), "RuntimeError"),
        (ValueError("bad"), "bad"),
        (ClientAuthenticationError("no"), "no"),
    ],
    ids=lambda value: str(value),
)
def test_the_reason_of_a_foreign_error(error: Exception, reason: str) -> None:
    """With its class where the text alone says little."""
    assert failure(ChainedTokenCredential(TokenOnly(error=error))).attempts[0].reason == reason


def test_a_foreign_error_brings_no_token_into_the_report() -> None:
    """Neither its text nor the body of its response."""

    class Body:
        status_code, reason = 400, "Bad"

        def text(self, encoding: Any = None) -> str:
            return "BODY"

        def body(self) -> bytes:
            return b"BODY"

    body: Any = Body()
    raised = failure(
        ChainedTokenCredential(
            TokenOnly(error=CredentialUnavailableError('{"access_token":"opaque-SECRET"}')),
            TokenOnly(error=ClientAuthenticationError("no", response=body)),
        )
    )

    assert "opaque-SECRET" not in str(raised)
    assert "BODY" not in str(raised)


def test_a_member_can_name_itself() -> None:
    """Stand-ins do; and a subclass of the chain says its own name."""

    class Mine(_Chain):
        pass

    member = TokenOnly(error=NOT_HERE)
    member._credential_name = "Something"  # type: ignore[attr-defined]

    text = str(failure(Mine(member)))

    assert text.startswith("Mine failed to retrieve a token")
    assert "\tSomething: not here" in text


# --- chains in chains, and their life ---


def test_a_chain_that_could_not_try_is_passed_over_by_a_chain() -> None:
    """As any other member."""
    inner = ChainedTokenCredential(TokenOnly(error=NOT_HERE), TokenOnly(error=NOT_HERE))

    assert ask(ChainedTokenCredential(inner, TokenOnly("T")), ScriptedIO()).token == "T"


def test_a_chain_that_failed_ends_the_chain_it_is_in() -> None:
    """Its report is part of the other's."""
    inner = ChainedTokenCredential(TokenOnly(error=NOT_HERE), TokenOnly(error=ValueError("boom")))
    last = TokenOnly()

    raised = failure(ChainedTokenCredential(inner, last))

    assert not isinstance(raised, CredentialUnavailableError)
    assert "\t\t\tTokenOnly: boom\n\t\t\t\t[tried and failed, 0 ms]\n" in str(raised)
    assert raised.__cause__.attempts[1].reason == "boom"
    assert last.calls == []


def test_a_chain_needs_members() -> None:
    """At least one."""
    with pytest.raises(ValueError, match="at least one credential is required"):
        ChainedTokenCredential()


@pytest.mark.parametrize("member", ["secret", None, object()], ids=["text", "nothing", "an object"])
def test_what_is_no_credential_is_refused(member: Any) -> None:
    """By the constructor: it has no token method."""
    with pytest.raises(TypeError, match=f"objects with get_token or get_token_info, but got {type(member).__name__}"):
        ChainedTokenCredential(member)


def test_without_a_scope_nobody_is_asked() -> None:
    """It is the caller's mistake, not a member's failure."""
    member = TokenOnly()

    with pytest.raises(ValueError, match="at least one scope"):
        ChainedTokenCredential(member).get_token()

    assert member.calls == []


def test_members_are_entered_and_left_with_the_chain() -> None:
    """Those that have a context; all are left, even if one fails at it."""
    oops = OSError("oops")
    first, second, third = Managed(closing=oops), TokenOnly(), Managed()
    chain = on(ScriptedIO(), ChainedTokenCredential(first, second, third))

    with pytest.raises(OSError, match="oops") as caught:
        with chain:
            assert (first.events, third.events) == (["enter"], ["enter"])

    assert caught.value is oops
    assert (first.events, third.events) == (["enter", "exit"], ["enter", "exit"])

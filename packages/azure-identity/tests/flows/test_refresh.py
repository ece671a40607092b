"""The refresh policy at work: a token that is good is used, and none is lost to a failure."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from scripted import ScriptedIO, ask, refusal, token

from azure.identity import ClientSecretCredential
from azure.identity._values.messages import Response, Unreachable

DOWN = Response(503, {"content-type": "text/plain"}, b"down")


def started(*replies: Any) -> tuple[ClientSecretCredential, ScriptedIO]:
    """A credential with a token T1 that lives an hour and is to be renewed after half of it."""
    io, cred = ScriptedIO(token("T1", expires_in=3600, refresh_in=1800)), ClientSecretCredential("tid", "cid", "s")
    assert ask(cred, io).token == "T1"
    io.will(*replies)
    return cred, io


def test_a_fresh_token_is_used() -> None:
    """Until the very second in which it is due."""
    cred, io = started()

    io.advance(1799)

    assert ask(cred, io).token == "T1"
    io.finished()


def test_a_token_past_its_refresh_time_is_renewed() -> None:
    """Long before it expires."""
    cred, io = started(token("T2"))

    io.advance(1800)

    assert [ask(cred, io).token for _ in range(2)] == ["T2", "T2"]
    io.finished()


@pytest.mark.parametrize(
    "trouble", [DOWN, Unreachable("https://h", "no route"), refusal("invalid_client", "AADSTS7000222: Expired.")]
)
def test_a_failed_early_renewal_keeps_the_token(trouble: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the next attempt is made after 30 seconds, and not before."""
    cred, io = started(trouble)
    io.advance(1800)
    caplog.clear()

    with caplog.at_level(logging.WARNING, "azure.identity"):
        assert ask(cred, io).token == "T1"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "could not renew a token and goes on with the current one" in caplog.text

    io.advance(29)
    assert ask(cred, io).token == "T1"
    io.finished()

    io.advance(1)
    io.will(token("T2"))
    assert ask(cred, io).token == "T2"
    io.finished()


def test_in_its_last_minutes_a_token_is_renewed() -> None:
    """Service clients would not start with it any more."""
    io, cred = ScriptedIO(token("T1", expires_in=3600), token("T2")), ClientSecretCredential("tid", "cid", "s")
    ask(cred, io)

    io.advance(3299)
    assert ask(cred, io).token == "T1"
    io.advance(1)
    assert ask(cred, io).token == "T2"
    io.finished()


def test_in_its_last_minutes_a_token_outlives_a_failure() -> None:
    """It is valid still, which is more than an error."""
    cred, io = started(DOWN, DOWN)

    for pause in (3400, 29, 1):
        io.advance(pause)
        assert ask(cred, io).token == "T1"
    io.finished()


def test_an_expired_token_is_never_used() -> None:
    """Then the failure is the answer; and at once another attempt is made."""
    cred, io = started(DOWN, DOWN, token("T2"))
    io.advance(3600)

    for _ in range(2):
        with pytest.raises(ClientAuthenticationError, match="HTTP 503"):
            ask(cred, io)

    assert ask(cred, io).token == "T2"
    io.finished()


def test_a_token_that_expires_during_a_failing_renewal_is_not_used() -> None:
    """What counts is the time after the attempt."""
    cred, io = started(refusal("temporarily_unavailable"), DOWN)
    io.advance(3599)

    with pytest.raises(ClientAuthenticationError):
        ask(cred, io)

    assert io.slept == [1.0]
    io.finished()


def test_a_refused_challenge_is_not_answered_with_the_cached_token() -> None:
    """The resource has just refused that one."""
    cred, io = started(refusal("invalid_grant", "AADSTS50076: x", 400, claims='{"a":2}'))

    with pytest.raises(ClientAuthenticationError) as caught:
        ask(cred, io, claims='{"a":1}')

    assert caught.value.claims == '{"a":2}'  # type: ignore[attr-defined]
    assert ask(cred, io).token == "T1"
    io.finished()


def test_each_token_has_its_own_times() -> None:
    """A request for one scope neither renews nor postpones another's."""
    cred, io = started(token("A", expires_in=3600), token("T2"))
    io.advance(1790)
    assert ask(cred, io, "other").token == "A"
    io.advance(10)

    assert ask(cred, io).token == "T2"
    assert ask(cred, io, "other").token == "A"
    io.finished()


def test_a_token_that_lives_for_minutes_only_is_asked_for_every_half_minute() -> None:
    """It is in its last minutes all its life; a request per call would help nobody."""
    io, cred = ScriptedIO(token("T1", expires_in=200)), ClientSecretCredential("tid", "cid", "s")
    assert ask(cred, io).token == "T1"

    io.advance(29)
    assert ask(cred, io).token == "T1"
    io.will(token("T2", expires_in=200))
    io.advance(1)
    assert ask(cred, io).token == "T2"
    io.finished()


def test_a_failing_service_leaves_nothing_behind() -> None:
    """State that grows is bounded: nothing is kept per failed request."""
    cred, io = started(*[DOWN] * 500)

    for number in range(500):
        with pytest.raises(ClientAuthenticationError):
            ask(cred, io, f"scope-{number}")

    assert len(cred._cache) == 1
    io.finished()

"""A service principal that proves itself with assertions a callback provides."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from scripted import ScriptedIO, ask, token

from azure.identity import ClientAssertionCredential, CredentialUnavailableError


def test_the_callback_is_asked_for_every_new_token() -> None:
    """And only then: assertions of federated providers are short-lived, and may cost something."""
    assertions = iter(["a1", "a2"])
    cred = ClientAssertionCredential("tid", "cid", lambda: next(assertions))
    io = ScriptedIO(token("T1"), token("T2"))

    assert [ask(cred, io, "s1").token, ask(cred, io, "s1").token, ask(cred, io, "s2").token] == ["T1", "T1", "T2"]
    assert [form["client_assertion"] for form in io.forms] == ["a1", "a2"]
    assert io.forms[0] == {
        "grant_type": "client_credentials",
        "client_id": "cid",
        "scope": "s1",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "a1",
    }
    io.finished()


@pytest.mark.parametrize(
    ("returned", "what"), [("", "an empty string"), (None, "NoneType"), (b"a", "bytes"), (5, "int")], ids=str
)
def test_what_is_no_assertion_is_not_sent(returned: Any, what: str) -> None:
    """The message names the callback and what it returned, by kind only."""
    io = ScriptedIO()

    with pytest.raises(ClientAuthenticationError) as caught:
        ask(ClientAssertionCredential("tid", "cid", lambda: returned), io)

    assert f"the callback 'func' must return the assertion as a non-empty str, but it returned {what}" in str(
        caught.value
    )
    assert not isinstance(caught.value, CredentialUnavailableError)
    io.finished()


def test_what_the_callback_raises_reaches_the_caller() -> None:
    """It is theirs: same object, no wrapping."""
    mine = KeyError("mine")

    def broken() -> str:
        raise mine

    with pytest.raises(KeyError) as caught:
        ask(ClientAssertionCredential("tid", "cid", broken), ScriptedIO())

    assert caught.value is mine


def test_what_cannot_be_called_is_no_callback() -> None:
    """Said by the constructor."""
    with pytest.raises(TypeError, match="func must be a function that returns an assertion, but it is str"):
        ClientAssertionCredential("tid", "cid", "assertion")  # type: ignore[arg-type]

"""A host that nobody vouches for is confirmed before it is sent a secret."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from scripted import ScriptedIO, ask, reply, token

from azure.identity import ClientSecretCredential
from azure.identity._values.messages import Response, Unreachable

KNOWN = reply(200, {"tenant_discovery_endpoint": "https://contoso.example/tid/.well-known/openid-configuration"})
UNKNOWN = reply(400, {"error": "invalid_instance", "error_description": "AADSTS50049: Unknown or invalid instance."})


def credential(authority: str = "contoso.example", tenant: str = "tid", **options: Any) -> ClientSecretCredential:
    return ClientSecretCredential(tenant, "cid", "s3cret", authority=authority, **options)


def hosts(io: ScriptedIO) -> list[str]:
    return [request.url.split("/")[2] for request in io.requests]


def test_the_public_cloud_is_asked_about_a_stranger_first() -> None:
    """By a request without a secret; then the stranger gets the grant."""
    io = ScriptedIO(KNOWN, token("T1"))

    assert ask(credential(), io).token == "T1"
    assert hosts(io) == ["login.microsoftonline.com", "contoso.example"]
    assert (io.requests[0].method, io.requests[0].form) == ("GET", None)
    assert "authorization_endpoint=https%3A%2F%2Fcontoso.example%2Ftid%2Foauth2%2Fv2.0%2Fauthorize" in (
        io.requests[0].url
    )
    io.finished()


def test_a_host_is_asked_about_once_per_process() -> None:
    """By whichever credential comes first, for whatever tenant."""
    io = ScriptedIO(KNOWN, token(), token(), token())

    ask(credential(), io, "s1")
    ask(credential(), io, "s2")
    ask(credential(tenant="other"), io, "s3")

    assert hosts(io) == ["login.microsoftonline.com", *["contoso.example"] * 3]
    io.finished()


@pytest.mark.parametrize(
    "made",
    [
        {"authority": "login.microsoftonline.us"},
        {"authority": "login.chinacloudapi.cn"},
        {"authority": "localhost:8443"},
        {"authority": "127.0.0.1:8443"},
        {"authority": "contoso.b2clogin.com"},
        {"authority": "contoso.ciamlogin.com"},
        {"disable_instance_discovery": True},
        {"tenant": "adfs"},
    ],
    ids=["a cloud", "an alias", "this machine", "its number", "B2C", "external identities", "trusted", "AD FS"],
)
def test_others_are_not_asked_about(made: dict[str, Any]) -> None:
    """Microsoft's own hosts, this machine, AD FS, and whom the program trusts."""
    io = ScriptedIO(token())

    ask(credential(**made), io)

    io.finished()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (UNKNOWN, "Microsoft does not know it as an authority"),
        (reply(200, {}), "HTTP 200 (application/json, 2 bytes)"),
        (Response(502, {"content-type": "text/html"}, b"<h1>Bad gateway</h1>"), "HTTP 502 (text/html): <h1>Bad gate"),
    ],
    ids=["unknown", "no clear answer", "a proxy's page"],
)
def test_an_unconfirmed_host_gets_no_secret(answer: Response, reason: str) -> None:
    """The message names it, and what to do about a private cloud."""
    io = ScriptedIO(answer)

    with pytest.raises(ClientAuthenticationError) as caught:
        ask(credential(), io)

    for words in ("https://contoso.example could not be confirmed", reason, "disable_instance_discovery=True"):
        assert words in str(caught.value)
    assert hosts(io) == ["login.microsoftonline.com"]
    io.finished()


def test_a_failure_is_not_remembered() -> None:
    """The next request asks again."""
    io = ScriptedIO(Unreachable("https://login.microsoftonline.com/common", "refused"), UNKNOWN, KNOWN, token("T1"))
    cred = credential()

    for _ in range(2):
        with pytest.raises(ClientAuthenticationError):
            ask(cred, io)

    assert ask(cred, io).token == "T1"
    io.finished()


def test_a_cached_token_needs_no_confirmation() -> None:
    """Only a request to the host does."""
    io, cred = ScriptedIO(KNOWN, token()), credential()

    ask(cred, io)
    ask(cred, io)

    io.finished()

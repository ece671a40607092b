"""An authorization code the program already has: redeemed once, renewed afterwards."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from leak_watch import planted
from people import ADA, CODE, secret
from scripted import ScriptedIO, refusal, reply, token

from azure.identity import AuthorizationCodeCredential
from azure.identity._values.messages import Unreachable

GRAPH, VAULT = "https://graph.microsoft.com/.default", "https://vault.azure.net/.default"
REDIRECT = "https://app.contoso.com/callback"
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.name))


def code(face: Face = FACES[0], **options: Any) -> Any:
    return face.package.AuthorizationCodeCredential("tid", "cid", CODE, REDIRECT, **options)


@each_face
def test_the_code_is_redeemed_once(face: Face) -> None:
    """Then the access token is used, and for another API the refresh token."""
    io, cred = ScriptedIO(ADA.token("T1", "R1"), ADA.token("T2", "R2")), code(face)

    tokens = [face.ask(cred, io, scope).token for scope in (GRAPH, GRAPH, VAULT, GRAPH)]

    assert tokens == ["T1", "T1", "T2", "T1"]
    assert io.requests[0].url == "https://login.microsoftonline.com/tid/oauth2/v2.0/token"
    assert io.forms == [
        {
            "grant_type": "authorization_code",
            "client_id": "cid",
            "code": CODE,
            "redirect_uri": REDIRECT,
            "scope": f"{GRAPH} offline_access openid profile",
            "client_info": "1",
        },
        {
            "grant_type": "refresh_token",
            "client_id": "cid",
            "refresh_token": secret("R1"),
            "scope": f"{VAULT} offline_access openid profile",
            "client_info": "1",
        },
    ]
    io.finished()


def test_a_web_application_proves_who_it_is_each_time() -> None:
    """With code and refresh token alike."""
    io = ScriptedIO(ADA.token("T1", "R1"), ADA.token("T2", "R2"))
    cred = code(client_secret=planted("client-secret"))

    FACES[0].ask(cred, io, GRAPH)
    FACES[0].ask(cred, io, VAULT)

    assert [form["client_secret"] for form in io.forms] == [planted("client-secret")] * 2


def test_without_a_refresh_token_another_token_needs_another_sign_in() -> None:
    """The code is not sent again: the service would revoke what it brought."""
    io, cred = ScriptedIO(ADA.token("T1", None)), code()
    FACES[0].ask(cred, io, GRAPH)

    with pytest.raises(ClientAuthenticationError, match="the authorization code has been used"):
        FACES[0].ask(cred, io, VAULT)
    assert FACES[0].ask(cred, io, GRAPH).token == "T1"
    io.finished()


def test_a_dead_refresh_token_needs_another_sign_in() -> None:
    """And neither it nor the code is sent again."""
    io, cred = (
        ScriptedIO(ADA.token("T1", "R1"), refusal("invalid_grant", "AADSTS50173", 400, suberror="bad_token")),
        code(),
    )
    FACES[0].ask(cred, io, GRAPH)

    for _ in range(2):
        with pytest.raises(ClientAuthenticationError, match="the authorization code has been used"):
            FACES[0].ask(cred, io, VAULT)
    io.finished()


@pytest.mark.parametrize(
    "trouble",
    [
        Unreachable("https://login.microsoftonline.com/x", "down"),
        reply(502, None),
        refusal("invalid_client", "No.", 401),
    ],
)
def test_a_code_that_could_not_be_redeemed_is_tried_again(trouble: Any) -> None:
    """It has not been used."""
    io, cred = ScriptedIO(trouble, ADA.token("T1")), code()
    with pytest.raises(ClientAuthenticationError):
        FACES[0].ask(cred, io, GRAPH)

    assert FACES[0].ask(cred, io, GRAPH).token == "T1"
    io.finished()


def test_a_code_that_was_refused_says_why() -> None:
    """The whole message."""
    io = ScriptedIO(refusal("invalid_grant", "AADSTS54005: Redeemed before.", 400))

    with pytest.raises(ClientAuthenticationError) as caught:
        FACES[0].ask(code(), io, GRAPH)

    assert str(caught.value) == (
        f"AuthorizationCodeCredential: Microsoft Entra ID refused a token for {GRAPH} (application cid, tenant tid). "
        "Authentication failed: (invalid_grant) AADSTS54005: Redeemed before.\n"
        "The code works once, and for some minutes only. Sign in again to get another. "
        "Help: docs/troubleshooting.md#sign-in"
    )


def test_an_answer_need_not_say_whose_token_it_is() -> None:
    """The token is used as long as it lasts; there is nobody to renew it for."""
    io, cred = ScriptedIO(token("T1")), code()

    assert [FACES[0].ask(cred, io, GRAPH).token for _ in range(2)] == ["T1", "T1"]
    io.finished()


def test_a_token_about_to_expire_is_used_when_nothing_renews_it() -> None:
    """The code is not tried again for it."""
    io, cred = ScriptedIO(ADA.token("T1", None)), code()
    FACES[0].ask(cred, io, GRAPH)
    io.advance(3400)

    assert FACES[0].ask(cred, io, GRAPH).token == "T1"
    io.finished()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("", "c", "x", "http://localhost"), "tenant_id is invalid"),
        (("t", "", "x", "http://localhost"), "client_id must be"),
        (("t", "c", "", "http://localhost"), "authorization_code must be"),
        (("t", "c", "x", ""), "redirect_uri must be"),
    ],
)
def test_missing_arguments_are_named(arguments: tuple[str, ...], text: str) -> None:
    """At once."""
    with pytest.raises(ValueError, match=text):
        AuthorizationCodeCredential(*arguments)


def test_a_pickled_credential_that_has_used_its_code() -> None:
    """Knows that; the refresh token is not in it."""
    cred = code()
    FACES[0].ask(cred, ScriptedIO(ADA.token("T1", "R1")), GRAPH)
    cred.__dict__.pop("_port_")
    data = pickle.dumps(cred)

    assert secret("R1").encode() not in data
    with pytest.raises(ClientAuthenticationError, match="has been used"):
        FACES[0].ask(pickle.loads(data), ScriptedIO(), GRAPH)


def test_it_has_no_authenticate() -> None:
    """There is no person it could ask."""
    assert not hasattr(AuthorizationCodeCredential, "authenticate")

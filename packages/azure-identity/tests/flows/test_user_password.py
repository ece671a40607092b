"""A person's user name and password: deprecated, and still what it was."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from leak_watch import planted
from people import ADA, secret
from scripted import ScriptedIO, on, refusal, run

from azure.identity import AuthenticationRecord, AuthenticationRequiredError

GRAPH, VAULT = "https://graph.microsoft.com/.default", "https://vault.azure.net/.default"
PASSWORD = planted("password")
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.name))


def password(face: Face = FACES[0], **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return face.package.UsernamePasswordCredential("cid", ADA.username, PASSWORD, **options)


@each_face
def test_the_password_is_sent_once(face: Face) -> None:
    """Then the refresh token does."""
    io, cred = ScriptedIO(ADA.token("T1", "R1"), ADA.token("T2", "R2")), password(face, tenant_id="tid")

    assert [face.ask(cred, io, scope).token for scope in (GRAPH, VAULT, GRAPH)] == ["T1", "T2", "T1"]

    assert io.forms[0] == {
        "grant_type": "password",
        "client_id": "cid",
        "username": ADA.username,
        "password": PASSWORD,
        "scope": f"{GRAPH} offline_access openid profile",
        "client_info": "1",
    }
    assert io.forms[1]["refresh_token"] == secret("R1")
    assert io.requests[0].url == "https://login.microsoftonline.com/tid/oauth2/v2.0/token"
    assert io.requests[0].headers["X-AnchorMailbox"] == f"upn:{ADA.username}"
    io.finished()


@each_face
def test_making_one_warns_at_the_line_that_does(face: Face) -> None:
    """Once, in both worlds."""
    with pytest.warns(DeprecationWarning, match="does not work with multifactor authentication") as caught:
        face.package.UsernamePasswordCredential("cid", "user", PASSWORD)

    assert [(warning.filename, "UsernamePasswordCredential" in str(warning.message)) for warning in caught] == [
        (__file__, True)
    ]
    assert "PLANTED" not in str(caught[0].message)


def test_by_default_any_organizations_account() -> None:
    io = ScriptedIO(ADA.token("T1"))

    FACES[0].ask(password(), io, GRAPH)

    assert "/organizations/" in io.requests[0].url


def test_a_record_is_ignored() -> None:
    """The account is the one that is named."""
    record = AuthenticationRecord("t", "other-client", "login.microsoftonline.us", "h", "u")
    io = ScriptedIO(ADA.token("T1"))

    FACES[0].ask(password(authentication_record=record), io, GRAPH)

    assert io.requests[0].url.startswith("https://login.microsoftonline.com/")
    assert io.forms[0]["client_id"] == "cid"


def test_authenticate_sends_the_password() -> None:
    """Whatever is cached; without automatic authentication nothing else does."""
    io, cred = ScriptedIO(ADA.token("T1"), ADA.token("T2")), password(disable_automatic_authentication=True)
    with pytest.raises(AuthenticationRequiredError):
        FACES[0].ask(cred, io, GRAPH)

    for _ in range(2):
        ask = cred._asked_to_sign_in([GRAPH], None, None, False, {})
        assert run(on(io, cred)._authenticate(io, ask)).username == ADA.username

    assert [form["grant_type"] for form in io.forms] == ["password", "password"]


@pytest.mark.parametrize("code", ["50126", "50034"])
def test_a_refusal_mentions_accounts_that_cannot_sign_in_this_way(code: str) -> None:
    """Entra ID says the same of a wrong password and of a federated account, whose password it does not know."""
    io = ScriptedIO(refusal("invalid_grant", f"AADSTS{code}: Error validating credentials.", 400))

    with pytest.raises(ClientAuthenticationError) as caught:
        FACES[0].ask(password(), io, GRAPH)

    assert "or the account is federated with another identity provider, or personal" in str(caught.value)
    assert ADA.username not in str(caught.value)
    io.finished()


@pytest.mark.parametrize("status", [400, 500])
def test_a_server_that_repeats_the_request_makes_no_message_show_the_password(status: int) -> None:
    io = ScriptedIO(lambda request: refusal("invalid_request", " ".join(request.form.values()), status))

    with pytest.raises(ClientAuthenticationError, match=r"\*\*\*"):
        FACES[0].ask(password(), io, GRAPH)


@pytest.mark.parametrize(("username", "given"), [("", "p"), ("u", ""), (None, "p"), ("u", None)])
def test_both_must_be_given(username: Any, given: Any) -> None:
    from azure.identity import UsernamePasswordCredential

    with pytest.warns(DeprecationWarning), pytest.raises(ValueError, match="requires a user name and a password"):
        UsernamePasswordCredential("cid", username, given)

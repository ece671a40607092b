"""A service principal with a client secret: what goes over the wire, and what is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scripted import NOW, ScriptedIO, ask, token

from azure.identity import ClientSecretCredential
from azure.identity._values.messages import Token

VAULT, GRAPH = "https://vault.azure.net/.default", "https://graph.microsoft.com/.default"


def credential(**options: Any) -> ClientSecretCredential:
    return ClientSecretCredential("tid", "cid", "s3cret", **options)


def test_the_first_token_takes_one_request() -> None:
    """One POST with the secret in its body; no discovery, no Authorization header."""
    io = ScriptedIO(token("T1", expires_in=3599, refresh_in=1800))

    found = ask(credential(), io, VAULT)

    assert found == Token("T1", NOW + 3599, NOW + 1800)
    assert [(r.method, r.url) for r in io.requests] == [
        ("POST", "https://login.microsoftonline.com/tid/oauth2/v2.0/token")
    ]
    assert io.forms == [
        {"grant_type": "client_credentials", "client_id": "cid", "scope": VAULT, "client_secret": "s3cret"}
    ]
    assert "authorization" not in {name.lower() for name in io.requests[0].headers}
    io.finished()


def test_the_next_token_takes_none() -> None:
    """For the same scopes in any order and number."""
    io, cred = ScriptedIO(token("T1")), credential()

    ask(cred, io, VAULT, GRAPH)

    assert ask(cred, io, GRAPH, VAULT, GRAPH).token == "T1"
    assert io.forms[0]["scope"] == f"{VAULT} {GRAPH}"
    io.finished()


@pytest.mark.parametrize(
    "other",
    [
        {"scopes": (GRAPH,)},
        {"scopes": (VAULT, GRAPH)},
        {"scopes": (VAULT.upper(),)},
        {"tenant": "other"},
        {"cae": True},
    ],
    ids=["scope", "more scopes", "case of a scope", "tenant", "continuous access evaluation"],
)
def test_what_changes_the_answer_is_asked_for_separately(other: dict[str, Any]) -> None:
    """And kept separately: both tokens are there afterwards."""
    io, cred = ScriptedIO(token("T1"), token("T2")), credential(additionally_allowed_tenants=["*"])
    scopes = other.pop("scopes", (VAULT,))

    ask(cred, io, VAULT)

    assert ask(cred, io, *scopes, **other).token == "T2"
    assert ask(cred, io, VAULT).token == "T1"
    assert ask(cred, io, *scopes, **other).token == "T2"
    io.finished()


def test_two_credentials_share_nothing() -> None:
    """Each keeps its own tokens."""
    io = ScriptedIO(token("T1"), token("T2"))

    assert (ask(credential(), io).token, ask(credential(), io).token) == ("T1", "T2")
    io.finished()


def test_continuous_access_evaluation_is_a_capability() -> None:
    """`CP1` in the claims parameter, alone or with a challenge."""
    io, cred = ScriptedIO(token(), token()), credential()

    ask(cred, io, cae=True)
    ask(cred, io, cae=True, claims='{"access_token":{"nbf":{"essential":true}}}')

    assert [json.loads(form["claims"]) for form in io.forms] == [
        {"access_token": {"xms_cc": {"values": ["CP1"]}}},
        {"access_token": {"nbf": {"essential": True}, "xms_cc": {"values": ["CP1"]}}},
    ]


def test_claims_bypass_the_cache_and_replace_the_token() -> None:
    """The old token was refused by a resource: nobody shall get it again."""
    io, cred = ScriptedIO(token("old"), token("new")), credential()
    ask(cred, io)

    assert ask(cred, io, claims='{"a":1}').token == "new"
    assert ask(cred, io).token == "new"
    assert [form.get("claims") for form in io.forms] == [None, '{"a":1}']
    io.finished()


def test_claims_twice_are_two_requests() -> None:
    """A challenge is never answered from the cache."""
    io, cred = ScriptedIO(token("T1"), token("T2")), credential()

    assert [ask(cred, io, claims='{"a":1}').token for _ in range(2)] == ["T1", "T2"]
    io.finished()


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"scopes": ()}, "requires at least one scope"),
        ({"scopes": ("",)}, "blank scope"),
        ({"claims": "no json"}, "claims must be a JSON object"),
        ({"tenant": "../x"}, "tenant_id is invalid"),
    ],
    ids=["no scope", "blank scope", "claims that are no JSON", "a tenant that is a path"],
)
def test_a_malformed_request_is_refused_before_any_io(asked: dict[str, Any], text: str) -> None:
    """Whatever the credential is allowed to do."""
    io, cred = ScriptedIO(), credential(additionally_allowed_tenants=["*"])
    cred._port_ = io  # type: ignore[assignment]

    with pytest.raises(ValueError, match=text):
        cred.get_token(
            *asked.get("scopes", ("s",)), claims=asked.get("claims"), tenant_id=asked.get("tenant"), enable_cae=True
        )
    io.finished()


@pytest.mark.parametrize("method", ["get_token", "get_token_info"])
def test_without_a_scope_the_message_names_the_method_called(method: str) -> None:
    """There are two."""
    with pytest.raises(ValueError, match=f'"{method}" requires at least one scope'):
        getattr(credential(), method)()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("", "c", "s"), "tenant_id is invalid"),
        (("t", "", "s"), "client_id must be"),
        (("t", "c", ""), "client_secret must be"),
        (("a/b", "c", "s"), "tenant_id is invalid"),
    ],
    ids=["tenant", "client", "secret", "a path for a tenant"],
)
def test_missing_arguments_are_named(arguments: tuple[str, str, str], text: str) -> None:
    """At once, by the constructor."""
    with pytest.raises(ValueError, match=text):
        ClientSecretCredential(*arguments)


def test_a_list_of_tenants_must_be_a_list() -> None:
    """A string would allow the tenant of every letter of a name."""
    with pytest.raises(TypeError, match="must be a list"):
        credential(additionally_allowed_tenants="contoso.onmicrosoft.com")


def test_an_adfs_server_has_its_own_endpoint() -> None:
    """No version, no tenant, no discovery."""
    io = ScriptedIO(token())

    ask(ClientSecretCredential("adfs", "cid", "s", authority="fs.contoso.example"), io)

    assert io.requests[0].url == "https://fs.contoso.example/adfs/oauth2/token"
    io.finished()

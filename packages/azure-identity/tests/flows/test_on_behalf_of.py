"""A web API that calls another on behalf of its user: what is sent, who shares tokens, and who never does."""

from __future__ import annotations

import itertools
import json
import pickle
from typing import Any, Iterator

import certificates
import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from leak_watch import planted
from scripted import ScriptedIO, refusal, token

from azure.identity import OnBehalfOfCredential
from azure.identity._cache.memory import LIMIT, TokenCache
from azure.identity._credentials import on_behalf_of

GRAPH, VAULT = "https://graph.microsoft.com/.default", "https://vault.azure.net/.default"
SECRET, USER = planted("client-secret"), planted("user-assertion")
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.name))


@pytest.fixture(autouse=True)
def nothing_is_cached() -> Iterator[None]:
    """The tokens of all users are the process's."""
    on_behalf_of._tokens.clear()
    on_behalf_of._signers.clear()
    yield
    on_behalf_of._tokens.clear()
    on_behalf_of._signers.clear()


def api(face: Face = FACES[0], **given: Any) -> Any:
    proof = {} if given.keys() & {"client_certificate", "client_assertion_func"} else {"client_secret": SECRET}
    kwargs = {"tenant_id": "tid", "client_id": "cid", "user_assertion": USER, **proof, **given}
    return face.package.OnBehalfOfCredential(**kwargs)


# --- the request


@each_face
def test_a_token_takes_one_request(face: Face) -> None:
    """The user's token is the assertion; the secret proves the application."""
    io = ScriptedIO(token("T1"))

    assert face.ask(api(face), io, GRAPH).token == "T1"

    assert [request.url for request in io.requests] == ["https://login.microsoftonline.com/tid/oauth2/v2.0/token"]
    assert io.forms == [
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "client_id": "cid",
            "assertion": USER,
            "requested_token_use": "on_behalf_of",
            "scope": f"{GRAPH} offline_access openid profile",
            "client_info": "1",
            "client_secret": SECRET,
        }
    ]
    io.finished()


@each_face
def test_a_certificate_proves_the_application_with_an_assertion_for_the_tenant_that_is_asked(face: Face) -> None:
    """Its audience is the token endpoint of that tenant, in both worlds."""
    import jwt

    io = ScriptedIO(token("T1"), token("T2"))
    cred = api(face, client_certificate=certificates.usable_pem(), additionally_allowed_tenants=["other"])

    face.ask(cred, io, GRAPH)
    face.ask(cred, io, GRAPH, tenant="other")

    sent = [jwt.decode(form["client_assertion"], options={"verify_signature": False}) for form in io.forms]
    assert [claims["aud"] for claims in sent] == [request.url for request in io.requests]
    assert "client_secret" not in io.forms[0]


def test_a_certificate_with_password_and_chain() -> None:
    """As `CertificateCredential` takes them."""
    import jwt

    pem = certificates.key_pem(password=b"pass") + certificates.leaf_pem()
    io = ScriptedIO(token("T1"))

    FACES[0].ask(api(client_certificate=pem, password="pass", send_certificate_chain=True), io, GRAPH)

    assert len(jwt.get_unverified_header(io.forms[0]["client_assertion"])["x5c"]) == 1


def test_a_callback_proves_the_application() -> None:
    """Called for each request, never for a cached token."""
    io, calls = ScriptedIO(token("T1"), token("T2")), itertools.count(1)
    cred = api(client_assertion_func=lambda: f"assertion {next(calls)}")

    for scope in (GRAPH, GRAPH, VAULT):
        FACES[0].ask(cred, io, scope)

    assert [form["client_assertion"] for form in io.forms] == ["assertion 1", "assertion 2"]
    io.finished()


def test_a_callback_may_be_a_coroutine_function() -> None:
    """In `azure.identity.aio`."""

    async def func() -> str:
        return "assertion"

    io = ScriptedIO(token("T1"))
    FACES[1].ask(api(FACES[1], client_assertion_func=func), io, GRAPH)

    assert io.forms[0]["client_assertion"] == "assertion"


@pytest.mark.parametrize("returned", [None, "", b"x", 5])
def test_a_callback_that_returns_no_assertion(returned: Any) -> None:
    with pytest.raises(ClientAuthenticationError, match="'client_assertion_func' must return the assertion"):
        FACES[0].ask(api(client_assertion_func=lambda: returned), ScriptedIO(), GRAPH)


# --- who shares


@each_face
def test_credentials_for_the_same_request_share_a_token(face: Face) -> None:
    """A web API makes one per incoming request."""
    io = ScriptedIO(token("T1"))

    assert {face.ask(api(face), io, GRAPH).token for _ in range(5)} == {"T1"}
    io.finished()


OTHERS: dict[str, Any] = {
    "user": {"user_assertion": planted("another-user")},
    "secret": {"client_secret": planted("another-secret")},
    "certificate": {"client_certificate": certificates.usable_pem()},
    "client": {"client_id": "other"},
    "tenant": {"tenant_id": "other"},
    "cloud": {"authority": "login.microsoftonline.us"},
    "callback": {"client_assertion_func": lambda: "assertion"},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_who_differs_in_anything_never_gets_the_token(other: Any) -> None:
    """Each presents the user's token and its own proof to the authority."""
    io = ScriptedIO(token("T1"), token("T2"))

    assert FACES[0].ask(api(), io, GRAPH).token == "T1"
    assert FACES[0].ask(api(**other), io, GRAPH).token == "T2"
    assert FACES[0].ask(api(), io, GRAPH).token == "T1"
    io.finished()


@pytest.mark.parametrize(
    "asked",
    [{"scopes": (VAULT,)}, {"cae": True}, {"tenant": "other"}, {"claims": "{}"}],
    ids=lambda one: next(iter(one)),
)
def test_what_changes_the_answer_is_asked_for_separately(asked: Any) -> None:
    """Another API, another capability, another tenant; and a claims challenge always."""
    io = ScriptedIO(token("T1"), token("T2"))
    options: Any = {"additionally_allowed_tenants": ["*"]}
    FACES[0].ask(api(**options), io, GRAPH)

    assert FACES[0].ask(api(**options), io, *asked.pop("scopes", (GRAPH,)), **asked).token == "T2"


def test_two_certificates_never_share() -> None:
    """They are told apart by their content."""
    io = ScriptedIO(token("T1"), token("T2"))

    first = FACES[0].ask(api(client_certificate=certificates.usable_pem()), io, GRAPH)
    assert FACES[0].ask(api(client_certificate=certificates.another_pem()), io, GRAPH).token != first.token


def test_the_same_callback_of_another_credential_is_asked_again() -> None:
    """What it is worth cannot be known: such credentials keep their own tokens."""
    io = ScriptedIO(token("T1"), token("T2"))

    def func() -> str:
        return "assertion"

    tokens = [FACES[0].ask(api(client_assertion_func=func), io, GRAPH).token for _ in range(2)]
    assert tokens == ["T1", "T2"]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("a", "b"), ("ab", "")),
        (("a secret b", "c"), ("a", "b secret c")),
        (("asecret ", "b"), ("a", "secret b")),
        (("1 a", "b"), ("a", "b")),
    ],
)
def test_no_assertion_ends_where_a_secret_begins(one: tuple[str, str], two: tuple[str, str]) -> None:
    """Cache keys hold a hash of both, and their border cannot be moved."""
    keys = [
        OnBehalfOfCredential("t", "c", user_assertion=user, client_secret=secret or "x")._subject_hash
        for user, secret in (one, two)
    ]

    assert keys[0] != keys[1]


def test_the_cache_holds_no_assertion_and_no_secret() -> None:
    """In its keys."""
    FACES[0].ask(api(), ScriptedIO(token("T1")), GRAPH)

    assert "PLANTED" not in repr(list(on_behalf_of._tokens._entries))


# --- many users


def test_ten_thousand_users_take_one_request_each_and_bounded_memory() -> None:
    """All are found again, none gets another's token."""
    io = ScriptedIO()
    io.will(*[lambda request: token(f"for {request.form['assertion']}")] * 10_000)

    for _ in range(2):
        for i in range(10_000):
            cred = OnBehalfOfCredential("tid", "cid", client_secret=SECRET, user_assertion=f"user {i}")
            assert FACES[0].ask(cred, io, GRAPH).token == f"for user {i}"

    assert len(io.requests) == 10_000
    assert len(on_behalf_of._tokens) == 10_000 <= LIMIT
    io.finished()


def test_users_whose_tokens_have_expired_are_forgotten() -> None:
    """When the next one comes."""
    io = ScriptedIO(*[token("T")] * 101)
    for i in range(100):
        FACES[0].ask(api(user_assertion=f"user {i}"), io, GRAPH)
    io.advance(3600)

    FACES[0].ask(api(user_assertion="the next"), io, GRAPH)

    assert len(on_behalf_of._tokens) == 1


def test_more_users_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose tokens expire first are dropped."""
    monkeypatch.setattr(on_behalf_of, "_tokens", TokenCache(limit=10))
    io = ScriptedIO(*[token("T")] * 25)
    for i in range(25):
        FACES[0].ask(api(user_assertion=f"user {i}"), io, GRAPH)
        io.advance(1)

    assert len(on_behalf_of._tokens) == 10


def test_a_certificate_is_read_once() -> None:
    """However many requests come in; and few are kept."""
    pem = certificates.usable_pem()
    signers = {id(api(client_certificate=pem)._signer) for _ in range(5)}
    assert len(signers) == 1

    for i in range(on_behalf_of._SIGNERS_LIMIT + 5):
        api(client_certificate=pem + b"\n" * i)
    assert len(on_behalf_of._signers) == on_behalf_of._SIGNERS_LIMIT


@pytest.mark.parametrize("other", [{"password": "wrong"}, {"send_certificate_chain": True}])
def test_another_password_or_chain_is_another_certificate(other: Any) -> None:
    """A wrong password is refused though the right one was used before."""
    pem = certificates.key_pem(password=b"pass") + certificates.leaf_pem()
    first = api(client_certificate=pem, password="pass")._signer

    try:
        assert api(client_certificate=pem, **{"password": "pass", **other})._signer is not first
    except ValueError as error:
        assert "password" in str(error)


# --- renewal


def test_the_credentials_refresh_token_gets_tokens_for_other_apis() -> None:
    """With the application's proof. Credentials do not share it."""
    io = ScriptedIO(token("T1", refresh_token=planted("R1")), token("T2"), token("T3"))
    cred = api()

    FACES[0].ask(cred, io, GRAPH)
    FACES[0].ask(cred, io, VAULT)
    FACES[0].ask(api(), io, "other/.default")

    assert [form["grant_type"].rpartition(":")[2] for form in io.forms] == ["jwt-bearer", "refresh_token", "jwt-bearer"]
    assert io.forms[1] == {
        "grant_type": "refresh_token",
        "client_id": "cid",
        "refresh_token": planted("R1"),
        "scope": f"{VAULT} offline_access openid profile",
        "client_info": "1",
        "client_secret": SECRET,
    }


def test_a_refresh_token_that_is_refused_leaves_the_assertion() -> None:
    """And is not sent again."""
    io = ScriptedIO(token("T1", refresh_token=planted("R1")), refusal("invalid_grant", "AADSTS50173", 400))
    io.will(token("T2"), token("T3"))
    cred = api()

    tokens = [FACES[0].ask(cred, io, scope).token for scope in (GRAPH, VAULT, "other/.default")]

    assert tokens == ["T1", "T2", "T3"]
    assert [form["grant_type"].rpartition(":")[2] for form in io.forms] == [
        "jwt-bearer",
        "refresh_token",
        "jwt-bearer",
        "jwt-bearer",
    ]


# --- refusals


@each_face
def test_what_conditional_access_demands_is_for_the_users_client(face: Face) -> None:
    """In `error.claims`; the message says what to do with it."""
    demanded = json.dumps({"access_token": {"capolids": {"essential": True, "values": ["p"]}}})
    io = ScriptedIO(
        refusal("interaction_required", "AADSTS50076: Factor.", 400, claims=demanded, suberror="basic_action")
    )

    with pytest.raises(ClientAuthenticationError, match="AADSTS50076") as caught:
        face.ask(api(face), io, GRAPH)

    error: Any = caught.value
    assert (error.claims, error.error_code, error.suberror) == (demanded, "interaction_required", "basic_action")
    assert str(error).endswith(
        "Send the error's claims to the user's client, as a claims challenge (401). "
        "Help: docs/troubleshooting.md#on-behalf-of"
    )


@pytest.mark.parametrize(("code", "text"), [("500131", "its audience"), ("500133", "must send a new one")])
def test_an_assertion_that_does_not_do(code: str, text: str) -> None:
    """The next step is the client's or the developer's."""
    with pytest.raises(ClientAuthenticationError, match=text):
        FACES[0].ask(api(), ScriptedIO(refusal("invalid_grant", f"AADSTS{code}: No.", 400)), GRAPH)


def test_a_server_that_repeats_the_request_makes_no_message_show_a_secret() -> None:
    """Neither the user's token nor the application's secret."""
    io = ScriptedIO(lambda request: refusal("invalid_request", " ".join(request.form.values()), 400))

    with pytest.raises(ClientAuthenticationError) as caught:
        FACES[0].ask(api(), io, GRAPH)
    assert str(caught.value).count("***") == 2


# --- the constructor


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"user_assertion": ""}, TypeError, "user_assertion must be"),
        ({"user_assertion": b"x", "client_secret": "s"}, TypeError, "user_assertion must be"),
        ({"user_assertion": None, "client_secret": "s"}, TypeError, "user_assertion must be"),
        ({"user_assertion": "a"}, TypeError, "requires one of client_secret, client_certificate and"),
        ({"user_assertion": "a", "client_secret": "", "client_certificate": b""}, TypeError, "requires one of"),
        (
            {"user_assertion": "a", "client_secret": "s", "client_certificate": certificates.usable_pem()},
            ValueError,
            "only one of",
        ),
        ({"user_assertion": "a", "client_secret": "s", "client_assertion_func": str}, ValueError, "2 are given"),
        ({"user_assertion": "a", "client_certificate": b"no certificate"}, ValueError, "certificate"),
        ({"user_assertion": "a", "client_secret": "s", "tenant_id": "../x"}, ValueError, "tenant_id is invalid"),
        ({"user_assertion": "a", "client_secret": "s", "client_id": ""}, ValueError, "client_id must be"),
        ({"user_assertion": "a", "client_secrets": "s"}, TypeError, "did you mean 'client_secret'"),
    ],
)
def test_what_the_constructor_refuses(given: Any, error: Any, text: str) -> None:
    """At once."""
    with pytest.raises(error, match=text):
        OnBehalfOfCredential(**{"tenant_id": "tid", "client_id": "cid", **given})


def test_a_pickled_credential_holds_no_refresh_token() -> None:
    """It has the assertion, which is what it was made from."""
    cred = api()
    FACES[0].ask(cred, ScriptedIO(token("T1", refresh_token=planted("R1"))), GRAPH)
    cred.__dict__.pop("_port_")

    data = pickle.dumps(cred)

    assert planted("R1").encode() not in data
    assert FACES[0].ask(pickle.loads(data), ScriptedIO(), GRAPH).token == "T1"

"""An account another developer tool is signed in with, in the cache those tools share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from leak_watch import planted
from scripted import NOW, ScriptedIO, refusal, token
from shared_cache import DEVELOPER_CLIENT, HOST, SCOPE, TENANT, access_token, account, document, refresh_token

from azure.identity import (
    AuthenticationRecord,
    CredentialUnavailableError,
    SharedTokenCacheCredential,
    TokenCachePersistenceOptions,
)
from azure.identity._cache import store
from azure.identity._cache.store import PlainFileStore
from azure.identity._values.messages import IN_CHAIN, IN_DEFAULT_CHAIN

NAME = "SharedTokenCacheCredential"
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
ONE = (account(), refresh_token())
RECORD = AuthenticationRecord(TENANT, "cid", HOST, f"ada.{TENANT}", "ada@contoso.com")


def path(name: str = "msal.cache", *, cae: bool = False) -> str:
    return PlainFileStore(name, cae=cae).path


def machine(*entries: Any, replies: Any = (), **files: bytes) -> ScriptedIO:
    """A machine whose shared cache has these entries, and what the token endpoint answers."""
    content = document(*entries).encode()
    return ScriptedIO(*replies, files={path(): content, **files})


def failure(face: Face, credential: Any, io: ScriptedIO, **asked: Any) -> Any:
    with pytest.raises(ClientAuthenticationError) as caught:
        face.ask(credential, io, SCOPE, **asked)
    return caught.value


# --- one account


@each_face
def test_a_familys_refresh_token_is_redeemed(face: Face) -> None:
    """One POST, by the developer client of the same family, for any work or school account."""
    io = machine(*ONE, replies=[token("T1")])

    assert face.ask(face.make(NAME), io, SCOPE).token == "T1"
    assert io.requests[0].url == f"https://{HOST}/organizations/oauth2/v2.0/token"
    assert io.forms == [
        {
            "grant_type": "refresh_token",
            "client_id": DEVELOPER_CLIENT,
            "refresh_token": planted("rt"),
            "scope": f"{SCOPE} offline_access openid profile",
            "client_info": "1",
        }
    ]
    io.finished()


@each_face
def test_its_own_access_token_is_used_while_it_lives(face: Face) -> None:
    """More than five minutes; nothing is sent."""
    io = machine(*ONE, access_token("at", expires_on=str(NOW + 301), refresh_on=str(NOW + 10)))

    found = face.ask(face.make(NAME), io, SCOPE)

    assert (found.token, found.expires_on, found.refresh_on) == (planted("at"), NOW + 301, NOW + 10)
    io.finished()


@each_face
@pytest.mark.parametrize(
    ("entry", "claims"),
    [
        (access_token(expires_on=str(NOW + 300)), None),
        (access_token(client_id="another"), None),
        (access_token(realm="another"), None),
        (access_token(), '{"access_token": {}}'),
    ],
    ids=["five minutes left", "another client's", "another tenant's", "a claims challenge"],
)
def test_other_access_tokens_are_not(face: Face, entry: Any, claims: Any) -> None:
    """Those of other clients would break audits; a challenge needs a new one."""
    io = machine(*ONE, entry, replies=[token("new")])

    assert face.ask(face.make(NAME), io, SCOPE, claims=claims).token == "new"
    assert io.forms[0].get("claims") == claims
    io.finished()


@each_face
def test_a_token_is_kept(face: Face) -> None:
    """In memory; the shared cache is only read."""
    io = machine(*ONE, replies=[token("T1")])
    credential = face.make(NAME)

    assert [face.ask(credential, io, SCOPE).token for _ in range(3)] == ["T1"] * 3
    assert io.read_files == [path()]
    io.finished()


@each_face
def test_a_requested_tenant_is_asked(face: Face) -> None:
    """A refresh token works across tenants."""
    io = machine(*ONE, access_token(), replies=[token("T1")])

    assert face.ask(face.make(NAME), io, SCOPE, tenant="other.example").token == "T1"
    assert "/other.example/" in io.requests[0].url


@each_face
def test_the_authority_chooses_the_cloud(face: Face) -> None:
    """Its accounts, and its endpoint."""
    us = "login.microsoftonline.us"
    io = machine(
        account("bob@contoso.com", "bob", environment=us),
        refresh_token("us", "bob", environment=us),
        *ONE,
        replies=[token()],
    )

    face.ask(face.make(NAME, authority=us), io, SCOPE)

    assert io.requests[0].url.startswith(f"https://{us}/")
    assert io.forms[0]["refresh_token"] == planted("us")


@each_face
def test_callers_that_handle_challenges_have_a_cache_of_their_own(face: Face) -> None:
    """Its name ends in .cae."""
    io = machine(replies=[token("T1")], **{path(cae=True): document(*ONE).encode()})

    assert face.ask(face.make(NAME), io, SCOPE, cae=True).token == "T1"
    assert "CP1" in io.forms[0]["claims"]


@each_face
def test_the_cache_can_be_another(face: Face) -> None:
    """By its name."""
    io = ScriptedIO(token("T1"), files={path("mine"): document(*ONE).encode()})
    credential = face.make(NAME, cache_persistence_options=TokenCachePersistenceOptions(name="mine"))

    assert face.ask(credential, io, SCOPE).token == "T1"


# --- which account

TWO = (*ONE, account("bob@contoso.com", "bob"), refresh_token("bob", "bob"))
SAME_NAME = (*ONE, account(tenant="other"), refresh_token("other", tenant="other"))


@each_face
@pytest.mark.parametrize(
    ("entries", "filters", "secret"),
    [
        (TWO, {"username": "bob@contoso.com"}, "bob"),
        (TWO, {"username": "BOB@contoso.com"}, "bob"),
        (SAME_NAME, {"tenant_id": "OTHER"}, "other"),
        (SAME_NAME, {"username": "ada@contoso.com", "tenant_id": TENANT}, "rt"),
        (ONE, {"username": "", "tenant_id": ""}, "rt"),
        ((*ONE, account("bob@contoso.com", "bob"), refresh_token("no family", "bob", family_id=None)), {}, "rt"),
        ((*ONE, account("bob@contoso.com", "bob")), {}, "rt"),
    ],
    ids=["user", "user in capitals", "tenant", "both", "blank filters", "one of no family", "one without a token"],
)
def test_the_one_account_that_is_meant(face: Face, entries: Any, filters: Any, secret: str) -> None:
    """Only accounts of the developer tools' family count."""
    io = machine(*entries, replies=[token()])

    face.ask(face.make(NAME, **filters), io, SCOPE)

    assert io.forms[0]["refresh_token"] == planted(secret)


@each_face
@pytest.mark.parametrize(
    ("entries", "filters", "words"),
    [
        ((), {}, "No accounts were found in the cache."),
        ((account(),), {}, "No accounts were found in the cache."),
        ((account(), refresh_token(family_id=None)), {}, "No accounts were found in the cache."),
        (
            (account(environment="login.microsoftonline.us"), refresh_token()),
            {},
            "No accounts were found in the cache.",
        ),
        (TWO, {}, "Multiple accounts were found in the cache. Name one by username and tenant_id (AZURE_USERNAME"),
        (ONE, {"username": "x@y"}, "No account matching the specified username: x@y was found in the cache."),
        (ONE, {"tenant_id": "zz"}, "No account matching the specified tenant: zz was found in the cache."),
        (
            TWO,
            {"username": "x", "tenant_id": "y"},
            "No account matching the specified username: x, tenant: y was found in the cache.",
        ),
        (
            SAME_NAME,
            {"username": "ada@contoso.com"},
            "Multiple accounts matching the specified username: ada@contoso.com were found in the cache.",
        ),
    ],
)
@pytest.mark.parametrize("context", ["alone", IN_CHAIN, IN_DEFAULT_CHAIN])
def test_no_account_or_several(face: Face, entries: Any, filters: Any, words: str, context: str) -> None:
    """The message says which, and nothing is sent."""
    io = machine(*entries)

    raised = failure(face, face.make(NAME, **filters), io, context=context)

    assert isinstance(raised, CredentialUnavailableError)
    assert str(raised).startswith(f"{NAME}: {words}")
    assert str(raised).endswith("docs/troubleshooting.md#shared-token-cache")
    io.finished()


# --- refresh tokens that are refused

TWO_TOKENS = (
    account(),
    refresh_token("old", last_modification_time="1"),
    refresh_token("new", last_modification_time="2"),
)


@each_face
def test_the_next_refresh_token_is_tried(face: Face) -> None:
    """The newest first; one that was refused does not hide the others."""
    io = machine(*TWO_TOKENS, replies=[refusal("invalid_grant", "AADSTS50173", 400), token("T1")])

    assert face.ask(face.make(NAME), io, SCOPE).token == "T1"
    assert [form["refresh_token"] for form in io.forms] == [planted("new"), planted("old")]
    io.finished()


@each_face
def test_tokens_of_this_client_come_before_those_of_its_family(face: Face) -> None:
    """And those of others, without a family, are never sent."""
    io = machine(
        account(),
        refresh_token("family", client_id="another", last_modification_time="9"),
        refresh_token("own"),
        refresh_token("stranger", client_id="stranger", family_id=None, last_modification_time="10"),
        replies=[refusal("invalid_grant", "", 400), refusal("invalid_grant", "", 400)],
    )
    failure(face, face.make(NAME), io)

    assert [form["refresh_token"] for form in io.forms] == [planted("own"), planted("family")]
    io.finished()


@each_face
@pytest.mark.parametrize("context", ["alone", IN_CHAIN, IN_DEFAULT_CHAIN])
def test_an_account_that_must_sign_in_again(face: Face, context: str) -> None:
    """Within the default chain it is passed over; the reason and the response are kept."""
    io = machine(*ONE, replies=[refusal("invalid_grant", "AADSTS700082: expired", 400)])

    raised = failure(face, face.make(NAME), io, context=context)

    assert isinstance(raised, CredentialUnavailableError) is (context == IN_DEFAULT_CHAIN)
    assert "AADSTS700082: expired" in str(raised)
    if context == IN_DEFAULT_CHAIN:
        assert "Token acquisition failed for user 'ada@contoso.com' of the shared token cache" in str(raised)
        assert raised.__cause__.error_code == "invalid_grant"
    io.finished()


@each_face
def test_trouble_of_the_service_is_not_asked_for_twice(face: Face) -> None:
    """Another refresh token would meet the same."""
    io = machine(*TWO_TOKENS, replies=[refusal("server_error", "AADSTS90000", 500)])

    failure(face, face.make(NAME), io)
    io.finished()


# --- a record


@each_face
def test_a_record_names_account_and_client(face: Face) -> None:
    """Its own client's tokens of any family, or none; its tenant, unless another is given."""
    entries = (
        *TWO,
        refresh_token("cid's", client_id="cid", family_id=None),
        access_token("cid's at", client_id="cid", expires_on=str(NOW + 10)),
    )
    io = machine(*entries, replies=[token("T1"), token("T2")])

    assert face.ask(face.make(NAME, authentication_record=RECORD), io, SCOPE).token == "T1"
    assert face.ask(face.make(NAME, authentication_record=RECORD, tenant_id="other"), io, SCOPE).token == "T2"

    assert [request.url.split("/")[3] for request in io.requests] == [TENANT, "other"]
    assert {form["client_id"] for form in io.forms} == {"cid"}
    assert io.forms[0]["refresh_token"] == planted("cid's")
    io.finished()


@each_face
def test_a_records_access_token_is_used(face: Face) -> None:
    io = machine(*ONE, access_token("cid's at", client_id="cid"))

    assert face.ask(face.make(NAME, authentication_record=RECORD), io, SCOPE).token == planted("cid's at")
    io.finished()


@each_face
@pytest.mark.parametrize("entries", [(), TWO[2:]], ids=["no account", "another account"])
def test_a_record_whose_account_is_not_there(face: Face, entries: Any) -> None:
    raised = failure(face, face.make(NAME, authentication_record=RECORD), machine(*entries))

    assert isinstance(raised, CredentialUnavailableError)
    assert "found in the cache" in str(raised)


# --- caches that cannot be read


@each_face
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x01\x00\xff\xfe\x80", "is encrypted, and this version cannot decrypt it"),
        (b"[]", "is damaged: it is not a JSON object"),
        (b"{", "is damaged: it is not a JSON object"),
        (b"\x00", "is damaged"),
    ],
    ids=["encrypted", "a list", "half an object", "a zero"],
)
def test_a_cache_that_cannot_be_read(face: Face, content: bytes, words: str) -> None:
    """The message names the file."""
    raised = failure(face, face.make(NAME), ScriptedIO(files={path(): content}))

    assert isinstance(raised, CredentialUnavailableError)
    assert f"{NAME}: Shared token cache unavailable: {path()}" in str(raised)
    assert words in str(raised)


def test_a_cache_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read."""
    monkeypatch.setattr(store, "LIMIT", 100)

    assert "larger than 100 bytes" in str(failure(FACES[0], SharedTokenCacheCredential(), machine(*ONE)))


@each_face
@pytest.mark.parametrize("files", [{}, {path(): b""}, {path(): b"\n"}], ids=["no file", "an empty one", "a mark"])
def test_a_cache_without_a_document_has_no_accounts(face: Face, files: Any) -> None:
    """On Linux and macOS an empty file stands beside the keyring."""
    assert "No accounts were found" in str(failure(face, face.make(NAME), ScriptedIO(files=files)))


def test_an_unsupported_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and reads nothing."""
    monkeypatch.setattr(sys, "platform", "sunos5")
    io = machine(*ONE)

    assert SharedTokenCacheCredential.supported() is False
    assert "not supported on this platform" in str(failure(FACES[0], SharedTokenCacheCredential(), io))
    assert io.read_files == []


@pytest.mark.parametrize(
    ("platform", "there"), [("win32", True), ("darwin", True), ("linux", True), ("freebsd13", False)]
)
@pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)
def test_where_it_is_supported(monkeypatch: pytest.MonkeyPatch, face: Face, platform: str, there: bool) -> None:
    """Asked of the class."""
    monkeypatch.setattr(sys, "platform", platform)

    assert getattr(face.package, NAME).supported() is there


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published package's places."""
    assert Path(path("x")) == Path.home() / ".IdentityService" / "x.nocae"
    assert path("x", cae=True).endswith("x.cae")
    monkeypatch.setenv("LOCALAPPDATA", "local")
    monkeypatch.setattr(sys, "platform", "win32")
    assert Path(path("x")) == Path("local") / ".IdentityService" / "x.nocae"


def test_the_user_name_can_be_the_first_argument() -> None:
    """As in the published package."""
    io = machine(*TWO, replies=[token()])
    FACES[0].ask(SharedTokenCacheCredential("bob@contoso.com"), io, SCOPE)

    assert io.forms[0]["refresh_token"] == planted("bob")


# --- with a real file


def test_the_file_is_read_on_the_real_machine(world: Any, tmp_path: Path) -> None:
    """Both worlds; HOME is a temporary folder."""
    folder = Path.home() / ".IdentityService"
    folder.mkdir()
    (folder / "msal.cache.nocae").write_text(document(*ONE, access_token("at", expires_on="9999999999")))

    credential = world.make(NAME)

    assert world.ask(credential.get_token, SCOPE).token == planted("at")

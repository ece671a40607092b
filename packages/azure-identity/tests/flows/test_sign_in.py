"""What holds for all credentials of people: silent first, then ask; whose tokens they are; what is not sent again."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import pickle
from typing import Any, Optional

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from people import ADA, BOB, TENANT, WAYS, Way, secret
from scripted import NOW, ScriptedIO, on, refusal, reply, token

from azure.identity import AuthenticationRecord, AuthenticationRequiredError, CredentialUnavailableError
from azure.identity._values.messages import Unreachable

VAULT, GRAPH = "https://vault.azure.net/.default", "https://graph.microsoft.com/.default"
RECORD = AuthenticationRecord(TENANT, "client-of-record", "login.microsoftonline.us", ADA.home_account_id, ADA.username)


class Stage:
    """A credential of one world and one way to ask, and its script."""

    def __init__(self, face: Face, way: Way, **options: Any) -> None:
        self.face, self.way = face, way
        self.cred = way.make(face.package, **options)
        self.io = on(ScriptedIO(), self.cred)._port_

    def will_sign_in(self, *answers: Any) -> None:
        """The person will sign in, and the token endpoint then say these."""
        self.io.will(*self.way.prompt(), *(self.way.answer(self.io, answer) for answer in answers))

    def will(self, *replies: Any) -> None:
        self.io.will(*replies)

    def ask(self, *scopes: str, **request: Any) -> str:
        return self.face.ask(self.cred, self.io, *(scopes or (VAULT,)), **request).token

    def public(self, method: str, *args: Any, **kwargs: Any) -> Any:
        result = getattr(self.cred, method)(*args, **kwargs)
        return asyncio.run(result) if asyncio.iscoroutine(result) else result

    def authenticate(self, **kwargs: Any) -> AuthenticationRecord:
        record = self.public("authenticate", **{"scopes": [VAULT], **kwargs})
        assert isinstance(record, AuthenticationRecord)
        return record

    @property
    def prompts(self) -> int:
        return self.way.prompts(self.io)

    @property
    def sent(self) -> list[Optional[str]]:
        """The refresh tokens that were sent."""
        return [form["refresh_token"] for form in self.io.forms if form.get("grant_type") == "refresh_token"]


@pytest.fixture(params=FACES, ids=lambda face: str(face.name))
def face(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=WAYS, ids=lambda way: str(way.name))
def way(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def stage(face: Face, way: Way) -> Stage:
    return Stage(face, way)


@pytest.fixture
def ada(stage: Stage) -> Stage:
    """Ada has signed in, for the vault."""
    stage.will_sign_in(ADA.token("T1", "R1"))
    assert stage.ask() == "T1"
    return stage


def invalid(suberror: Optional[str] = None, error: str = "invalid_grant", **members: Any) -> Any:
    return refusal(error, "AADSTS50173: No.", 400, **({"suberror": suberror} if suberror else {}), **members)


# --- silent first


def test_a_person_is_asked_once(ada: Stage) -> None:
    """Then the access token is used, and for another resource the refresh token."""
    assert ada.ask() == "T1"
    ada.will(ADA.token("T2", "R2"))

    assert (ada.ask(GRAPH), ada.ask(GRAPH), ada.ask()) == ("T2", "T2", "T1")
    assert ada.prompts == 1
    assert ada.io.forms[-1] == {
        "grant_type": "refresh_token",
        "client_id": ada.cred._client_id,
        "refresh_token": secret("R1"),
        "scope": f"{GRAPH} offline_access openid profile",
        "client_info": "1",
    }
    assert ada.io.requests[-1].url == "https://login.microsoftonline.com/organizations/oauth2/v2.0/token"
    assert ada.io.requests[-1].headers["X-AnchorMailbox"] == f"Oid:ada-uid@{TENANT}"
    ada.io.finished()


def test_each_renewal_uses_the_refresh_token_of_the_one_before(ada: Stage) -> None:
    """An answer without one leaves the old one in place."""
    for replies, sent in ((ADA.token("T2", "R2"), "R1"), (ADA.token("T3", None), "R2"), (ADA.token("T4"), "R2")):
        ada.io.advance(3600)
        ada.will(replies)
        ada.ask()
        assert ada.sent[-1] == secret(sent)
    assert ada.prompts == 1


def test_a_renewal_that_does_not_say_whose_token_it_brings_is_the_accounts(ada: Stage) -> None:
    """Neither client_info nor an id token need come with it."""
    ada.io.advance(3600)
    ada.will(token("T2"))

    assert ada.ask() == "T2"
    assert ada.ask() == "T2"
    assert ada.cred._record.username == ADA.username


@pytest.mark.parametrize("left", [3000, 200, 1])
def test_a_token_that_is_still_valid_is_never_a_reason_to_ask_a_person(
    face: Face, way: Way, left: int, caplog: pytest.LogCaptureFixture
) -> None:
    """When it should be renewed, and cannot be, it is used as long as it lasts."""
    stage = Stage(face, way)
    stage.will_sign_in(ADA.token("T1", "R1", refresh_in=500))
    stage.ask()
    stage.io.advance(3599 - left)
    stage.will(invalid("bad_token"))

    with caplog.at_level(logging.WARNING, "azure.identity"):
        assert stage.ask() == "T1"

    assert stage.prompts == 1
    assert ["could not renew a token" in record.getMessage() for record in caplog.records] == [True]
    stage.io.finished()


def test_when_it_has_expired_and_cannot_be_renewed_the_person_is_asked(ada: Stage) -> None:
    """Not before."""
    ada.io.advance(3600)
    ada.will(invalid("bad_token"))
    ada.will_sign_in(ADA.token("T2", "R2"))

    assert ada.ask() == "T2"
    assert ada.prompts == 2
    ada.io.finished()


@pytest.mark.parametrize(
    ("suberror", "error", "dead"),
    [
        ("bad_token", "invalid_grant", True),
        ("token_expired", "invalid_grant", True),
        ("bad_token", "interaction_required", True),
        (None, "invalid_grant", True),
        ("client_mismatch", "invalid_grant", True),
        ("basic_action", "invalid_grant", False),
        ("basic_action", "interaction_required", False),
        (None, "interaction_required", False),
        ("additional_action", "invalid_grant", False),
        ("message_only", "invalid_grant", False),
        ("consent_required", "invalid_grant", False),
        (None, "consent_required", False),
        ("user_password_expired", "invalid_grant", False),
        ("protection_policy_required", "invalid_grant", False),
        ("device_authentication_failed", "invalid_grant", False),
    ],
)
def test_a_dead_refresh_token_is_not_sent_again(
    face: Face, way: Way, suberror: Optional[str], error: str, dead: bool
) -> None:
    """One that a person or an administrator can bring back to life is."""
    stage = Stage(face, way, disable_automatic_authentication=True)
    stage.will_sign_in(ADA.token("T1", "R1"))
    stage.authenticate()
    for _ in range(3):
        stage.will(*[invalid(suberror, error)] * (not dead or not stage.sent))
        with pytest.raises(AuthenticationRequiredError):
            stage.ask(GRAPH)

    assert stage.sent == [secret("R1")] * (1 if dead else 3)
    stage.io.finished()


@pytest.mark.parametrize(
    "trouble",
    [
        refusal("invalid_client", "AADSTS7000218: Prove it.", 401),
        refusal("invalid_scope", "AADSTS70011: What?", 400),
        refusal("unauthorized_client", "AADSTS700016: Who?", 400),
        refusal("temporarily_unavailable", "AADSTS90033: Later.", 503),
        reply(502, None),
        Unreachable("https://login.microsoftonline.com", "refused"),
    ],
    ids=["client", "scope", "application", "temporary", "gateway", "network"],
)
def test_trouble_that_a_person_cannot_help_with_is_reported(ada: Stage, trouble: Any) -> None:
    """Nobody is asked, and the refresh token stays."""
    ada.will(trouble)

    with pytest.raises(ClientAuthenticationError):
        ada.ask(GRAPH)

    assert ada.prompts == 1
    ada.will(ADA.token("T2"))
    assert ada.ask(GRAPH) == "T2"
    assert set(ada.sent) == {secret("R1")}


# --- families


def test_a_client_outside_a_family_does_not_try_its_tokens_again(stage: Stage) -> None:
    """`client_mismatch` says so; the token is good for the members and stays."""
    from azure.identity._values.messages import RefreshToken

    stage.cred._record = AuthenticationRecord(TENANT, "c", "a", ADA.home_account_id, ADA.username)
    stage.cred._refresh_tokens.put(
        "login.microsoftonline.com", ADA.home_account_id, RefreshToken(secret("F"), "member", "1")
    )
    stage.will(invalid("client_mismatch"))
    stage.will_sign_in(ADA.token("T1", None))
    assert stage.ask() == "T1"
    stage.will_sign_in(ADA.token("T2", None))
    assert stage.ask(GRAPH) == "T2"

    assert stage.sent == [secret("F")]
    assert stage.cred._refresh_tokens.candidates("login.microsoftonline.com", ADA.home_account_id, "member")
    stage.io.finished()


def test_a_family_token_serves_another_client(stage: Stage) -> None:
    """It is redeemed with this client's id."""
    from azure.identity._values.messages import RefreshToken

    stage.cred._record = AuthenticationRecord(TENANT, "c", "a", ADA.home_account_id, ADA.username)
    stage.cred._refresh_tokens.put(
        "login.microsoftonline.com", ADA.home_account_id, RefreshToken(secret("F"), "member", "1")
    )
    stage.will(ADA.token("T1", "F2", foci="1"), ADA.token("T2", "F3", foci="1"))

    assert (stage.ask(), stage.ask(GRAPH)) == ("T1", "T2")
    assert stage.sent == [secret("F"), secret("F2")]
    assert {form["client_id"] for form in stage.io.forms} == {stage.cred._client_id}
    assert stage.prompts == 0


# --- not asking


def test_without_automatic_authentication_nobody_is_asked(face: Face, way: Way) -> None:
    """The error says what to call; the program decides when."""
    stage = Stage(face, way, disable_automatic_authentication=True)

    with pytest.raises(AuthenticationRequiredError) as caught:
        stage.ask(VAULT)

    assert (caught.value.scopes, caught.value.claims) == ((VAULT,), None)
    assert str(caught.value) == (
        f"{stage.cred._who}: Interactive authentication is required to get a token. Call 'authenticate' to begin. "
        "Help: docs/troubleshooting.md#sign-in"
    )
    assert stage.io.requests == []
    stage.io.finished()

    stage.will_sign_in(ADA.token("T1"))
    stage.authenticate(scopes=caught.value.scopes, claims=caught.value.claims)
    assert stage.ask(VAULT) == "T1"
    stage.io.finished()


def test_the_error_carries_what_the_refusal_demands(face: Face, way: Way) -> None:
    """The authority's claims, to be given to `authenticate`; and its reason, and its response."""
    stage = Stage(face, way, disable_automatic_authentication=True)
    stage.will_sign_in(ADA.token("T1"))
    stage.authenticate()
    demanded = '{"access_token":{"capolids":{"essential":true,"values":["p"]}}}'
    stage.will(invalid("basic_action", "interaction_required", claims=demanded))

    with pytest.raises(AuthenticationRequiredError) as caught:
        stage.ask(GRAPH)

    assert (caught.value.scopes, caught.value.claims) == ((GRAPH,), demanded)
    assert "AADSTS50173" in str(caught.value)
    assert isinstance(caught.value.__cause__, ClientAuthenticationError)
    assert pickle.loads(pickle.dumps(caught.value)).claims == demanded


# --- claims


def test_a_claims_challenge_skips_the_access_token_and_nothing_else(ada: Stage) -> None:
    """The refresh token is tried first, with the claims; the new token takes the old one's place."""
    ada.will(ADA.token("T2", "R2"))

    assert ada.ask(claims='{"a":1}') == "T2"
    assert ada.ask() == "T2"
    assert ada.io.forms[-1]["claims"] == '{"a":1}'
    assert ada.prompts == 1
    ada.io.finished()


def test_a_challenge_that_needs_the_person_asks_with_all_its_claims(ada: Stage) -> None:
    """Those of the resource, and those the authority demanded when it refused to renew."""
    ada.will(invalid("basic_action", "interaction_required", claims='{"access_token":{"capolids":{"essential":true}}}'))
    ada.will_sign_in(ADA.token("T2", "R2"))

    assert ada.ask(claims='{"access_token":{"nbf":{"value":"1"}}}') == "T2"

    wanted = {"access_token": {"nbf": {"value": "1"}, "capolids": {"essential": True}}}
    assert json.loads(ada.way.claims(ada.io) or "") == wanted
    assert json.loads(ada.io.forms[-1]["claims"]) == wanted
    assert ada.prompts == 2


@pytest.mark.parametrize("sent", ["no json", "[]", ""])
def test_claims_of_a_refusal_that_are_none_are_left_alone(ada: Stage, sent: str) -> None:
    """They come from a server."""
    ada.will(invalid("basic_action", claims=sent))
    ada.will_sign_in(ADA.token("T2", "R2"))

    assert ada.ask(GRAPH, cae=True) == "T2"
    assert json.loads(ada.way.claims(ada.io) or "") == {"access_token": {"xms_cc": {"values": ["CP1"]}}}


def test_tokens_for_continuous_access_evaluation_are_kept_apart(ada: Stage) -> None:
    """The capability is sent with sign-in and renewal; the refresh token serves both."""
    ada.will(ADA.token("T2", "R2"))

    assert (ada.ask(cae=True), ada.ask(cae=True), ada.ask()) == ("T2", "T2", "T1")
    assert json.loads(ada.io.forms[-1]["claims"]) == {"access_token": {"xms_cc": {"values": ["CP1"]}}}
    assert ada.prompts == 1
    ada.io.finished()


# --- tenants


def test_a_token_from_another_tenant_takes_no_sign_in(ada: Stage) -> None:
    """`organizations` may be any; the record stays that of the sign-in."""
    ada.will(ADA.token("T2", "R2"))

    assert (ada.ask(tenant="other"), ada.ask()) == ("T2", "T1")
    assert "/other/" in ada.io.requests[-1].url
    assert ada.cred._record.tenant_id == TENANT


def test_a_tenant_that_is_not_allowed_is_refused_before_anybody_is_asked(face: Face, way: Way) -> None:
    stage = Stage(face, way, tenant_id="mine")

    with pytest.raises(ClientAuthenticationError, match="additionally_allowed_tenants"):
        stage.ask(tenant="other")
    assert (stage.prompts, stage.io.requests) == (0, [])


def test_the_tenant_to_sign_in_to(face: Face, way: Way) -> None:
    """The keyword's; an empty one is none."""
    for given, used in (("mine", "mine"), ("", "organizations"), (None, "organizations")):
        stage = Stage(face, way, tenant_id=given)
        stage.will_sign_in(ADA.token("T1"))
        stage.ask()
        assert stage.io.requests[-1].url.split("/")[3] == used


# --- authenticate


def test_authenticate_always_asks(ada: Stage) -> None:
    """Whatever is cached, and again. It returns who it was."""
    for _ in range(2):
        ada.will_sign_in(ADA.token("T2", "R2"))
        record = ada.authenticate()

    assert ada.prompts == 3
    assert ada.sent == []
    expected = AuthenticationRecord(
        TENANT, ada.cred._client_id, "login.microsoftonline.com", ADA.home_account_id, ADA.username
    )
    assert record == expected
    ada.io.finished()


def test_what_authenticate_brought_is_used(stage: Stage) -> None:
    """For the same scopes the access token, for others the refresh token."""
    stage.will_sign_in(ADA.token("T1", "R1"))
    stage.authenticate(scopes=[GRAPH, VAULT])
    stage.will(ADA.token("T2", "R2"))

    assert (stage.ask(VAULT, GRAPH), stage.ask(VAULT)) == ("T1", "T2")
    assert stage.prompts == 1
    stage.io.finished()


@pytest.mark.parametrize(
    ("authority", "scope"),
    [
        (None, "https://management.core.windows.net//.default"),
        ("login.microsoftonline.us", "https://management.core.usgovcloudapi.net//.default"),
        ("login.chinacloudapi.cn", "https://management.core.chinacloudapi.cn//.default"),
    ],
)
def test_without_scopes_authenticate_asks_for_the_resource_manager(
    face: Face, way: Way, authority: Any, scope: str
) -> None:
    """Of the authority's cloud."""
    stage = Stage(face, way, **({"authority": authority} if authority else {}))
    stage.will_sign_in(ADA.token("T1"))

    stage.public("authenticate")

    assert scope in (stage.io.forms[-1].get("scope") or stage.io.forms[0]["scope"]).split()


def test_without_scopes_authenticate_refuses_where_no_resource_manager_is_known(face: Face, way: Way) -> None:
    """An authority of somebody's own."""
    stage = Stage(face, way, authority="login.example", disable_instance_discovery=True)

    with pytest.raises(CredentialUnavailableError, match="needs 'scopes'"):
        stage.public("authenticate")
    assert stage.prompts == 0


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"scopes": VAULT}, TypeError, "as a list of strings"),
        ({"scopes": []}, ValueError, '"authenticate" requires at least one scope'),
        ({"scopes": [5]}, TypeError, "takes scopes as strings"),
        ({"claims": "no json"}, ValueError, "claims must be a JSON object"),
        ({"tenant_id": "../x"}, ValueError, "tenant_id is invalid"),
        ({"tenantid": "t"}, TypeError, "did you mean 'tenant_id'"),
    ],
)
def test_authenticate_refuses_what_cannot_be_meant(stage: Stage, given: Any, error: Any, text: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(error, match=text):
        stage.authenticate(**given)
    assert stage.prompts == 0


def test_authenticate_is_logged_like_a_token_request(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Without saying who."""
    stage.will_sign_in(ADA.token("T1"))
    with caplog.at_level(logging.INFO, "azure.identity"):
        stage.authenticate()
        stage.will_sign_in(invalid())
        with pytest.raises(ClientAuthenticationError):
            stage.authenticate()

    said = [record.getMessage() for record in caplog.records]
    assert said[0] == f"{stage.cred._who}.authenticate succeeded"
    assert said[1].startswith(f"{stage.cred._who}.authenticate failed: ")
    assert "ada" not in "".join(said)


def test_authenticate_with_claims_signs_in_with_them(stage: Stage) -> None:
    """And with the capability, if the program has it."""
    stage.will_sign_in(ADA.token("T1"))

    stage.authenticate(claims='{"access_token":{"nbf":1}}', enable_cae=True)

    wanted = {"access_token": {"nbf": 1, "xms_cc": {"values": ["CP1"]}}}
    assert json.loads(stage.way.claims(stage.io) or "") == wanted
    assert stage.ask(cae=True) == "T1"
    stage.io.finished()


@pytest.mark.parametrize("name", ["InteractiveBrowserCredential", "DeviceCodeCredential", "UsernamePasswordCredential"])
def test_authenticate_is_the_same_in_both_worlds(name: str) -> None:
    """Arguments and documentation."""
    sync, twin = (getattr(face.package, name).authenticate for face in FACES)

    assert inspect.signature(sync) == inspect.signature(twin)
    assert inspect.getdoc(sync) == inspect.getdoc(twin)
    assert inspect.iscoroutinefunction(twin)


# --- records


def test_a_record_says_where_the_account_signed_in(face: Face, way: Way) -> None:
    """Its client and its authority win, since its tokens are theirs; the tenant keyword wins over its tenant."""
    for given, used in (({}, TENANT), ({"tenant_id": "mine"}, "mine")):
        stage = Stage(
            face, way, authentication_record=RECORD, client_id="other", authority="login.microsoftonline.com", **given
        )
        stage.will_sign_in(ADA.token("T1"))
        stage.ask()

        assert stage.io.requests[-1].url == f"https://login.microsoftonline.us/{used}/oauth2/v2.0/token"
        assert {form["client_id"] for form in stage.io.forms} == {"client-of-record"}


def test_a_record_alone_brings_no_token(face: Face, way: Way) -> None:
    """Without a cache that outlives the process there is nothing to renew: the person is asked."""
    stage = Stage(face, way, authentication_record=RECORD, disable_automatic_authentication=True)

    with pytest.raises(AuthenticationRequiredError):
        stage.ask()
    assert stage.io.requests == []


def test_an_answer_that_does_not_say_whose_token_it_is_is_no_sign_in(stage: Stage) -> None:
    """Nothing could be kept for anybody."""
    stage.will_sign_in(token("T1"))

    with pytest.raises(ClientAuthenticationError, match="does not say whose token it is"):
        stage.ask()
    assert stage.cred._record is None


# --- another account


def test_after_another_account_has_signed_in_no_token_of_the_first_is_used(ada: Stage) -> None:
    """Also not by the face's own look in its memory. Who comes back finds their refresh token."""
    assert ada.public("get_token", VAULT).token == "T1"
    ada.will_sign_in(BOB.token("T2", "R2"))
    assert ada.authenticate(scopes=[GRAPH]).username == BOB.username
    ada.will(BOB.token("T3", "R3"))

    assert ada.public("get_token", VAULT).token == "T3"
    assert ada.sent == [secret("R2")]

    ada.will_sign_in(ADA.token("T4", None))
    ada.authenticate(scopes=[GRAPH])
    ada.will(ADA.token("T5"))
    assert ada.public("get_token", VAULT).token == "T5"
    assert ada.sent[-1] == secret("R1")
    ada.io.finished()


def test_a_person_who_is_asked_by_get_token_may_choose_another_account(ada: Stage) -> None:
    """It is the account from then on."""
    ada.ask()
    ada.will(invalid("basic_action"))
    ada.will_sign_in(BOB.token("T2", "R2"))
    assert ada.ask(GRAPH) == "T2"
    ada.will(BOB.token("T3", "R3"))

    assert ada.ask(VAULT) == "T3"
    assert ada.cred._record.username == BOB.username


def test_a_renewal_that_comes_back_after_another_account_signed_in() -> None:
    """Its caller asked before, and gets it; the account stays the new one, and nobody else gets the token."""
    stage = Stage(FACES[0], WAYS[0])
    stage.will_sign_in(ADA.token("T1", "R1"))
    stage.ask()

    def meanwhile(_: Any) -> Any:
        stage.will_sign_in(BOB.token("T3", "R3"))
        stage.authenticate(scopes=["other"])
        return ADA.token("T2", "R2")

    stage.will(meanwhile)
    assert stage.public("get_token", GRAPH).token == "T2"
    assert stage.cred._record.username == BOB.username

    stage.will(BOB.token("T4", "R4"))
    assert stage.public("get_token", GRAPH).token == "T4"
    assert stage.sent == [secret("R1"), secret("R3")]
    stage.io.finished()


# --- copies


def test_a_pickled_credential_knows_the_account_and_no_secret(face: Face) -> None:
    """The record is kept; access and refresh tokens are not."""
    stage = Stage(face, WAYS[0], disable_automatic_authentication=True)
    stage.will_sign_in(ADA.token("T1", "R1"))
    record = stage.authenticate()
    stage.cred.__dict__.pop("_port_")

    data = pickle.dumps(stage.cred)
    again = pickle.loads(data)

    assert secret("R1").encode() not in data
    assert b"T1" not in data
    assert again._record == record
    with pytest.raises(AuthenticationRequiredError):
        face.ask(again, ScriptedIO(), VAULT)


# --- secrets


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_a_server_that_repeats_the_request_makes_no_message_show_a_secret(ada: Stage, status: int, kind: str) -> None:
    """Neither the refresh token that was sent nor what the sign-in used."""

    def echo(request: Any) -> Any:
        text = " ".join(f"{name} is {value}" for name, value in request.form.items())
        if kind == "text/plain":
            return reply(status, None)._replace(headers={"content-type": kind}, body=text.encode())
        return refusal("invalid_request", text, status)

    ada.will(echo)
    with pytest.raises(ClientAuthenticationError) as caught:
        ada.ask(GRAPH)
    assert "***" in str(caught.value)

    ada.will_sign_in(echo)
    with pytest.raises(ClientAuthenticationError) as caught:
        ada.authenticate()
    assert "***" in str(caught.value)


def test_no_repr_shows_a_secret(ada: Stage) -> None:
    """Of the credential and what it holds."""
    shown = repr(ada.cred) + repr(ada.cred._refresh_tokens) + repr(ada.cred._record)

    assert "PLANTED" not in shown
    assert ADA.username not in shown


def test_the_times_of_a_token(stage: Stage) -> None:
    """Counted from when the token request was sent."""
    stage.will_sign_in(ADA.token("T1", refresh_in=1800))

    found = stage.face.ask(stage.cred, stage.io, VAULT)

    sent_at = stage.io.now()
    assert (found.expires_on, found.refresh_on) == (sent_at + 3599, sent_at + 1800)
    assert sent_at >= NOW

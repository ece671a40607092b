"""A web API that calls another for its user."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict

import pytest
import requests

from entra_emulator import EntraEmulator

ON_BEHALF_OF = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://vault.azure.net/.default"
CP1 = '{"access_token":{"xms_cc":{"values":["CP1"]}}}'

Exchange = Callable[..., requests.Response]


@pytest.fixture
def incoming(entra: EntraEmulator, program: Any) -> str:
    """The token that a person's program has sent to the web API."""
    return str(program.password(scope=f"api://{entra.app.client_id}/.default").json()["access_token"])


@pytest.fixture
def exchange(entra: EntraEmulator, make_program: Any, incoming: str) -> Exchange:
    """The web API's request, with the given changes."""
    api = make_program(entra.app, secret=entra.app.secret)

    def send(**changes: Any) -> requests.Response:
        form = {
            "assertion": incoming,
            "requested_token_use": "on_behalf_of",
            "scope": SCOPE,
            "tenant": entra.tenant.id,
            **changes,
        }
        answer: requests.Response = api.ask(ON_BEHALF_OF, **form)
        return answer

    return send


def test_exchange(entra: EntraEmulator, exchange: Exchange, claims_in: Any):
    """The web API gets a token about the same person, for the other API."""
    answer = exchange().json()
    found = claims_in(answer["access_token"])

    assert (found["aud"], found["scp"], found["appid"]) == (
        "https://vault.azure.net",
        "user_impersonation",
        entra.app.client_id,
    )
    assert (found["oid"], found["idtyp"], found["appidacr"]) == (entra.user.object_id, "user", "1")
    assert not {"refresh_token", "id_token", "foci"} & set(answer)


def test_refresh(entra: EntraEmulator, exchange: Exchange, make_program: Any):
    """With `offline_access` it can come again without the person's token."""
    api = make_program(entra.app, secret=entra.app.secret)
    token = exchange(scope=f"{SCOPE} offline_access openid").json()["refresh_token"]
    entra.clock.advance(7200)

    assert api.refresh(token, tenant=entra.tenant.id).status_code == 200


@pytest.mark.parametrize("tenant", ["common", "organizations", "emulator.onmicrosoft.com"])
def test_tenants(entra: EntraEmulator, program: Any, make_program: Any, claims_in: Any, tenant: str):
    """The endpoint of many tenants takes the tenant from the assertion."""
    api = entra.add_app(multi_tenant=True, admin_consent=True)
    entra.add_resource(f"api://{api.client_id}", app_id=api.client_id)
    incoming = program.password(scope=f"api://{api.client_id}/.default").json()["access_token"]
    answer = make_program(api, secret=api.secret).ask(
        ON_BEHALF_OF, tenant=tenant, assertion=incoming, requested_token_use="on_behalf_of", scope=SCOPE
    )

    assert claims_in(answer.json()["access_token"])["tid"] == entra.tenant.id


@pytest.mark.parametrize(
    ("changes", "code", "error"),
    [
        ({"assertion": None}, 900144, "invalid_request"),
        ({"assertion": "garbage"}, 50027, "invalid_grant"),
        ({"requested_token_use": None}, 900144, "invalid_request"),
        ({"requested_token_use": "other"}, 90023, "invalid_request"),
        ({"client_secret": None}, 7000218, "invalid_client"),
        ({"client_secret": "wrong"}, 7000215, "invalid_client"),
        ({"scope": None}, 900144, "invalid_request"),
        ({"scope": "api://unknown/.default"}, 500011, "invalid_resource"),
    ],
)
def test_refusals(exchange: Exchange, refused: Any, changes: Dict[str, Any], code: int, error: str):
    """Each mistake has its code."""
    refused(exchange(**changes), code, error)


def test_audience(exchange: Exchange, program: Any, refused: Any):
    """A token for somebody else is not a web API's to use."""
    refused(exchange(assertion=program.password().json()["access_token"]), 500131, "invalid_grant")


def test_expiry(entra: EntraEmulator, exchange: Exchange, refused: Any):
    """Nor is one whose time is over."""
    entra.clock.advance(3600)

    refused(exchange(), 500133, "invalid_grant")


def test_app_tokens(entra: EntraEmulator, exchange: Exchange, ask: Any, refused: Any):
    """Nor is a token of an app that acts for itself."""
    token = ask(scope=f"api://{entra.app.client_id}/.default").json()["access_token"]

    refused(exchange(assertion=token), 7000114, "invalid_grant")


def test_id_tokens(entra: EntraEmulator, exchange: Exchange, make_program: Any, refused: Any):
    """Nor is an id token, although it is addressed to the app."""
    api = make_program(entra.app, secret=entra.app.secret)
    token = api.redeem(api.code(tenant=entra.tenant.id), tenant=entra.tenant.id).json()["id_token"]

    refused(exchange(assertion=token), 50027, "invalid_grant")


def test_forgeries(entra: EntraEmulator, exchange: Exchange, incoming: str, claims_in: Any, refused: Any):
    """Nor is one that was signed with another key, changed, or issued elsewhere."""
    claims = claims_in(incoming)
    header, payload, _ = incoming.split(".")
    key = entra._realm.signing_key

    refused(exchange(assertion=entra._realm.federation.key.sign(claims)), 50013, "invalid_grant")
    refused(exchange(assertion=f"{header}.{payload}.{'A' * 342}"), 50013, "invalid_grant")
    refused(exchange(assertion=key.sign({**claims, "iss": "https://evil.example/"})), 50013, "invalid_grant")
    refused(exchange(assertion=key.sign({**claims, "oid": "nobody"})), 50034, "invalid_grant")


def test_public_clients(entra: EntraEmulator, program: Any, refused: Any):
    """A public client cannot act for anybody."""
    refused(program.ask(ON_BEHALF_OF, assertion="x", requested_token_use="on_behalf_of", scope=SCOPE), 7000218)


def test_consent(entra: EntraEmulator, program: Any, make_program: Any, refused: Any):
    """Without consent the web API is refused, and told that consent is what is missing."""
    app = entra.add_app("Middle tier")
    entra.add_resource("api://middle", app_id=app.client_id)
    token = program.password(scope="api://middle/.default").json()["access_token"]

    def exchange() -> requests.Response:
        answer: requests.Response = make_program(app, secret=app.secret).ask(
            ON_BEHALF_OF, tenant=entra.tenant.id, assertion=token, requested_token_use="on_behalf_of", scope=SCOPE
        )
        return answer

    body = refused(exchange(), 65001, "invalid_grant", "consent_required")
    assert "Middle tier" in body["error_description"]
    entra.grant_consent(app, "https://vault.azure.net", user=entra.user)
    assert exchange().status_code == 200


def test_second_factor(entra: EntraEmulator, exchange: Exchange, program: Any, refused: Any, claims_in: Any):
    """A claims challenge travels through the web API to the person's program, and back as a better token."""
    entra.require_mfa("https://vault.azure.net")
    body = refused(exchange(), 50076, "interaction_required", "basic_action")
    scope = f"api://{entra.app.client_id}/.default"

    assert "capolids" in json.loads(body["claims"])["access_token"]
    refused(program.password(scope=scope, claims=body["claims"]), 50076, "interaction_required", "basic_action")
    better = program.redeem(program.code(scope=scope, claims=body["claims"]), scope=scope).json()["access_token"]
    assert claims_in(better)["amr"] == ["pwd", "mfa"]
    assert claims_in(exchange(assertion=better).json()["access_token"])["amr"] == ["pwd", "mfa"]


def test_revocation(entra: EntraEmulator, exchange: Exchange, program: Any, refused: Any):
    """A token that was called back is no good for this either."""
    scope = f"api://{entra.app.client_id}/.default"
    token = program.password(scope=scope, claims=CP1).json()["access_token"]
    assert exchange(assertion=token).status_code == 200
    entra.revoke(entra.user)

    refused(exchange(assertion=token), 50173, "invalid_grant", "bad_token")


def test_nothing_shows(entra: EntraEmulator, exchange: Exchange, incoming: str):
    """The person's token shows in no repr of the log."""
    exchange()

    assert incoming not in repr(entra.requests)

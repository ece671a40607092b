"""A web API calls another as its user, end to end: the user's token in, a token for the other API out."""

from __future__ import annotations

import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator

import certificates
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from desk import Desk, claims_of, sent, username
from leak_watch import planted
from worlds import World

from azure.identity import OnBehalfOfCredential, UsernamePasswordCredential
from azure.identity._credentials import on_behalf_of
from entra_emulator import EntraEmulator

GRAPH = "https://graph.microsoft.com/.default"
DEVELOPER_CLIENT = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


@pytest.fixture(autouse=True)
def nothing_is_cached() -> Iterator[None]:
    """Tokens are the process's, and the emulator's ids the same in every test."""
    on_behalf_of._tokens.clear()
    yield
    on_behalf_of._tokens.clear()


class Api:
    """A web API: the emulator's default app."""

    def __init__(self, world: World, entra: EntraEmulator) -> None:
        self._world, self._entra = world, entra

    def user_token(self, user: Any, scope: str = "") -> str:
        """What a user's client sends."""
        entra = self._entra
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            client = UsernamePasswordCredential(
                DEVELOPER_CLIENT, user.username, user.password, tenant_id=entra.tenant.id, authority=entra.authority
            )
        with client:
            return client.get_token(scope or f"api://{entra.app.client_id}/.default").token

    def credential(self, assertion: str, **options: Any) -> Any:
        proof = (
            {}
            if {"client_certificate", "client_assertion_func"} & options.keys()
            else {"client_secret": planted("client-secret")}
        )
        entra = self._entra
        return self._world.make(
            "OnBehalfOfCredential",
            entra.tenant.id,
            entra.app.client_id,
            user_assertion=assertion,
            authority=entra.authority,
            **proof,
            **options,
        )

    def token(self, assertion: str, scope: str = "", **options: Any) -> str:
        """What the API calls the other one with."""
        credential = self.credential(assertion, **options)
        found: str = self._world.ask(credential.get_token, scope or self._entra.resource_scope).token
        return found


@pytest.fixture
def api(world: World, entra: EntraEmulator) -> Api:
    return Api(world, entra)


def exchanges(entra: EntraEmulator) -> int:
    return len(sent(entra, "jwt-bearer"))


def test_the_other_api_sees_the_user_and_the_web_api(api: Api, entra: EntraEmulator, desk: Desk) -> None:
    """One request, however many requests of the user come in."""
    assertion = api.user_token(desk.ada)

    tokens = {api.token(assertion) for _ in range(3)}

    assert exchanges(entra) == len(tokens) == 1
    answer = requests.get(
        entra.resource_url,
        headers={"Authorization": f"Bearer {tokens.pop()}"},
        verify=entra.ca_file,
        timeout=10,
    ).json()
    assert (answer["username"], answer["appid"]) == (desk.ada.username, entra.app.client_id)


def test_a_certificate(api: Api, entra: EntraEmulator, desk: Desk) -> None:
    entra.app.add_certificate(certificates.leaf_pem())

    assert username(api.token(api.user_token(desk.ada), client_certificate=certificates.usable_pem()))


def test_a_federated_assertion(api: Api, entra: EntraEmulator, desk: Desk) -> None:
    """Such as a managed identity's, by a callback."""
    assert username(api.token(api.user_token(desk.ada), client_assertion_func=entra.federated_token))


def test_two_users_never_meet(api: Api, entra: EntraEmulator, desk: Desk) -> None:
    """Each gets their own, again and again."""
    assertions = {user.username: api.user_token(user) for user in (desk.ada, desk.bob)}

    for _ in range(2):
        for name, assertion in assertions.items():
            assert username(api.token(assertion)) == name
    assert exchanges(entra) == 2


def test_who_has_the_users_token_but_not_the_applications_secret_gets_nothing(
    api: Api, entra: EntraEmulator, desk: Desk
) -> None:
    """Though a token for it is cached."""
    assertion = api.user_token(desk.ada)
    api.token(assertion)

    other = OnBehalfOfCredential(
        entra.tenant.id,
        entra.app.client_id,
        user_assertion=assertion,
        client_secret=planted("wrong-secret"),
        authority=entra.authority,
    )
    with other, pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        other.get_token(entra.resource_scope)


def test_users_that_come_at_the_same_time(entra: EntraEmulator, desk: Desk) -> None:
    """Twenty users, ten requests each, all at once: twenty exchanges, and nobody gets another's token."""
    from worlds import Sync

    world = Sync()
    api = Api(world, entra)
    assertions = {}
    for i in range(20):
        user = entra.add_user(f"user{i}", planted(f"password-{i}"))
        assertions[user.username] = api.user_token(user)
    wanted = list(assertions.items()) * 10

    with ThreadPoolExecutor(40) as pool:
        got = list(pool.map(lambda one: username(api.token(one[1])), wanted))

    assert got == [name for name, _ in wanted]
    assert exchanges(entra) == 20
    world.end()


def test_an_assertion_for_another_api(api: Api, entra: EntraEmulator, desk: Desk) -> None:
    """Is refused, and the message says which it must be for."""
    with pytest.raises(ClientAuthenticationError, match="AADSTS500131") as caught:
        api.token(api.user_token(desk.ada, GRAPH))
    assert "issued for this very application" in str(caught.value)


def test_an_assertion_that_has_expired(api: Api, entra: EntraEmulator, desk: Desk) -> None:
    assertion = api.user_token(desk.ada)
    entra.clock.advance(2 * 3600)

    with pytest.raises(ClientAuthenticationError, match="AADSTS500133") as caught:
        api.token(assertion)
    assert "must send a new one" in str(caught.value)


def test_an_assertion_of_an_application(api: Api, entra: EntraEmulator, world: World) -> None:
    """On-behalf-of is for tokens of users."""
    application = world.make(
        "ClientSecretCredential",
        entra.tenant.id,
        entra.app.client_id,
        planted("client-secret"),
        authority=entra.authority,
    )
    token = world.ask(application.get_token, f"api://{entra.app.client_id}/.default").token

    with pytest.raises(ClientAuthenticationError, match="AADSTS7000114"):
        api.token(token)


def test_a_policy_on_the_other_api(api: Api, entra: EntraEmulator, desk: Desk) -> None:
    """The demand reaches the user's client as claims; with what it gets for them the exchange succeeds."""
    entra.require_mfa("https://graph.microsoft.com")
    assertion = api.user_token(desk.ada)

    with pytest.raises(ClientAuthenticationError, match="AADSTS50076") as caught:
        api.token(assertion, GRAPH)

    error: Any = caught.value
    assert "capolids" in json.loads(error.claims)["access_token"]
    assert "Send the error's claims to the user's client" in str(error)

    browser = desk_browser(entra, desk, error.claims)
    assert "mfa" in claims_of(api.token(browser, GRAPH))["amr"]


def desk_browser(entra: EntraEmulator, desk: Desk, claims: str) -> str:
    """The user's client signs in again with the claims; its new token for the web API."""
    from azure.identity import InteractiveBrowserCredential

    scope = f"api://{entra.app.client_id}/.default"
    with InteractiveBrowserCredential(tenant_id=entra.tenant.id, authority=entra.authority) as client:
        client.authenticate(scopes=[scope], claims=claims)
        return client.get_token(scope).token


def test_the_refresh_token_gets_tokens_for_other_apis(api: Api, world: World, entra: EntraEmulator, desk: Desk) -> None:
    """Of the same credential, without another exchange, and after the assertion has expired."""
    credential = api.credential(api.user_token(desk.ada))
    world.ask(credential.get_token, entra.resource_scope)
    entra.clock.advance(2 * 3600)

    assert username(world.ask(credential.get_token, GRAPH).token) == desk.ada.username
    assert (exchanges(entra), len(sent(entra, "refresh_token"))) == (1, 1)


def test_continuous_access_evaluation_is_kept_apart(api: Api, world: World, entra: EntraEmulator, desk: Desk) -> None:
    """Its token says that its holder handles challenges."""
    credential = api.credential(api.user_token(desk.ada))

    plain = claims_of(world.ask(credential.get_token, entra.resource_scope).token)
    cae = claims_of(world.ask(credential.get_token, entra.resource_scope, enable_cae=True).token)

    assert "xms_cc" not in plain
    assert cae["xms_cc"] == ["CP1"]


def test_another_tenant_must_be_allowed(api: Api, world: World, entra: EntraEmulator, desk: Desk) -> None:
    """Before anything is sent."""
    credential, before = api.credential(api.user_token(desk.ada)), entra.requests.count("token")

    with pytest.raises(ClientAuthenticationError, match="additionally_allowed_tenants"):
        world.ask(credential.get_token, entra.resource_scope, tenant_id="other")
    assert entra.requests.count("token") == before

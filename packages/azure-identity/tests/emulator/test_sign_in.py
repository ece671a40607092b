"""People sign in, end to end: the emulator's pages, the redirect to this machine, codes and tokens over TLS."""

from __future__ import annotations

import json
import pickle
import socket
import warnings
from typing import Any, Callable, NamedTuple
from urllib.parse import parse_qs, urlsplit

import azure.core
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from desk import Desk, Pauses, claims_of, sent, username
from leak_watch import planted
from loopback import eventually
from protected_api import get
from worlds import World

from azure.identity import AuthenticationRecord, AuthenticationRequiredError, CredentialUnavailableError
from entra_emulator import EntraEmulator

GRAPH, VAULT = "https://graph.microsoft.com/.default", "https://vault.azure.net/.default"
HANDLES_CHALLENGES = tuple(int(part) for part in azure.core.__version__.split(".")[:2]) >= (1, 32)
DEVELOPER_CLIENT = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
POWERSHELL = "1950a258-227b-4e31-a9cf-717495945fc2"


class Signing(NamedTuple):
    """A way to sign in, in one of the worlds."""

    world: World
    entra: EntraEmulator
    desk: Desk
    way: str
    pauses: Pauses

    def make(self, **options: Any) -> Any:
        given = {"tenant_id": self.entra.tenant.id, "authority": self.entra.authority, **options}
        if self.way == "browser":
            return self.world.make("InteractiveBrowserCredential", **given)
        return self.world.make("DeviceCodeCredential", **{"prompt_callback": self.desk.enter, **given})

    def token(self, credential: Any, *scopes: str, **request: Any) -> str:
        found: str = self.world.ask(credential.get_token, *(scopes or (self.entra.resource_scope,)), **request).token
        return found

    def authenticate(self, credential: Any, **given: Any) -> AuthenticationRecord:
        record = self.world.ask(credential.authenticate, **{"scopes": [self.entra.resource_scope], **given})
        assert isinstance(record, AuthenticationRecord)
        return record

    @property
    def prompts(self) -> int:
        return len(self.desk.opened)

    def calls(self, token: str) -> Any:
        """What the protected API says to this token."""
        return requests.get(
            self.entra.resource_url,
            headers={"Authorization": f"Bearer {token}"},
            verify=self.entra.ca_file,
            timeout=10,
        )


@pytest.fixture(params=["browser", "device code"])
def signing(
    request: pytest.FixtureRequest, world: World, entra: EntraEmulator, desk: Desk, no_waiting: Pauses
) -> Signing:
    return Signing(world, entra, desk, request.param, no_waiting)


# --- both ways


def test_a_person_signs_in_and_an_api_knows_who_it_is(signing: Signing) -> None:
    """Once: other resources take a renewal, and the next call nothing."""
    credential = signing.make()

    token = signing.token(credential)

    answer = signing.calls(token)
    assert answer.status_code == 200
    assert answer.json()["username"] == signing.desk.ada.username
    assert username(signing.token(credential, GRAPH)) == signing.desk.ada.username
    assert signing.token(credential) == token
    assert signing.prompts == 1
    assert len(sent(signing.entra, "refresh_token")) == 1


def test_a_work_account_of_any_organization(signing: Signing) -> None:
    """Without a tenant."""
    credential = signing.make(tenant_id=None)

    assert claims_of(signing.token(credential))["tid"] == signing.entra.tenant.id
    assert "/organizations/" in signing.entra.requests.last("token").path


def test_a_record_brings_the_same_person_back(signing: Signing) -> None:
    """To the same application at the same authority, which is not Microsoft's: its port is in it."""
    record = signing.authenticate(signing.make(client_id=POWERSHELL))
    again = signing.make(
        authentication_record=AuthenticationRecord.deserialize(record.serialize()), authority=None, tenant_id=None
    )

    assert (record.username, record.tenant_id) == (signing.desk.ada.username, signing.entra.tenant.id)
    assert record.home_account_id == signing.desk.ada.home_account_id
    assert claims_of(signing.token(again))["appid"] == POWERSHELL
    assert signing.prompts == 2


def test_another_person_signs_in(signing: Signing) -> None:
    """All tokens are theirs from then on."""
    credential = signing.make()
    signing.token(credential)
    signing.token(credential, GRAPH)
    signing.desk.user = signing.desk.bob

    record = signing.authenticate(credential)

    assert record.username == signing.desk.bob.username
    assert {username(signing.token(credential, scope)) for scope in (signing.entra.resource_scope, GRAPH)} == {
        signing.desk.bob.username
    }
    assert signing.prompts == 2


def test_a_person_who_declines(signing: Signing) -> None:
    """Is not asked again by this call, and no token comes."""
    signing.desk.how = {"deny": True}

    with pytest.raises(ClientAuthenticationError) as caught:
        signing.token(signing.make())

    assert "access_denied" in str(caught.value) or "authorization_declined" in str(caught.value)
    assert not isinstance(caught.value, CredentialUnavailableError)
    assert signing.prompts == 1


def test_a_revoked_sign_in_is_not_renewed(signing: Signing) -> None:
    """The refusal's reason is in the error; the dead refresh token is sent once."""
    credential = signing.make(disable_automatic_authentication=True)
    signing.authenticate(credential)
    signing.entra.revoke(signing.desk.ada)

    for _ in range(2):
        with pytest.raises(AuthenticationRequiredError) as caught:
            signing.token(credential, GRAPH)

    assert caught.value.scopes == (GRAPH,)
    assert len(sent(signing.entra, "refresh_token")) == 1
    signing.entra.clock.advance(1)
    signing.authenticate(credential)
    assert signing.token(credential, GRAPH)


def test_a_refresh_token_that_has_expired_asks_the_person(signing: Signing, clock: Any) -> None:
    """After 90 days."""
    credential = signing.make()
    signing.token(credential)
    clock.advance(91 * 24 * 3600)

    assert signing.calls(signing.token(credential)).status_code == 200
    assert signing.prompts == 2
    assert sent(signing.entra, "refresh_token")[0]


def test_a_policy_that_wants_another_factor(signing: Signing) -> None:
    """Where the renewal is refused, the person is asked, with what the policy demands."""
    credential = signing.make()
    signing.token(credential, VAULT)
    signing.entra.require_mfa("https://graph.microsoft.com")

    token = signing.token(credential, GRAPH)

    assert "mfa" in claims_of(token)["amr"]
    assert signing.prompts == 2
    assert json.loads(sent(signing.entra, "refresh_token")[0].get("claims") or "{}") == {}


def test_a_policy_tells_the_program_what_it_wants(signing: Signing) -> None:
    """The error's claims, given to `authenticate`, satisfy it."""
    credential = signing.make(disable_automatic_authentication=True)
    signing.authenticate(credential, scopes=[VAULT])
    signing.entra.require_mfa("https://graph.microsoft.com")

    with pytest.raises(AuthenticationRequiredError) as caught:
        signing.token(credential, GRAPH)
    assert "capolids" in (caught.value.claims or "")

    signing.authenticate(credential, scopes=caught.value.scopes, claims=caught.value.claims)
    assert "mfa" in claims_of(signing.token(credential, GRAPH))["amr"]


@pytest.mark.skipif(not HANDLES_CHALLENGES, reason="this azure-core's policies do not handle claims challenges")
def test_continuous_access_evaluation(signing: Signing) -> None:
    """A revoked token is refused by the API with a challenge; azure-core's policy asks for another, and so the person
    signs in again."""
    credential = signing.make()
    [before] = get(signing.world, signing.entra, credential, enable_cae=True)
    signing.entra.clock.advance(2)
    signing.entra.revoke(signing.desk.ada)
    signing.entra.clock.advance(2)
    [after] = get(signing.world, signing.entra, credential, enable_cae=True)

    assert (before.status_code, after.status_code) == (200, 200)
    assert signing.prompts == 2


@pytest.mark.skipif(not HANDLES_CHALLENGES, reason="this azure-core's policies do not handle claims challenges")
def test_an_api_that_demands_claims(signing: Signing) -> None:
    """The renewal brings them, without the person."""
    credential = signing.make()
    signing.token(credential, enable_cae=True)
    signing.entra.require_claims(
        signing.entra.resource_scope.rpartition("/.default")[0],
        {"access_token": {"acrs": {"essential": True, "value": "c1"}}},
    )
    [answer] = get(signing.world, signing.entra, credential, enable_cae=True)

    assert answer.status_code == 200
    assert signing.prompts == 1


def test_a_guest_gets_tokens_of_the_host_tenant(signing: Signing) -> None:
    """From one sign-in at home."""
    fabrikam = signing.entra.add_tenant("fabrikam.example")
    guest = signing.entra.add_user("guest", planted("password-of-guest"), guest_of=fabrikam)
    signing.desk.user = guest
    credential = signing.make(additionally_allowed_tenants=[fabrikam.id])

    tenants = [claims_of(signing.token(credential, tenant_id=tenant))["tid"] for tenant in (None, fabrikam.id, None)]

    assert tenants == [signing.entra.tenant.id, fabrikam.id, signing.entra.tenant.id]
    assert signing.prompts == 1


def test_an_application_of_ones_own(signing: Signing) -> None:
    """A public client with the redirect URI for desktop applications."""
    app = signing.entra.add_app("desktop", public=True, redirect_uris=["http://localhost"], admin_consent=True)
    scope = signing.entra.resource_scope
    signing.entra.grant_consent(app, scope.rpartition("/.default")[0])

    assert claims_of(signing.token(signing.make(client_id=app.client_id)))["appid"] == app.client_id


def test_a_credential_that_was_pickled_asks_again(signing: Signing) -> None:
    """As the same account; no token is in it."""
    credential = signing.make(prompt_callback=_nobody) if signing.way == "device code" else signing.make()
    if signing.way == "device code":
        credential._prompt_callback = signing.desk.enter
    token = signing.token(credential)
    credential._prompt_callback = _nobody
    data = pickle.dumps(credential)

    again = pickle.loads(data)
    again._prompt_callback = signing.desk.enter
    assert token.encode() not in data
    assert again._record == credential._record
    again._automatic = False
    with pytest.raises(AuthenticationRequiredError):
        signing.world.ask(again.get_token, VAULT)


def _nobody(*_: Any) -> None:
    """A callback that can be pickled."""


# --- the browser


@pytest.fixture
def browser(world: World, entra: EntraEmulator, desk: Desk) -> Callable[..., Any]:
    def make(**options: Any) -> Any:
        given = {"tenant_id": entra.tenant.id, "authority": entra.authority, **options}
        return world.make("InteractiveBrowserCredential", **given)

    return make


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_the_browser_shows_how_it_ended(
    world: World, entra: EntraEmulator, desk: Desk, browser: Callable[..., Any]
) -> None:
    """On the page the program answers with: a success, and a failure with its reason."""
    credential = browser()
    world.ask(credential.get_token, entra.resource_scope)
    assert (desk.page.status, "You are signed in" in desk.page.text) == (200, True)

    desk.how = {"deny": True}
    with pytest.raises(ClientAuthenticationError, match="AADSTS65004"):
        world.ask(credential.authenticate, scopes=[entra.resource_scope])
    assert desk.page.status == 400
    assert "Sign-in failed" in desk.page.text
    assert "AADSTS65004" in desk.page.text


def test_a_code_that_cannot_be_redeemed_is_shown_as_a_failure(
    world: World, entra: EntraEmulator, desk: Desk, browser: Callable[..., Any]
) -> None:
    """Though the person did their part."""
    entra.faults.add("token", times=1, status=400, body={"error": "invalid_grant", "error_description": "AADSTS70008"})

    with pytest.raises(ClientAuthenticationError, match="AADSTS70008"):
        world.ask(browser().get_token, entra.resource_scope)
    assert (desk.page.status, "AADSTS70008" in desk.page.text) == (400, True)


@pytest.mark.parametrize("path", ["", "/", "/auth/callback"])
def test_a_redirect_uri_with_port_and_path(
    world: World, entra: EntraEmulator, desk: Desk, browser: Callable[..., Any], path: str
) -> None:
    """Exactly as registered, but for the port (RFC 8252, section 7.3)."""
    app = entra.add_app("desktop", public=True, redirect_uris=[f"http://localhost{path}"], admin_consent=True)
    entra.grant_consent(app, entra.resource_scope.rpartition("/.default")[0])
    uri = f"http://localhost:{free_port()}{path}"

    world.ask(browser(client_id=app.client_id, redirect_uri=uri).get_token, entra.resource_scope)

    assert sent(entra, "authorization_code")[0]["redirect_uri"] == uri
    assert desk.page.url == uri


def test_a_redirect_uri_that_is_not_registered(
    world: World, entra: EntraEmulator, desk: Desk, browser: Callable[..., Any]
) -> None:
    """The sign-in ends on a page of the authority; the program stops waiting in time."""
    app = entra.add_app("desktop", public=True, redirect_uris=["http://localhost/other"])

    with pytest.raises(ClientAuthenticationError, match=r"Timed out after waiting 0\.3 seconds"):
        world.ask(browser(client_id=app.client_id, timeout=0.3).get_token, entra.resource_scope)
    desk.wait()
    assert "AADSTS50011" in str(desk.failures)


def test_pkce_is_enforced_and_satisfied(
    world: World, entra: EntraEmulator, desk: Desk, browser: Callable[..., Any]
) -> None:
    """The challenge went with the browser, the verifier with the code."""
    world.ask(browser().get_token, entra.resource_scope)

    asked = {name: values[0] for name, values in parse_qs(urlsplit(desk.opened[0]).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert sent(entra, "authorization_code")[0]["code_verifier"] not in desk.opened[0]


def test_a_login_hint_reaches_the_page(
    world: World, entra: EntraEmulator, desk: Desk, browser: Callable[..., Any]
) -> None:
    world.ask(browser(login_hint=desk.bob.username).get_token, entra.resource_scope)

    assert parse_qs(urlsplit(desk.opened[0]).query)["login_hint"] == [desk.bob.username]


def test_sign_ins_leave_nothing_behind(
    world: World, entra: EntraEmulator, desk: Desk, browser: Callable[..., Any]
) -> None:
    """No thread that listens."""
    import threading

    credential = browser()
    for _ in range(5):
        world.ask(credential.authenticate, scopes=[entra.resource_scope])
    desk.wait()

    assert eventually(lambda: not [t for t in threading.enumerate() if t.name == "azure-identity-redirect"])


def test_the_default_chain_signs_a_person_in(
    world: World, entra: EntraEmulator, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the environment names that member."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "InteractiveBrowserCredential")
    monkeypatch.setenv("AZURE_TENANT_ID", entra.tenant.id)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", entra.authority)

    token = world.ask(world.make("DefaultAzureCredential").get_token, entra.resource_scope).token

    assert username(token) == desk.ada.username


# --- the device code


def test_the_device_code_is_asked_for_at_the_pace_that_is_told(
    world: World, entra: EntraEmulator, desk: Desk, no_waiting: Pauses
) -> None:
    """The emulator would say `slow_down` otherwise."""
    pending: list[str] = []
    credential = world.make(
        "DeviceCodeCredential",
        authority=entra.authority,
        tenant_id=entra.tenant.id,
        prompt_callback=lambda uri, code, until: pending.append(code),
    )
    entra.settings.device_code_interval = 3
    no_waiting.then[3] = lambda: entra.enter_device_code(pending[0], desk.ada)

    world.ask(credential.get_token, entra.resource_scope)

    assert no_waiting == [3, 3, 3]
    assert [one.status for one in entra.requests.to("token")] == [400, 400, 200]


def test_a_device_code_that_is_asked_for_too_often(
    world: World, entra: EntraEmulator, desk: Desk, no_waiting: Pauses
) -> None:
    """`slow_down`: from then on the pauses are 5 seconds longer (RFC 8628, section 3.5)."""
    pending: list[str] = []
    credential = world.make(
        "DeviceCodeCredential",
        authority=entra.authority,
        tenant_id=entra.tenant.id,
        prompt_callback=lambda uri, code, until: pending.append(code),
    )
    # The emulator's clock goes slower than the credential's: what it says takes 5 seconds was 4.
    no_waiting.then[2] = lambda: entra.clock.advance(-1)
    no_waiting.then[3] = lambda: entra.enter_device_code(pending[0], desk.ada)

    world.ask(credential.get_token, entra.resource_scope)

    assert no_waiting == [5, 5, 10]
    assert [one.status for one in entra.requests.to("token")] == [400, 400, 200]


@pytest.mark.parametrize(("timeout", "text"), [(None, "within 30 seconds"), (7, "within 7 seconds")])
def test_a_device_code_that_nobody_enters(
    world: World, entra: EntraEmulator, no_waiting: Pauses, timeout: Any, text: str
) -> None:
    """The wait ends with the code, or before."""
    entra.settings.device_code_lifetime = 30
    credential = world.make(
        "DeviceCodeCredential",
        authority=entra.authority,
        tenant_id=entra.tenant.id,
        prompt_callback=_nobody,
        timeout=timeout,
    )

    with pytest.raises(ClientAuthenticationError, match=text):
        world.ask(credential.get_token, entra.resource_scope)


# --- families


def test_a_family_of_clients(world: World, entra: EntraEmulator, desk: Desk, browser: Callable[..., Any]) -> None:
    """A member's refresh token serves another member; a stranger is refused once, and asks for itself."""
    member = browser(client_id=DEVELOPER_CLIENT)
    record = world.ask(member.authenticate, scopes=[VAULT])
    [family_token] = member._refresh_tokens.candidates(member._authority.cloud, record.home_account_id, POWERSHELL)
    assert family_token.family_id == "1"

    other = browser(client_id=POWERSHELL)
    app = entra.add_app("desktop", public=True, redirect_uris=["http://localhost"], admin_consent=True)
    entra.grant_consent(app, entra.resource_scope.rpartition("/.default")[0])
    stranger = browser(client_id=app.client_id)
    for credential in (other, stranger):
        credential._record = record
        credential._refresh_tokens.put(member._authority.cloud, record.home_account_id, family_token)

    assert claims_of(world.ask(other.get_token, GRAPH).token)["appid"] == POWERSHELL
    assert len(desk.opened) == 1
    for scope in (entra.resource_scope, entra.resource_scope):
        world.ask(stranger.get_token, scope)
    world.ask(stranger.authenticate, scopes=[entra.resource_scope])
    refused = [one for one in entra.requests.to("token") if one.status == 400]
    assert len(refused) == 1
    assert len(desk.opened) == 3


# --- the authorization code


def authorization_code(entra: EntraEmulator, desk: Desk, redirect_uri: str) -> str:
    """A web application's sign-in, up to the code."""
    query = (
        f"client_id={entra.app.client_id}&response_type=code&response_mode=query&scope=openid&state=s"
        f"&redirect_uri={redirect_uri}"
    )
    url = f"{entra.authority}/{entra.tenant.id}/oauth2/v2.0/authorize?{query}"
    code: str = entra.sign_in(url, desk.ada, deliver=False).fields["code"]
    return code


def test_a_web_application_redeems_its_code(world: World, entra: EntraEmulator, desk: Desk) -> None:
    """Once; other APIs take the refresh token. A second credential with the code is refused."""
    redirect = "http://localhost:8400"
    code = authorization_code(entra, desk, redirect)
    arguments = (entra.tenant.id, entra.app.client_id, code, redirect)
    options = {"client_secret": planted("client-secret"), "authority": entra.authority}
    credential = world.make("AuthorizationCodeCredential", *arguments, **options)

    tokens = [world.ask(credential.get_token, scope).token for scope in (entra.resource_scope, GRAPH)]

    assert {username(token) for token in tokens} == {desk.ada.username}
    assert (len(sent(entra, "authorization_code")), len(sent(entra, "refresh_token"))) == (1, 1)
    again = world.make("AuthorizationCodeCredential", *arguments, **options)
    with pytest.raises(ClientAuthenticationError, match="AADSTS54005"):
        world.ask(again.get_token, GRAPH)


def test_many_callers_redeem_a_code_once(entra: EntraEmulator, desk: Desk) -> None:
    """For different APIs at the same time: the others wait and use the refresh token."""
    from concurrent.futures import ThreadPoolExecutor

    from azure.identity import AuthorizationCodeCredential

    redirect = "http://localhost:8400"
    code = authorization_code(entra, desk, redirect)
    scopes = [entra.resource_scope, GRAPH, VAULT] * 5
    with (
        AuthorizationCodeCredential(
            entra.tenant.id,
            entra.app.client_id,
            code,
            redirect,
            client_secret=planted("client-secret"),
            authority=entra.authority,
        ) as credential,
        ThreadPoolExecutor(len(scopes)) as pool,
    ):
        tokens = list(pool.map(lambda scope: credential.get_token(scope).token, scopes))

    assert len(tokens) == 15
    assert len(sent(entra, "authorization_code")) == 1
    assert len(sent(entra, "refresh_token")) == 2


# --- user name and password


def password(world: World, entra: EntraEmulator, user: Any, given: str = "", **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return world.make(
            "UsernamePasswordCredential",
            DEVELOPER_CLIENT,
            user.username,
            given or user.password,
            **{"tenant_id": entra.tenant.id, "authority": entra.authority, **options},
        )


def test_a_user_name_and_a_password(world: World, entra: EntraEmulator, desk: Desk) -> None:
    """The password is sent once."""
    credential = password(world, entra, desk.ada)

    tokens = [world.ask(credential.get_token, scope).token for scope in (entra.resource_scope, GRAPH)]

    assert {username(token) for token in tokens} == {desk.ada.username}
    assert len(sent(entra, "password")) == 1


def test_a_wrong_password(world: World, entra: EntraEmulator, desk: Desk) -> None:
    credential = password(world, entra, desk.ada, planted("wrong"))

    with pytest.raises(ClientAuthenticationError, match="AADSTS50126"):
        world.ask(credential.get_token, GRAPH)


@pytest.mark.parametrize(
    ("kind", "text"),
    [({"federated": True}, "federated with another identity provider"), ({"mfa": True}, "needs another factor")],
    ids=["federated", "multifactor"],
)
def test_accounts_that_cannot_sign_in_this_way(world: World, entra: EntraEmulator, kind: Any, text: str) -> None:
    """The message says what else to use."""
    user = entra.add_user("eve", planted("password-of-eve"), **kind)

    with pytest.raises(ClientAuthenticationError, match=text):
        world.ask(password(world, entra, user).get_token, GRAPH)


def test_the_environment_names_a_user(
    world: World, entra: EntraEmulator, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the last choice, deprecated."""
    for name, value in {
        "AZURE_CLIENT_ID": DEVELOPER_CLIENT,
        "AZURE_TENANT_ID": entra.tenant.id,
        "AZURE_AUTHORITY_HOST": entra.authority,
        "AZURE_USERNAME": desk.ada.username,
        "AZURE_PASSWORD": desk.ada.password,
    }.items():
        monkeypatch.setenv(name, value)

    with pytest.warns(DeprecationWarning, match="user name and password"):
        credential = world.make("EnvironmentCredential")
    assert username(world.ask(credential.get_token, GRAPH).token) == desk.ada.username

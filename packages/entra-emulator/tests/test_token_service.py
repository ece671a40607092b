"""The token service without HTTP."""

from __future__ import annotations

import random
from typing import Any, Dict, Optional

import jwt
import pytest

from entra_emulator.directory.directory import App, Directory, Resource, Secret, Tenant
from entra_emulator.keys.key_store import KeyStore
from entra_emulator.keys.signing import new_signing_key, parse_signing_key
from entra_emulator.tokens.access_tokens import TokenIssuer
from entra_emulator.tokens.client_authentication import ClientAuthenticator
from entra_emulator.tokens.federation import Federation
from entra_emulator.tokens.token_request import TokenRequest
from entra_emulator.tokens.token_service import TokenService
from entra_emulator.values.addresses import Addresses
from entra_emulator.values.clock import Clock
from entra_emulator.values.errors import EntraError
from entra_emulator.values.settings import Settings

NOW = 1_800_000_000
TENANT = Tenant("aaaaaaaa-0000-4000-8000-000000000001", ("contoso.example",), "Contoso")
OTHER = Tenant("aaaaaaaa-0000-4000-8000-000000000002", ("fabrikam.example",))
APP = App(
    "bbbbbbbb-0000-4000-8000-000000000001",
    TENANT.id,
    secrets=(Secret("old", NOW - 1), Secret("new"), Secret("ends", NOW + 10)),
    roles={"cccccccc-0000-4000-8000-000000000001": ("Orders.Read", "Orders.Write")},
)
ORDERS = Resource("cccccccc-0000-4000-8000-000000000001", ("api://orders",))
ORDERS_V2 = Resource("cccccccc-0000-4000-8000-000000000002", ("api://orders2",), token_version=2)
GOOD = {
    "grant_type": "client_credentials",
    "client_id": APP.client_id,
    "client_secret": "new",
    "scope": "api://orders/.default",
}


class Desk:
    """A token service with its parts in reach."""

    def __init__(self, key_store: KeyStore, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.clock = Clock()
        self.clock.freeze(NOW)
        self.directory = Directory()
        self.directory.clear()
        self.directory.add_tenant(TENANT)
        self.directory.add_tenant(OTHER)
        self.directory.put_app(APP)
        self.directory.add_resource(ORDERS)
        self.directory.add_resource(ORDERS_V2)
        key = key_store.load_or_create("unit.pem", parse_signing_key, lambda: new_signing_key("unit"))
        self.addresses = Addresses(frozenset({"localhost"}), frozenset({443}))
        federation = Federation(key, self.clock, lambda: self.addresses, lambda: None)  # type: ignore[arg-type,return-value]
        authenticator = ClientAuthenticator(self.clock, self.settings, federation, lambda: self.addresses)
        issuer = TokenIssuer(key, self.clock, self.settings, random.Random(1))
        self.service = TokenService(self.directory, authenticator, issuer, self.settings)

    async def ask(
        self,
        *,
        tenant: str = TENANT.id,
        version: int = 2,
        basic: Any = None,
        region: Optional[str] = None,
        **changes: Any,
    ) -> Dict[str, Any]:
        form = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
        return await self.service.answer(TokenRequest(tenant, version, form, basic=basic, region=region))

    async def refusal(self, **changes: Any) -> EntraError:
        with pytest.raises(EntraError) as refusal:
            await self.ask(**changes)
        return refusal.value


@pytest.fixture
def key_store(key_dir: Any) -> KeyStore:
    return KeyStore(key_dir)


@pytest.fixture
def desk(key_store: KeyStore) -> Desk:
    return Desk(key_store)


def claims(answer: Dict[str, Any]) -> Dict[str, Any]:
    return jwt.decode(answer["access_token"], options={"verify_signature": False})


async def test_v2_answer(desk: Desk):
    """A v2 answer has numbers, and nothing about users."""
    answer = await desk.ask(client_info="1")

    assert {**answer, "access_token": "..."} == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "ext_expires_in": 3600,
        "access_token": "...",
    }


async def test_v1_answer(desk: Desk):
    """A v1 answer has decimal strings, and names the resource."""
    answer = await desk.ask(version=1, scope=None, resource="api://orders")

    assert {**answer, "access_token": "..."} == {
        "token_type": "Bearer",
        "expires_in": "3600",
        "ext_expires_in": "3600",
        "expires_on": str(NOW + 3600),
        "not_before": str(NOW - 5),
        "resource": "api://orders",
        "access_token": "...",
    }


async def test_v1_token(desk: Desk):
    """A v1 token has the claims of Entra's."""
    found = claims(await desk.ask())

    assert len(found.pop("uti")) == 22
    assert found.pop("aio")
    assert found.pop("rh")
    object_id = APP.object_id(TENANT)
    assert found == {
        "aud": "api://orders",
        "iss": f"https://sts.windows.net/{TENANT.id}/",
        "idp": f"https://sts.windows.net/{TENANT.id}/",
        "iat": NOW - 5,
        "nbf": NOW - 5,
        "exp": NOW + 3600,
        "appid": APP.client_id,
        "appidacr": "1",
        "idtyp": "app",
        "oid": object_id,
        "sub": object_id,
        "tid": TENANT.id,
        "roles": ["Orders.Read", "Orders.Write"],
        "ver": "1.0",
    }


async def test_v2_token(desk: Desk):
    """An API that accepts v2 tokens gets its app id as audience and the v2 issuer."""
    found = claims(await desk.ask(scope="api://orders2/.default"))

    assert found["aud"] == ORDERS_V2.app_id
    assert found["iss"] == f"https://login.microsoftonline.com/{TENANT.id}/v2.0"
    assert (found["azp"], found["azpacr"], found["ver"]) == (APP.client_id, "1", "2.0")
    assert "appid" not in found
    assert "roles" not in found


async def test_token_headers(desk: Desk):
    """A v1 token names its key twice, a v2 token once."""
    first = jwt.get_unverified_header((await desk.ask())["access_token"])
    second = jwt.get_unverified_header((await desk.ask(scope="api://orders2/.default"))["access_token"])

    assert (first["alg"], first["typ"], first["x5t"]) == ("RS256", "JWT", first["kid"])
    assert "x5t" not in second


async def test_tokens_of_one_second_differ(desk: Desk):
    """Two tokens are never the same text."""
    assert (await desk.ask())["access_token"] != (await desk.ask())["access_token"]


@pytest.mark.parametrize(
    ("scope", "audience"),
    [
        ("https://management.core.windows.net//.default", "https://management.core.windows.net/"),
        ("https://storage.azure.com/.default", "https://storage.azure.com"),
        ("https://account.blob.core.windows.net/.default", "https://account.blob.core.windows.net"),
    ],
)
async def test_audience_is_what_was_asked(desk: Desk, scope: str, audience: str):
    """The resource is repeated as the client wrote it, with its slash."""
    assert claims(await desk.ask(scope=scope))["aud"] == audience


async def test_tenant_by_domain(desk: Desk):
    """The tenant may be named by its domain in any case; the token has its id."""
    assert claims(await desk.ask(tenant="CONTOSO.example"))["tid"] == TENANT.id


async def test_client_id_in_any_case(desk: Desk):
    """Client ids compare without case; the token has the registered spelling."""
    assert claims(await desk.ask(client_id=APP.client_id.upper()))["appid"] == APP.client_id


async def test_basic_authorization(desk: Desk):
    """A secret may come in an Authorization header instead."""
    answer = await desk.ask(basic=(APP.client_id, "new"), client_id=None, client_secret=None)

    assert claims(answer)["appidacr"] == "1"


@pytest.mark.parametrize(
    ("changes", "code", "status"),
    [
        ({"grant_type": None}, 900144, 400),
        ({"grant_type": ""}, 900144, 400),
        ({"grant_type": "magic"}, 70003, 400),
        ({"client_id": None}, 900144, 400),
        ({"tenant": "nowhere.example"}, 90002, 400),
        ({"tenant": "common"}, 50059, 400),
        ({"tenant": "Organizations"}, 50059, 400),
        ({"tenant": "consumers"}, 50059, 400),
        ({"client_id": "dddddddd-0000-4000-8000-000000000001"}, 700016, 400),
        ({"tenant": OTHER.id}, 700016, 400),
        ({"client_secret": None}, 7000218, 401),
        ({"client_secret": ""}, 7000218, 401),
        ({"client_secret": "wrong"}, 7000215, 401),
        ({"client_secret": "né"}, 7000215, 401),
        ({"client_secret": "old"}, 7000222, 401),
        ({"scope": None}, 90014, 400),
        ({"scope": " "}, 90014, 400),
        ({"scope": "User.Read"}, 1002012, 400),
        ({"scope": "api://orders/.default api://orders2/.default"}, 28000, 400),
        ({"scope": "api://unknown/.default"}, 500011, 400),
        ({"resource": "api://orders"}, 901002, 400),
        ({"version": 1, "scope": None}, 90014, 400),
        ({"claims": "{"}, 9000410, 400),
        ({"claims": "[]"}, 9000410, 400),
        ({"client_assertion": "x.y.z"}, 9002313, 400),
        ({"basic": ("someone-else", "new")}, 9002313, 400),
        ({"basic": (APP.client_id, "new")}, 9002313, 400),
        ({"region": "westus2"}, 100007, 401),
    ],
)
async def test_refusals(desk: Desk, changes: Dict[str, Any], code: int, status: int):
    """Each mistake has its code and status, and the secret is never repeated."""
    error = await desk.refusal(**changes)

    assert (error.code, error.status) == (code, status)
    assert changes.get("client_secret") not in error.text.split()


async def test_secret_ends(desk: Desk):
    """A secret stops working at its end."""
    before = await desk.ask(client_secret="ends")
    desk.clock.advance(10)

    assert before["access_token"]
    assert (await desk.refusal(client_secret="ends")).code == 7000222


async def test_authentication_comes_before_the_resource(desk: Desk):
    """Who has not authenticated learns nothing about resources."""
    assert (await desk.refusal(client_secret="wrong", scope="api://unknown/.default")).code == 7000215


@pytest.mark.parametrize(
    "claims_text",
    [
        '{"access_token": {"xms_cc": {"values": ["CP1"]}}}',
        '{"access_token":{"nbf":{"essential":true,"value":"1"},"xms_cc":{"values":["other","cp1"]}}}',
    ],
)
async def test_capable_clients_get_long_tokens(desk: Desk, claims_text: str):
    """A client that can handle claims challenges gets a token that says so, and lives long."""
    answer = await desk.ask(claims=claims_text)

    assert claims(answer)["xms_cc"] == ["CP1"]
    assert (answer["expires_in"], answer["refresh_in"]) == (86400, 43200)


@pytest.mark.parametrize(
    "claims_text",
    [
        '{"access_token": {"nbf": {"essential": true}}}',
        '{"access_token": {"xms_cc": {"values": ["other"]}}}',
        '{"access_token": {"xms_cc": {"values": 1}}}',
        '{"access_token": null}',
        "{}",
    ],
)
async def test_other_claims_change_nothing(desk: Desk, claims_text: str):
    """A claims challenge without the capability is accepted, for an ordinary token."""
    answer = await desk.ask(claims=claims_text)

    assert "xms_cc" not in claims(answer)
    assert answer["expires_in"] == 3600


async def test_refresh_hint_from_two_hours_on(desk: Desk):
    """`refresh_in` is half the lifetime, for tokens that live two hours or more."""
    desk.settings.token_lifetime = 7200
    long = await desk.ask()
    desk.settings.token_lifetime = 7199
    short = await desk.ask()

    assert long["refresh_in"] == 3600
    assert "refresh_in" not in short


async def test_lifetime_of_one_app(desk: Desk, key_store: KeyStore):
    """An app's own lifetime wins over the emulator's."""
    desk.directory.put_app(App(APP.client_id, TENANT.id, secrets=APP.secrets, token_lifetime=60))

    assert (await desk.ask())["expires_in"] == 60


async def test_random_lifetimes_are_repeatable(key_store: KeyStore):
    """A range of lifetimes is obeyed, and the same seed gives the same ones."""

    async def lifetimes() -> list[int]:
        desk = Desk(key_store, token_lifetime=(3600, 5400))
        return [(await desk.ask())["expires_in"] for _ in range(5)]

    first = await lifetimes()

    assert first == await lifetimes()
    assert len(set(first)) > 1
    assert all(3600 <= one <= 5400 for one in first)


async def test_issuers_can_be_configured(key_store: KeyStore):
    """Tokens name the configured issuers."""
    desk = Desk(key_store, issuer_v1="https://one", issuer_v2="https://two")

    assert claims(await desk.ask())["iss"] == f"https://one/{TENANT.id}/"
    assert claims(await desk.ask(scope="api://orders2/.default"))["iss"] == f"https://two/{TENANT.id}/v2.0"


async def test_permissive_accepts_the_unknown(key_store: KeyStore):
    """Unknown tenants, apps, secrets and resources are fine when not strict."""
    desk = Desk(key_store, strict=False)

    found = claims(
        await desk.ask(tenant="nowhere.example", client_id="any", client_secret="any", scope="api://any/.default")
    )
    wrong_secret = await desk.ask(client_secret="wrong")

    assert (found["appid"], found["aud"]) == ("any", "api://any")
    assert claims(wrong_secret)["appid"] == APP.client_id


async def test_permissive_still_wants_a_credential(key_store: KeyStore):
    """Being permissive does not make the protocol another one."""
    desk = Desk(key_store, strict=False)

    assert (await desk.refusal(client_secret=None)).code == 7000218
    assert (await desk.refusal(scope="User.Read")).code == 1002012


async def test_azurite_accepts_storage_tokens(desk: Desk):
    """What Azurite checks: v1 issuer, one audience, times in the past."""
    found = claims(await desk.ask(scope="https://storage.azure.com/.default"))

    assert found["iss"].startswith("https://sts.windows.net/")
    assert found["aud"] == "https://storage.azure.com"
    assert found["nbf"] < NOW and found["iat"] < NOW < found["exp"]


def test_a_request_keeps_its_form_to_itself():
    """The form and the header of a request do not show."""
    shown = repr(TokenRequest("t", 2, {"client_secret": "hush"}, basic=("id", "hush")))

    assert "hush" not in shown

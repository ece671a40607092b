"""ManagedIdentityCredential: which host it finds, what it asks there, and what it makes of the answers."""

from __future__ import annotations

import logging
import pickle
from typing import Any, Mapping, Optional
from urllib.parse import parse_qsl, urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from leak_watch import planted
from scripted import NOW, ScriptedIO, reply

from azure.identity import CredentialUnavailableError
from azure.identity._credentials import managed_identity
from azure.identity._credentials.managed_identity import detect
from azure.identity._hosts.azure_ml import AzureMLCredential
from azure.identity._hosts.imds import ImdsCredential
from azure.identity._protocols import arc, imds
from azure.identity._values.messages import IN_CHAIN, Response, Unreachable

IMDS = "http://169.254.169.254"
GUID = "0f8b1c4e-7a2d-4e1b-9c3f-5d6e7f8a9b0c"
SCOPE = "https://management.azure.com/.default"
KEYS = "/var/opt/azcmagent/tokens"

APP_SERVICE = {"IDENTITY_ENDPOINT": "http://h/t", "IDENTITY_HEADER": planted("header")}
SERVICE_FABRIC = {
    "IDENTITY_ENDPOINT": "https://h/t",
    "IDENTITY_HEADER": planted("header"),
    "IDENTITY_SERVER_THUMBPRINT": "AA:BB:" * 9 + "AA:BB",
}
AZURE_ARC = {"IDENTITY_ENDPOINT": "http://h/t", "IMDS_ENDPOINT": "http://h"}
AZURE_ML = {"MSI_ENDPOINT": "http://h/t", "MSI_SECRET": planted("header")}
CLOUD_SHELL = {"MSI_ENDPOINT": "http://h/t"}
WORKLOAD = {
    "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
    "AZURE_TENANT_ID": "tenant",
    "AZURE_FEDERATED_TOKEN_FILE": "/token",
}
EVERYWHERE = {
    "imds": {},
    "app-service": APP_SERVICE,
    "service-fabric": SERVICE_FABRIC,
    "azure-arc": AZURE_ARC,
    "azure-ml": AZURE_ML,
    "cloud-shell": CLOUD_SHELL,
}


@pytest.fixture(params=FACES, ids=[face.name for face in FACES])
def face(request: pytest.FixtureRequest) -> Face:
    made: Face = request.param
    return made


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """IMDS has its real address here, since nothing is really sent; and the process has found out nothing yet."""
    monkeypatch.setattr(imds, "ADDRESS", IMDS)
    managed_identity._forget()


@pytest.fixture(params=EVERYWHERE.values(), ids=EVERYWHERE)
def anywhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """On every kind of host in turn; its kind."""
    setenv(monkeypatch, request.param)
    return next(kind for kind, variables in EVERYWHERE.items() if variables is request.param)


def setenv(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def found(token: str = planted("token"), **members: Any) -> Response:
    """A host's success answer."""
    body = {
        "access_token": token,
        "expires_in": "86399",
        "expires_on": str(NOW + 86399),
        "resource": "https://management.azure.com",
        "token_type": "Bearer",
    }
    return reply(200, {**body, **members})


def page(status: int = 200) -> Response:
    return Response(status, {"content-type": "text/html"}, b"<html>Welcome to the airport</html>")


def query(io: ScriptedIO, index: int = -1) -> dict[str, str]:
    text = urlsplit(io.requests[index].url).query
    return dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True)) if text else {}


# --- which host


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({}, "imds"),
        ({"IDENTITY_HEADER": "x", "IMDS_ENDPOINT": "http://h", "MSI_SECRET": "x"}, "imds"),
        ({"IDENTITY_SERVER_THUMBPRINT": "aa"}, "imds"),
        (APP_SERVICE, "app service"),
        ({**APP_SERVICE, "IMDS_ENDPOINT": "http://h"}, "app service"),
        ({**APP_SERVICE, **AZURE_ML}, "app service"),
        ({**APP_SERVICE, **WORKLOAD}, "app service"),
        ({**APP_SERVICE, "IDENTITY_SERVER_THUMBPRINT": ""}, "app service"),
        (SERVICE_FABRIC, "service fabric"),
        (AZURE_ARC, "azure arc"),
        ({**AZURE_ARC, **AZURE_ML}, "azure arc"),
        ({**AZURE_ARC, "IDENTITY_SERVER_THUMBPRINT": "aa"}, "azure arc"),
        ({"IDENTITY_ENDPOINT": "http://h/t"}, "nowhere"),
        ({"IDENTITY_ENDPOINT": "http://h/t", **AZURE_ML}, "nowhere"),
        (AZURE_ML, "azure ml"),
        ({**AZURE_ML, **WORKLOAD}, "azure ml"),
        (CLOUD_SHELL, "cloud shell"),
        ({**CLOUD_SHELL, "MSI_SECRET": ""}, "cloud shell"),
        ({**CLOUD_SHELL, "MSI_SECRET": "  "}, "cloud shell"),
        (WORKLOAD, "workload identity"),
        ({**WORKLOAD, "AZURE_AUTHORITY_HOST": ""}, "imds"),
        ({**WORKLOAD, "AZURE_TENANT_ID": ""}, "imds"),
        ({**WORKLOAD, "AZURE_FEDERATED_TOKEN_FILE": ""}, "imds"),
    ],
)
def test_the_environment_tells_the_host(variables: Mapping[str, str], host: str) -> None:
    """One order for both faces; blank variables count as unset."""
    assert host == detect(variables)


def test_the_host_is_chosen_once(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment becomes after the constructor does not matter."""
    setenv(monkeypatch, APP_SERVICE)
    credential = face.make("ManagedIdentityCredential")
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    monkeypatch.setenv("IDENTITY_HEADER", "another")
    io = ScriptedIO(found())

    face.ask(credential, io, SCOPE)

    assert io.requests[0].url.startswith("http://h/t?")
    assert io.requests[0].headers["X-IDENTITY-HEADER"] == planted("header")


def test_an_endpoint_without_a_host(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """The constructor succeeds; every request could not even try, with or without scopes."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://h/t")
    credential = face.make("ManagedIdentityCredential")

    for scopes in ((SCOPE,), ()):
        with pytest.raises(CredentialUnavailableError) as caught:
            face.ask(credential, ScriptedIO(), *scopes)

        assert "no managed identity endpoint found" in caught.value.message
        assert "https://aka.ms/azsdk/python/identity/managedidentitycredential/troubleshoot" in caught.value.message


@pytest.mark.parametrize(
    ("variables", "arguments", "text"),
    [
        ({}, {}, "IMDS"),
        ({}, {"client_id": "c"}, "IMDS with client_id: c"),
        ({}, {"identity_config": {"mi_res_id": "/r"}}, "IMDS with resource_id: /r"),
        ({}, {"identity_config": {"foo": "bar"}}, "IMDS with foo: bar"),
        (APP_SERVICE, {"object_id": "o"}, "App Service managed identity with object_id: o"),
        (SERVICE_FABRIC, {}, "Service Fabric managed identity"),
        (AZURE_ARC, {}, "Azure Arc managed identity"),
        (AZURE_ML, {}, "Azure ML managed identity"),
        (CLOUD_SHELL, {}, "Cloud Shell managed identity"),
    ],
)
def test_the_log_says_what_will_be_used(
    face: Face,
    variables: Mapping[str, str],
    arguments: Mapping[str, Any],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One record on construction."""
    setenv(monkeypatch, variables)
    with caplog.at_level(logging.INFO, "azure.identity"):
        face.make("ManagedIdentityCredential", **arguments)

    records = [record for record in caplog.records if record.name.endswith("_credentials.managed_identity")]
    assert [f"ManagedIdentityCredential will use {text}"] == [record.getMessage() for record in records]


def test_names_programs_have_come_to_use(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """`_credential` is what does the work."""
    assert isinstance(face.make("ManagedIdentityCredential")._credential, ImdsCredential)
    setenv(monkeypatch, AZURE_ML)
    assert isinstance(face.make("ManagedIdentityCredential")._credential, AzureMLCredential)


# --- arguments


@pytest.mark.parametrize(
    "arguments",
    [
        {"client_id": "a", "identity_config": {"object_id": "b"}},
        {"identity_config": {"object_id": "a", "resource_id": "b"}},
        {"object_id": "a", "resource_id": "b"},
    ],
)
def test_contradictions_are_refused_at_once(face: Face, anywhere: str, arguments: Mapping[str, Any]) -> None:
    """On every host, before any request."""
    with pytest.raises(ValueError, match="exactly one of"):
        face.make("ManagedIdentityCredential", **arguments)


def test_misspelt_keywords_are_refused(face: Face) -> None:
    """A near miss would quietly mean the system-assigned identity."""
    for name in ("clientid", "objectid", "resourceid", "identity_configs"):
        with pytest.raises(TypeError, match="did you mean"):
            face.make("ManagedIdentityCredential", **{name: "x"})
    with pytest.raises(TypeError, match="identity bindings"):
        face.make("ManagedIdentityCredential", enable_azure_proxy=True)


def test_the_callers_mapping_stays_as_it_is(face: Face, anywhere: str) -> None:
    """It may be shared."""
    config = {"foo": "bar"}
    face.ask(face.make("ManagedIdentityCredential", identity_config=config), scripted_for(anywhere, found()), SCOPE)

    assert config == {"foo": "bar"}


def scripted_for(kind: str, *replies: Any, key: bytes = b"S") -> ScriptedIO:
    """A script in which Azure Arc's challenge comes first, if it is that."""
    if kind == "azure-arc":
        challenge = Response(401, {"www-authenticate": f"Basic realm={KEYS}/a.key"})
        return ScriptedIO(challenge, *replies, files={f"{KEYS}/a.key": key})
    return ScriptedIO(*replies)


@pytest.mark.parametrize("scopes", [(), ("a", "b")])
def test_exactly_one_scope(face: Face, anywhere: str, scopes: tuple[str, ...]) -> None:
    """Hosts take one resource; nothing is sent otherwise."""
    with pytest.raises(ValueError, match="scope"):
        face.ask(face.make("ManagedIdentityCredential"), ScriptedIO(), *scopes)


@pytest.mark.parametrize(
    ("scope", "resource"),
    [
        ("https://management.azure.com/.default", "https://management.azure.com"),
        ("https://vault.azure.net//.default", "https://vault.azure.net/"),
        ("https://vault.azure.net", "https://vault.azure.net"),
        (f"{GUID}/.default", GUID),
        ("api://app/.default", "api://app"),
        ("https://a?x=1&client_id=evil b", "https://a?x=1&client_id=evil b"),
    ],
)
def test_the_resource_is_the_scope_without_its_ending(face: Face, anywhere: str, scope: str, resource: str) -> None:
    """Once `/.default` is dropped, nothing is; and whatever it contains arrives as one value."""
    io = scripted_for(anywhere, found())

    face.ask(face.make("ManagedIdentityCredential"), io, scope)

    sent = dict(io.requests[-1].form or {}) if anywhere == "cloud-shell" else query(io)
    assert resource == sent["resource"]
    assert "client_id" not in sent


# --- choosing an identity

IDS: dict[str, dict[str, Optional[str]]] = {
    "imds": {"client_id": "client_id", "object_id": "object_id", "resource_id": "msi_res_id"},
    "app-service": {"client_id": "client_id", "object_id": "object_id", "resource_id": "mi_res_id"},
    "service-fabric": {"client_id": None, "object_id": "principalId", "resource_id": None},
    "azure-arc": {"client_id": "client_id", "object_id": "object_id", "resource_id": "msi_res_id"},
    "azure-ml": {"client_id": "clientid", "object_id": None, "resource_id": None},
}


@pytest.mark.parametrize("how", ["keyword", "mapping"])
@pytest.mark.parametrize("kind", ["client_id", "object_id", "resource_id"])
def test_ids_reach_the_host_under_its_own_name(face: Face, anywhere: str, kind: str, how: str) -> None:
    """Or are refused before anything is sent; never dropped."""
    arguments: dict[str, Any] = {kind: "/My/Id"} if how == "keyword" else {"identity_config": {kind: "/My/Id"}}
    if anywhere == "cloud-shell":
        with pytest.raises(ValueError, match="Cloud Shell does not support user-assigned"):
            face.make("ManagedIdentityCredential", **arguments)
        return
    credential = face.make("ManagedIdentityCredential", **arguments)
    name = IDS[anywhere][kind]
    if name is None:
        with pytest.raises(ClientAuthenticationError, match=f"cannot choose an identity by {kind.replace('_', ' ')}"):
            face.ask(credential, ScriptedIO(), SCOPE)
        return
    io = scripted_for(anywhere, found(**{name: "/my/ID"}))

    face.ask(credential, io, SCOPE)

    for index in range(len(io.requests)):
        sent = {name: value for name, value in query(io, index).items() if name not in ("api-version", "resource")}
        assert sent == {name: "/My/Id"}
    io.finished()


def test_unknown_fields_reach_the_host(face: Face, anywhere: str) -> None:
    """This library need not know every id a host may learn to understand."""
    io = scripted_for(anywhere, found())

    face.ask(face.make("ManagedIdentityCredential", identity_config={"foo": "a&b=c"}), io, SCOPE)

    sent = dict(io.requests[-1].form or {}) if anywhere == "cloud-shell" else query(io)
    assert (sent["foo"], "b" in sent) == ("a&b=c", False)


@pytest.mark.parametrize(
    ("host", "kind", "shown"),
    [
        (host, kind, shown)
        for host, names in IDS.items()
        for kind, shown in (
            ("client_id", "client_id"),
            ("object_id", "object_id"),
            ("resource_id", "msi_res_id"),
            ("resource_id", "mi_res_id"),
        )
        if names[kind] is not None
    ],
)
def test_a_token_of_another_identity_is_refused(
    face: Face, host: str, kind: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that answers for someone else than was asked for is not believed."""
    setenv(monkeypatch, EVERYWHERE[host])
    io = scripted_for(host, found(**{shown: "another"}))
    credential = face.make("ManagedIdentityCredential", **{kind: "mine"})

    with pytest.raises(ClientAuthenticationError, match="a token of another identity") as caught:
        face.ask(credential, io, SCOPE)

    assert not isinstance(caught.value, CredentialUnavailableError)
    assert "'mine'" in caught.value.message and "'another'" in caught.value.message


def test_pod_identity_host(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable names another host, which is never probed."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "https://h/")
    io = ScriptedIO(found())

    face.ask(face.make("ManagedIdentityCredential"), io, SCOPE, context=IN_CHAIN)

    assert io.requests[0].url.startswith("https://h/metadata/identity/oauth2/token?")
    assert io.requests[0].headers == {"Metadata": "true"}


# --- tokens


def test_the_first_answer_of_each_host(face: Face, anywhere: str) -> None:
    """One question, one token, to be renewed at half its life; direct, and never repeated by the pipeline."""
    io = scripted_for(anywhere, found())

    token = face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert (planted("token"), NOW + 86399, NOW + 43199, "Bearer") == tuple(
        getattr(token, name) for name in ("token", "expires_on", "refresh_on", "token_type")
    )
    assert all(request.direct and not request.retry for request in io.requests)
    io.finished()


def test_a_second_call_is_answered_from_the_cache(face: Face, anywhere: str) -> None:
    """Also when the host spells the resource otherwise, or does not say it."""
    for resource in ("https://management.azure.com/", None):
        managed_identity._forget()
        io = scripted_for(anywhere, found(resource=resource))
        credential = face.make("ManagedIdentityCredential")

        assert face.ask(credential, io, SCOPE) == face.ask(credential, io, SCOPE)


def test_tenants_and_capabilities_change_nothing(face: Face, anywhere: str) -> None:
    """A managed identity has one tenant; only Service Fabric is told about continuous access evaluation."""
    io = scripted_for(anywhere, found())
    credential = face.make("ManagedIdentityCredential")
    face.ask(credential, io, SCOPE, tenant="another")
    if anywhere == "service-fabric":
        io.will(found("second"))

    face.ask(credential, io, SCOPE, cae=True)

    assert "another" not in "".join(request.url for request in io.requests)
    assert (query(io).get("xms_cc") == "cp1") == (anywhere == "service-fabric")
    io.finished()


def test_claims_get_a_new_token(face: Face, anywhere: str) -> None:
    """They are not sent; Service Fabric learns by a hash which token will not do any more."""
    io = scripted_for(anywhere, found("tok"))
    credential = face.make("ManagedIdentityCredential")
    face.ask(credential, io, SCOPE)
    if anywhere == "azure-arc":
        io.will(Response(401, {"www-authenticate": f"Basic realm={KEYS}/a.key"}))
    io.will(found("second"))

    assert face.ask(credential, io, SCOPE, claims='{"access_token":{}}').token == "second"
    assert face.ask(credential, io, SCOPE).token == "second"

    everything = "".join(f"{request.url}{request.form}{request.headers}" for request in io.requests)
    assert "claims" not in everything
    hashed = "1a7674eb4ee78df7e1ac439a93c3fa8e3c945784d4dec9fd8e3011738b2f1d62"
    assert (query(io).get("token_sha256_to_refresh") == hashed) == (anywhere == "service-fabric")


def test_a_failed_renewal_costs_nothing(face: Face, anywhere: str) -> None:
    """After half its life a token is renewed by one request that is hardly repeated; meanwhile it is used."""
    io = scripted_for(anywhere, found())
    credential = face.make("ManagedIdentityCredential")
    first = face.ask(credential, io, SCOPE)
    io.advance(44_000)
    io.will(*[reply(500, {"error": "x"})] * 2)

    assert face.ask(credential, io, SCOPE) == first
    assert face.ask(credential, io, SCOPE) == first  # not tried again within 30 seconds
    assert io.slept == []
    io.finished()

    io.advance(31)
    io.will(reply(410), reply(410)) if anywhere == "imds" else io.will(reply(429, {"error": "x"}))
    assert face.ask(credential, io, SCOPE) == first
    assert io.slept == []
    io.finished()


def test_the_last_minutes_of_a_token(face: Face, anywhere: str) -> None:
    """A token that is still valid is the answer when no new one can be had."""
    io = scripted_for(anywhere, found(expires_on=str(NOW + 3600)))
    credential = face.make("ManagedIdentityCredential")
    first = face.ask(credential, io, SCOPE)
    io.advance(3600 - 240)
    io.will(*[reply(500, {"error": "x"})] * 2)

    assert face.ask(credential, io, SCOPE) == first
    assert io.slept == []


def test_credentials_share_tokens(anywhere: str) -> None:
    """All credentials of a process that ask one host for one identity and resource make one request."""
    io = scripted_for(anywhere, found())

    tokens = {face.ask(face.make("ManagedIdentityCredential"), io, SCOPE).token for face in FACES for _ in range(50)}

    assert tokens == {planted("token")}
    io.finished()


def test_what_keeps_tokens_apart(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """Host, secret, identity, resource, and a transport of one's own."""
    setenv(monkeypatch, APP_SERVICE)
    io = ScriptedIO(*(found(f"t{n}") for n in range(1, 8)))

    def token(scope: str = SCOPE, **arguments: Any) -> str:
        return face.ask(face.make("ManagedIdentityCredential", **arguments), io, scope).token

    got = [
        token(),
        token(client_id="a"),
        token(object_id="a"),
        token("https://other/.default"),
        token(transport=object()),
    ]
    monkeypatch.setenv("IDENTITY_HEADER", planted("another"))
    got.append(token())
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://other/t")
    got.append(token())

    assert got == [f"t{n}" for n in range(1, 8)]
    io.finished()


def test_pickled_credentials(face: Face, anywhere: str) -> None:
    """They keep host and identity, and no token."""
    io = scripted_for(anywhere, found())
    credential = face.make("ManagedIdentityCredential")
    face.ask(credential, io, SCOPE)

    pickled = pickle.dumps(_without_port(credential))
    copied = pickle.loads(pickled)

    assert planted("token").encode() not in pickled
    assert copied._host.endpoint == credential._host.endpoint
    assert face.ask(copied, ScriptedIO(), SCOPE).token == planted("token")


def _without_port(credential: Any) -> Any:
    credential.__dict__.pop("_port_", None)
    return credential


# --- IMDS alone


@pytest.mark.parametrize(
    ("replies", "pauses"),
    [
        ([reply(404)], []),
        ([reply(410)] * 5, [5, 10, 20, 40]),
        ([reply(429, None, retry_after="7")], [7]),
        ([reply(429, {"error": "x"})] * 3, [1.6, 3.2]),
        ([reply(500, {"error": "x"})] * 5, [1.6, 3.2, 6.4, 12.8]),
        ([reply(501), reply(505)], [1.6]),
        ([page(502)] * 2, [1.6]),
        ([Unreachable("u", "the answer took too long", kind="timeout")] * 3, [1.6, 3.2]),
        ([Unreachable("u", "the connection was refused")] * 3, [1.6, 3.2]),
    ],
)
def test_imds_is_waited_for(face: Face, replies: list[Any], pauses: list[float]) -> None:
    """Long enough for an update of IMDS, which takes up to 70 seconds."""
    io = ScriptedIO(*replies, found())

    assert face.ask(face.make("ManagedIdentityCredential"), io, SCOPE).token == planted("token")
    assert io.slept == pytest.approx(pauses)
    io.finished()


def test_pauses_are_spread(face: Face) -> None:
    """Many processes on one machine do not all come back at once; but none comes too early."""

    class Dice(ScriptedIO):
        def new_id(self) -> str:
            return "ffffffff-0000-4000-8000-000000000000"

    io = Dice(*[reply(500, {"error": "x"})] * 3, found())
    face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert io.slept == pytest.approx([2.0, 4.0])


@pytest.mark.parametrize(
    ("arguments", "replies", "requests", "slept"),
    [
        ({}, [reply(500, {"error": "x"})] * 6, 6, 24),
        ({}, [reply(410, {"error": "x"})] * 6, 6, 75),
        ({"retry_total": 0}, [reply(500, {"error": "x"})], 1, 0),
        ({"retry_total": 2}, [reply(500, {"error": "x"})] * 3, 3, 1.6),
        ({"retry_status": 1}, [reply(500, {"error": "x"})] * 2, 2, 0),
        ({"retry_backoff_factor": 0.1}, [reply(410, {"error": "x"})] * 6, 6, 3),
        ({"timeout": 6}, [reply(500, {"error": "x"})] * 4, 4, 4.8),
        ({"timeout": 1}, [reply(500, {"error": "x"})] * 2, 2, 0),
        ({"retry_on_status_codes": [418]}, [reply(418, {"error": "x"})] * 6, 6, 24),
        ({"retry_backoff_max": 5}, [reply(429, {"error": "x"}, retry_after="7")], 1, 0),
        ({}, [reply(429, {"error": "x"}, retry_after="3600")], 1, 0),
        ({}, [reply(403, {"error": "x"}, retry_after="2")], 1, 0),
    ],
)
def test_patience_with_imds_ends(
    face: Face, arguments: Mapping[str, Any], replies: list[Any], requests: int, slept: float
) -> None:
    """By the user's keywords, a deadline, or the schedule; what is left is the last answer."""
    io = ScriptedIO(*replies)

    with pytest.raises(ClientAuthenticationError) as caught:
        face.ask(face.make("ManagedIdentityCredential", **arguments), io, SCOPE)

    assert not isinstance(caught.value, CredentialUnavailableError)
    assert (requests, pytest.approx(slept)) == (len(io.requests), sum(io.slept))
    io.finished()


def test_a_users_retry_policy_is_left_to_work(face: Face) -> None:
    """Then the pipeline repeats, and the flow does not."""
    io = ScriptedIO(reply(500, {"error": "x"}))

    with pytest.raises(ClientAuthenticationError):
        face.ask(face.make("ManagedIdentityCredential", retry_policy=object()), io, SCOPE)

    assert io.requests[0].retry


def test_attempts_are_bounded_by_the_deadline(face: Face) -> None:
    """Each gets what is left of the time."""
    io = ScriptedIO(reply(500, {"error": "x"}), reply(500, {"error": "x"}), found())

    face.ask(face.make("ManagedIdentityCredential", timeout=10), io, SCOPE)

    assert [request.timeout for request in io.requests] == pytest.approx([10, 10, 8.4])
    patient = ScriptedIO(found())
    face.ask(face.make("ManagedIdentityCredential", timeout=60, client_id="c"), patient, SCOPE)
    assert patient.requests[0].timeout is None  # connecting and reading have tighter limits of their own


def test_imds_is_not_waited_for_like_a_far_host(face: Face) -> None:
    """It is on the machine's link: two seconds to connect; a user's own settings win."""
    assert face.make("ManagedIdentityCredential")._pipeline_options == {"connection_timeout": 2, "read_timeout": 20}
    options = face.make("ManagedIdentityCredential", read_timeout=5, retry_total=1)._pipeline_options
    assert options == {"connection_timeout": 2, "read_timeout": 5, "retry_total": 1}


REFUSED = "the connection was refused"
NO_IDENTITY = {"error": "invalid_request", "error_description": "Identity not found"}
NO_RESOURCE = {"error": "invalid_resource", "error_description": "AADSTS500011"}
NO_ROUTE = {"error": "connecting to 169.254.169.254:80: unreachable network."}
TORN = b'{not json "access_token": "%s"' % planted("token").encode()
TIMEOUT = Unreachable("http://h/t", "the answer took too long", kind="timeout")


@pytest.mark.parametrize(
    ("replies", "unavailable", "words"),
    [
        ([Unreachable("http://h/t", REFUSED)] * 4, True, f"no response from the IMDS endpoint (http://h/t): {REFUSED}"),
        ([TIMEOUT] * 4, True, "the answer took too long"),
        ([reply(400, NO_IDENTITY)], True, "(invalid_request) Identity not found. This host has no system-assigned"),
        ([reply(400, NO_RESOURCE)], True, "HTTP 400: (invalid_resource) AADSTS500011. Check the scope"),
        ([reply(400, {"access_token": planted("token"), "expires_in": 5})], True, "HTTP 400: no reason given"),
        ([reply(403, NO_ROUTE)], True, NO_ROUTE["error"]),
        ([reply(403, {"error": "forbidden"})], False, "HTTP 403: forbidden"),
        ([reply(401, {"error": "unknown_source", "error_description": "d"})], False, "(unknown_source) d"),
        ([page(502)] * 6, True, "it does not send JSON, but HTTP 502 (text/html): <html>Welcome"),
        ([reply(504, {"error": "x"})] * 6, True, "A gateway or proxy answers in place of IMDS"),
        ([page()], True, "does not send JSON"),
        ([Response(200, {"content-type": "application/json"}, TORN)], True, "HTTP 200 (application/json"),
        ([Response(200, {"content-type": "text/plain"}, TORN)], True, "HTTP 200 (text/plain)"),
        ([Response(403, {"content-type": "text/plain"}, b"Received invalid token.")], True, "Received invalid token"),
        ([Response(200)], True, "HTTP 200 (no content type, 0 bytes)"),
        ([reply(200, {})], False, "has no 'access_token'; its members: none"),
        ([reply(200, {"access_token": planted("token")})], False, "no 'expires_on' or 'expires_in'"),
        ([found(expires_on="?", expires_in=None)], False, "no 'expires_on' or 'expires_in'"),
        ([reply(200, [])], False, "is not a JSON object"),
        ([Response(302, {"location": "http://elsewhere"})], True, "HTTP 302"),
    ],
)
def test_what_imds_answers_when_asked_alone(face: Face, replies: list[Any], unavailable: bool, words: str) -> None:
    """Two kinds of error, and words that say what came back."""
    io = ScriptedIO(*replies)

    with pytest.raises(ClientAuthenticationError) as caught:
        face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert isinstance(caught.value, CredentialUnavailableError) == unavailable
    start = " authentication unavailable: " if unavailable else ": "
    assert caught.value.message.startswith(f"ManagedIdentityCredential{start}")
    assert words in caught.value.message
    io.finished()


def test_the_whole_text_of_a_refusal(face: Face) -> None:
    """Who, what was asked, what came back, what to do."""
    io = ScriptedIO(reply(400, {"error": "invalid_request", "error_description": "Identity not found"}))

    with pytest.raises(CredentialUnavailableError) as caught:
        face.ask(face.make("ManagedIdentityCredential", client_id="c"), io, SCOPE)

    assert caught.value.message == (
        "ManagedIdentityCredential authentication unavailable: the instance metadata service (IMDS) refused a token "
        "for https://management.azure.com (the identity with client id 'c'): HTTP 400: (invalid_request) Identity not "
        "found. "
        "Check that the identity is assigned to this host, and that its id is the right kind of id (client_id). "
        "Help: docs/troubleshooting.md#managed-identity"
    )


# --- IMDS in a chain


def in_chain(face: Face, io: ScriptedIO, **arguments: Any) -> Any:
    return face.ask(face.make("ManagedIdentityCredential", **arguments), io, SCOPE, context=IN_CHAIN)


def test_a_chain_looks_for_imds_first(face: Face) -> None:
    """By a question without the header, once; then never again in this process."""
    io = ScriptedIO(reply(400, {"error": "bad_request_102"}), found(), found("other"))

    in_chain(face, io)
    in_chain(face, io, client_id="other")

    assert [dict(request.headers) for request in io.requests] == [{}, {"Metadata": "true"}, {"Metadata": "true"}]
    assert [request.timeout for request in io.requests] == [1.0, None, None]
    io.finished()


@pytest.mark.parametrize(
    "probe",
    [
        Unreachable("http://h", "connecting took too long", kind="timeout"),
        Unreachable("http://h", "the connection was refused"),
        Unreachable("http://h", "the answer took too long", kind="timeout"),
        reply(403, {"error": "A socket operation was attempted to an unreachable network."}),
        Response(403, {"content-type": "text/plain"}, b"connecting to 169.254.169.254:80: unreachable host"),
    ],
)
def test_a_chain_goes_on_where_imds_is_not(face: Face, probe: Any) -> None:
    """After one question; and for a minute it does not ask again."""
    io = ScriptedIO(probe)

    for _ in range(3):
        with pytest.raises(CredentialUnavailableError) as caught:
            in_chain(face, io)
        io.advance(19)
    io.finished()
    assert caught.value.message.startswith("ManagedIdentityCredential authentication unavailable: ")

    io.advance(60)
    io.will(reply(400, {"error": "bad_request_102"}), found())
    assert in_chain(face, io).token == planted("token")


def test_a_clock_that_was_set_back_does_not_prolong_absence(face: Face) -> None:
    """What was found out in the future is not known yet."""
    io = ScriptedIO(Unreachable("http://h", "the connection was refused"))
    with pytest.raises(CredentialUnavailableError):
        in_chain(face, io)
    io.advance(-3600)
    io.will(reply(400, {"error": "bad_request_102"}), found())

    assert in_chain(face, io).token == planted("token")


def test_the_absence_of_imds_matters_to_chains_only(face: Face) -> None:
    """Who has nothing else asks, and waits."""
    io = ScriptedIO(Unreachable("http://h", "the connection was refused"))
    with pytest.raises(CredentialUnavailableError):
        in_chain(face, io)
    io.will(found())

    assert face.ask(face.make("ManagedIdentityCredential"), io, SCOPE).token == planted("token")
    io.finished()


def test_a_token_makes_imds_known(face: Face) -> None:
    """Then a chain does not look for it any more."""
    io = ScriptedIO(found(), found("second"))
    face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert in_chain(face, io, client_id="c").token == "second"


def test_a_service_that_does_not_insist_on_the_header(face: Face) -> None:
    """Its answer to the probe is the token."""
    io = ScriptedIO(found())

    assert in_chain(face, io).token == planted("token")
    io.finished()


@pytest.mark.parametrize(
    ("probe", "answers", "requests"),
    [
        (page(), [page()], 2),
        (page(), [reply(403, {"error": "forbidden"})], 2),
        (page(502), [Unreachable("http://h", "the connection was refused")], 2),
        (page(500), [page(500)], 2),
        (reply(403, {"error": "forbidden"}), [reply(403, {"error": "forbidden"})], 2),
        (reply(404, {"error": "x"}), [reply(404, {"error": "x"})] * 6, 7),
        (reply(429), [reply(429, {"error": "x"})] * 6, 7),
    ],
)
def test_what_has_not_shown_to_be_imds_does_not_end_a_chain(
    face: Face, probe: Response, answers: list[Any], requests: int
) -> None:
    """A sign-in page or somebody else's service is asked properly once, and passed over if it does not help."""
    io = ScriptedIO(probe, *answers)

    with pytest.raises(CredentialUnavailableError):
        in_chain(face, io)

    assert len(io.requests) == requests
    io.finished()


def test_a_sign_in_page_is_remembered(face: Face) -> None:
    """Later calls do not wait for it."""
    io = ScriptedIO(page(), page())
    for _ in range(3):
        with pytest.raises(CredentialUnavailableError, match="Welcome to the airport") as caught:
            in_chain(face, io)
    assert caught.value.message.count("Help:") == 1
    io.finished()


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500])
def test_what_has_shown_to_be_imds_ends_a_chain(face: Face, status: int) -> None:
    """Its refusals are an answer; another identity instead would be a surprise."""
    io = ScriptedIO(reply(400, {"error": "bad_request_102"}), *[reply(status, {"error": "x"})] * 6)

    with pytest.raises(ClientAuthenticationError) as caught:
        in_chain(face, io)

    assert not isinstance(caught.value, CredentialUnavailableError)


def test_no_identity_on_the_machine_does_not_end_a_chain(face: Face) -> None:
    """A 400 says that there is none to use."""
    none = reply(400, {"error": "invalid_request", "error_description": "Identity not found"})
    io = ScriptedIO(reply(400, {"error": "bad_request_102"}), none)

    with pytest.raises(CredentialUnavailableError, match="Identity not found"):
        in_chain(face, io)


def test_probes_can_be_forbidden_and_forced(face: Face) -> None:
    """By those who know better than the context."""
    io = ScriptedIO(found(), Unreachable("http://h", "the connection was refused"))

    in_chain(face, io, _enable_imds_probe=False)
    managed_identity._forget()
    with pytest.raises(CredentialUnavailableError):
        face.ask(face.make("ManagedIdentityCredential", _enable_imds_probe=True), io, SCOPE)

    assert [dict(request.headers) for request in io.requests] == [{"Metadata": "true"}, {}]


def test_a_transport_of_ones_own_shares_no_findings(face: Face) -> None:
    """What answers there says nothing about the machine."""
    io = ScriptedIO(Unreachable("http://h", "the connection was refused"))
    with pytest.raises(CredentialUnavailableError):
        in_chain(face, io, transport=object())
    io.will(reply(400, {"error": "bad_request_102"}), found())

    assert in_chain(face, io).token == planted("token")


# --- App Service, Azure Machine Learning, Cloud Shell


NO_SUCH = {"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found."}
NO_AUDIENCE = {"error": {"code": "AudienceNotSupported", "message": "m"}}


@pytest.mark.parametrize("host", ["app-service", "azure-ml", "cloud-shell"])
@pytest.mark.parametrize(
    ("replies", "unavailable", "words", "slept"),
    [
        ([reply(400, NO_SUCH)], False, f"HTTP 400: {NO_SUCH['message']} This host has no system-assigned", 0),
        ([reply(500, {"error": "x"})] * 4, False, "HTTP 500: x", 4.8),
        ([reply(404, {"error": "x"})], False, "HTTP 404: x", 0),
        ([reply(410, {"error": "x"})], False, "HTTP 410: x", 0),
        ([reply(429, {"error": "x"}, retry_after="7")] * 4, False, "The host limits requests", 21),
        ([reply(400, NO_AUDIENCE)], False, "(AudienceNotSupported) m", 0),
        ([page()], True, "does not send JSON", 0),
        ([page(403)], True, "does not send JSON", 0),
        ([Unreachable("http://h/t", REFUSED)] * 4, True, f"cannot be reached: http://h/t: {REFUSED}", 4.8),
        ([TIMEOUT] * 4, False, "does not answer: http://h/t: the answer took too long", 4.8),
        ([reply(200, {"expires_on": 5})], False, "has no 'access_token'", 0),
        ([reply(200, {"error": "x", "error_description": "d"})], False, "(x) d", 0),
    ],
)
def test_what_named_hosts_answer(
    face: Face,
    host: str,
    replies: list[Any],
    unavailable: bool,
    words: str,
    slept: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment says that there is a managed identity, so a refusal is one, unless nobody is there."""
    setenv(monkeypatch, EVERYWHERE[host])
    io = ScriptedIO(*replies)

    with pytest.raises(ClientAuthenticationError) as caught:
        face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert isinstance(caught.value, CredentialUnavailableError) == unavailable
    assert words in caught.value.message
    assert sum(io.slept) == pytest.approx(slept)
    io.finished()


def test_a_host_that_repeats_the_secret(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not get into the message."""
    setenv(monkeypatch, APP_SERVICE)
    io = ScriptedIO(reply(400, {"message": f"wrong header {planted('header')}"}))

    with pytest.raises(ClientAuthenticationError, match=r"wrong header \*\*\*"):
        face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)


@pytest.mark.parametrize("endpoint", ["localhost:4141/msi", "ftp://h/t", "//h/t"])
def test_an_endpoint_that_is_no_url(face: Face, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is wrong, and the message says which part of it."""
    setenv(monkeypatch, {**APP_SERVICE, "IDENTITY_ENDPOINT": endpoint})

    with pytest.raises(ClientAuthenticationError, match="which is not a URL"):
        face.ask(face.make("ManagedIdentityCredential"), ScriptedIO(), SCOPE)


def test_a_secret_that_no_header_can_hold(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent, and it is not shown."""
    setenv(monkeypatch, {**APP_SERVICE, "IDENTITY_HEADER": planted("header") + "\r\nX-Evil: 1"})

    with pytest.raises(ClientAuthenticationError, match="characters no header may have"):
        face.ask(face.make("ManagedIdentityCredential"), ScriptedIO(), SCOPE)


@pytest.mark.parametrize(
    ("arguments", "default", "sent"),
    [
        ({}, None, None),
        ({}, GUID, GUID),
        ({}, "clientid", None),
        ({}, "", None),
        ({"client_id": "c"}, GUID, "c"),
        ({"identity_config": {"client_id": "c"}}, GUID, "c"),
    ],
)
def test_the_default_identity_of_azure_machine_learning(
    face: Face,
    arguments: Mapping[str, Any],
    default: Optional[str],
    sent: Optional[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without an id, a compute instance would answer with a token of the person who made it."""
    setenv(monkeypatch, AZURE_ML)
    if default is not None:
        monkeypatch.setenv("DEFAULT_IDENTITY_CLIENT_ID", default)
    io = ScriptedIO(found())

    face.ask(face.make("ManagedIdentityCredential", **arguments), io, SCOPE)

    assert sent == query(io).get("clientid")
    assert io.requests[0].headers["secret"] == planted("header")


@pytest.mark.parametrize(
    ("expires_on", "seconds"),
    [
        ("06/20/2030 02:57:58 +00:00", 1908154678),
        ("6/20/2030 2:57:58 AM +00:00", 1908154678),
        ("2030-06-20T02:57:58.0000000+00:00", 1908154678),
        (1908154678, 1908154678),
    ],
)
def test_expiry_in_the_words_of_the_host(face: Face, anywhere: str, expires_on: Any, seconds: int) -> None:
    """App Service before 2019 sent dates; they are read everywhere."""
    io = scripted_for(anywhere, found(expires_on=expires_on))

    assert seconds == face.ask(face.make("ManagedIdentityCredential"), io, SCOPE).expires_on


def test_an_endpoint_with_a_query(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps it."""
    setenv(monkeypatch, {**APP_SERVICE, "IDENTITY_ENDPOINT": "http://h/t?x=1"})
    io = ScriptedIO(found())

    face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert query(io) == {"x": "1", "api-version": "2019-08-01", "resource": "https://management.azure.com"}


# --- Azure Arc


@pytest.fixture
def on_arc(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, AZURE_ARC)
    monkeypatch.setattr("sys.platform", "linux")


def arc_challenge(path: str = f"{KEYS}/a.key") -> Response:
    return Response(401, {"www-authenticate": f"Basic realm={path}"})


@pytest.mark.usefixtures("on_arc")
def test_arc_is_shown_the_key(face: Face) -> None:
    """The first question is refused with the path of a file; the second carries what it holds."""
    io = ScriptedIO(arc_challenge(), found(), files={f"{KEYS}/a.key": planted("key").encode() + b"\n"})

    face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert io.requests[0].url == io.requests[1].url
    assert [dict(request.headers) for request in io.requests] == [
        {"Metadata": "true"},
        {"Metadata": "true", "Authorization": f"Basic {planted('key')}"},
    ]
    assert io.read_files == [f"{KEYS}/a.key"]


@pytest.mark.usefixtures("on_arc")
def test_arc_may_challenge_twice(face: Face) -> None:
    """A key that has just been replaced is read again, once."""
    io = ScriptedIO(
        arc_challenge(), arc_challenge(f"{KEYS}/b.key"), found(), files={f"{KEYS}/a.key": b"A", f"{KEYS}/b.key": b"B"}
    )
    face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)
    assert [request.headers.get("Authorization") for request in io.requests] == [None, "Basic A", "Basic B"]

    refused = ScriptedIO(
        arc_challenge(), arc_challenge(), reply(401, {"error": "unauthorized"}), files={f"{KEYS}/a.key": b"A"}
    )
    with pytest.raises(ClientAuthenticationError, match="HTTP 401: unauthorized"):
        face.ask(face.make("ManagedIdentityCredential", identity_config={"x": "y"}), refused, SCOPE)
    refused.finished()


@pytest.mark.usefixtures("on_arc")
def test_arc_is_asked_from_the_start_after_trouble(face: Face) -> None:
    """A key is good for one challenge."""
    io = ScriptedIO(
        arc_challenge(), reply(500, {"error": "x"}), arc_challenge(), found(), files={f"{KEYS}/a.key": b"A"}
    )

    face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert [request.headers.get("Authorization") for request in io.requests] == [None, "Basic A", None, "Basic A"]


@pytest.mark.parametrize(
    ("challenge", "words"),
    [
        (arc_challenge("/etc/passwd"), f"Unexpected file path: it is not in {KEYS}"),
        (arc_challenge(f"{KEYS}/../x/a.key"), "Unexpected file path"),
        (arc_challenge(f"{KEYS}/a.txt"), "Unexpected file extension"),
        (arc_challenge("a.key"), "Unexpected file path: it is not absolute"),
        (Response(401), "no WWW-Authenticate header"),
        (Response(401, {"www-authenticate": "Basic foo"}), "not 'Basic realm=<path>'"),
        (arc_challenge(f"{KEYS}/missing.key"), "No such file"),
        (arc_challenge(f"{KEYS}/big.key"), "larger than 4096 bytes"),
        (arc_challenge(f"{KEYS}/evil.key"), "characters that no key has"),
    ],
)
@pytest.mark.usefixtures("on_arc")
def test_challenges_that_are_not_answered(face: Face, challenge: Response, words: str) -> None:
    """Tried and refused; only a key file in its own directory is read, and nothing more is sent."""
    evil = planted("key").encode() + b"\r\nX-Evil: 1"
    io = ScriptedIO(challenge, files={f"{KEYS}/big.key": b"x" * 4097, f"{KEYS}/evil.key": evil, "/etc/passwd": b"x"})

    with pytest.raises(ClientAuthenticationError) as caught:
        face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert not isinstance(caught.value, CredentialUnavailableError)
    assert words in caught.value.message
    assert "/etc/passwd" not in io.read_files
    io.finished()


@pytest.mark.usefixtures("on_arc")
def test_the_largest_key(face: Face) -> None:
    """4096 bytes are a key; one more is not."""
    io = ScriptedIO(arc_challenge(), found(), files={f"{KEYS}/a.key": b"x" * 4096})

    face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert io.requests[1].headers["Authorization"] == "Basic " + "x" * 4096


@pytest.mark.usefixtures("on_arc")
def test_arc_without_a_challenge(face: Face) -> None:
    """A token is a token; its text is in no message."""
    assert face.ask(face.make("ManagedIdentityCredential"), ScriptedIO(found()), SCOPE).token == planted("token")


def test_arc_where_it_does_not_run(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no directory to trust."""
    setenv(monkeypatch, AZURE_ARC)
    monkeypatch.setattr("sys.platform", "darwin")

    with pytest.raises(ClientAuthenticationError, match="not supported on this platform"):
        face.ask(face.make("ManagedIdentityCredential"), ScriptedIO(arc_challenge()), SCOPE)


@pytest.mark.parametrize(
    ("arguments", "members", "ok"),
    [
        ({"client_id": "cid"}, {"client_id": "CID"}, True),
        ({"object_id": "oid"}, {"object_id": "oid"}, True),
        ({"resource_id": "/r"}, {"msi_res_id": "/R"}, True),
        ({"resource_id": "/r"}, {"mi_res_id": "/R"}, True),
        ({"identity_config": {"mi_res_id": "/r"}}, {"mi_res_id": "/R"}, True),
        ({"client_id": "cid"}, {}, False),
        ({"client_id": "cid"}, {"object_id": "cid"}, False),
        ({"resource_id": "/r"}, {"client_id": "x"}, False),
        ({}, {}, True),
    ],
)
@pytest.mark.usefixtures("on_arc")
def test_arc_must_confirm_the_identity(
    face: Face, arguments: Mapping[str, Any], members: Mapping[str, str], ok: bool
) -> None:
    """Agents that do not know user-assigned identities answer with the system-assigned one."""
    io = ScriptedIO(arc_challenge(), found(**members), files={f"{KEYS}/a.key": b"S"})
    credential = face.make("ManagedIdentityCredential", **arguments)
    if ok:
        assert face.ask(credential, io, SCOPE).token == planted("token")
        return
    with pytest.raises(ClientAuthenticationError, match="did not confirm"):
        face.ask(credential, io, SCOPE)


def test_the_key_directory_can_be_looked_up() -> None:
    """The documented one."""
    assert arc.LINUX_KEYS == KEYS


# --- Service Fabric


@pytest.fixture
def on_fabric(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, SERVICE_FABRIC)


@pytest.mark.usefixtures("on_fabric")
def test_service_fabric_is_pinned(face: Face) -> None:
    """The thumbprint goes with the request, in a form that can be compared."""
    io = ScriptedIO(found())

    face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    request = io.requests[0]
    assert request.tls is not None and request.tls.thumbprint == "aabb" * 10
    assert dict(request.headers) == {"Secret": planted("header")}
    assert query(io) == {"api-version": "2019-07-01-preview", "resource": "https://management.azure.com"}


@pytest.mark.usefixtures("on_fabric")
def test_the_cluster_names_the_version(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a variable, if it does."""
    monkeypatch.setenv("IDENTITY_API_VERSION", "2020-05-01")
    io = ScriptedIO(found())

    face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert query(io)["api-version"] == "2020-05-01"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"IDENTITY_SERVER_THUMBPRINT": "thumbprint"}, "must be a SHA-1 or SHA-256 thumbprint"),
        ({"IDENTITY_ENDPOINT": "http://h/t"}, "must be an https URL"),
    ],
)
@pytest.mark.usefixtures("on_fabric")
def test_service_fabric_that_cannot_be_pinned(
    face: Face, variables: Mapping[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent, least of all the secret."""
    setenv(monkeypatch, variables)

    with pytest.raises(ClientAuthenticationError, match=words) as caught:
        face.ask(face.make("ManagedIdentityCredential"), ScriptedIO(), SCOPE)

    assert not isinstance(caught.value, CredentialUnavailableError)


@pytest.mark.usefixtures("on_fabric")
def test_the_wrong_certificate_ends_it(face: Face) -> None:
    """Without a second attempt."""
    io = ScriptedIO(Unreachable("https://h/t", "its thumbprint is another", kind="tls"))

    with pytest.raises(ClientAuthenticationError, match="is not trusted: its thumbprint is another") as caught:
        face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert not isinstance(caught.value, CredentialUnavailableError)
    assert "The secret was not sent" in caught.value.message


NOT_FOUND = {"error": {"correlationId": "id-1", "code": "ManagedIdentityNotFound", "message": "m"}}


@pytest.mark.parametrize(
    ("replies", "words", "slept"),
    [
        ([reply(404, NOT_FOUND)], "(ManagedIdentityNotFound) m (correlation id: id-1)", 0),
        ([reply(429, {"error": {"code": "x", "message": "m"}})] * 4, "The host limits requests", 4.8),
        ([Response(302, {"location": "https://elsewhere"}, b'{"error": "moved"}')], "HTTP 302: moved", 0),
    ],
)
@pytest.mark.usefixtures("on_fabric")
def test_what_service_fabric_answers(face: Face, replies: list[Any], words: str, slept: float) -> None:
    """A refusal is one; being asked too often is not final."""
    io = ScriptedIO(*replies)

    with pytest.raises(ClientAuthenticationError) as caught:
        face.ask(face.make("ManagedIdentityCredential"), io, SCOPE)

    assert words in caught.value.message and sum(io.slept) == pytest.approx(slept)
    io.finished()


@pytest.mark.usefixtures("on_fabric")
def test_service_fabric_after_trouble(face: Face) -> None:
    """It is asked again."""
    io = ScriptedIO(*[reply(429, {"error": {"code": "x", "message": "m"}})] * 2, found(token_type=None))

    assert face.ask(face.make("ManagedIdentityCredential"), io, SCOPE).token_type == "Bearer"


def unsigned(**claims: Any) -> str:
    """A token that says something, without a signature."""
    import base64
    import json

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims)}."


@pytest.mark.parametrize(
    ("token", "ok"),
    [
        (unsigned(oid=GUID.upper()), True),
        (unsigned(), True),
        (planted("opaque"), True),
        (unsigned(oid="another"), False),
    ],
)
@pytest.mark.usefixtures("on_fabric")
def test_service_fabric_must_not_answer_for_another(face: Face, token: str, ok: bool) -> None:
    """It is said to pass over ids it does not understand, so the token is looked at, as far as it can be read."""
    io = ScriptedIO(found(token))
    credential = face.make("ManagedIdentityCredential", object_id=GUID)
    if ok:
        assert face.ask(credential, io, SCOPE).token == token
        return
    with pytest.raises(ClientAuthenticationError, match="a token of another identity"):
        face.ask(credential, io, SCOPE)


# --- workload identity


@pytest.fixture
def in_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    setenv(monkeypatch, WORKLOAD)


@pytest.mark.usefixtures("in_pod")
def test_workload_identity_does_the_work(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the client id given, else the environment's; the class is this face's own."""
    monkeypatch.setenv("AZURE_CLIENT_ID", "from-environment")
    for arguments, client_id in (({}, "from-environment"), ({"client_id": "given"}, "given")):
        worker = face.make("ManagedIdentityCredential", **arguments)._credential

        assert type(worker) is face.package.WorkloadIdentityCredential
        assert worker._client_id == client_id


@pytest.mark.usefixtures("in_pod")
def test_workload_identity_without_a_client_id(face: Face) -> None:
    """Said at once."""
    with pytest.raises(ValueError, match="no client ID was provided"):
        face.make("ManagedIdentityCredential")


@pytest.mark.parametrize("arguments", [{"object_id": "o"}, {"resource_id": "/r"}, {"identity_config": {"foo": "bar"}}])
@pytest.mark.usefixtures("in_pod")
def test_workload_identity_knows_client_ids_only(
    face: Face, arguments: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another id is not dropped silently."""
    monkeypatch.setenv("AZURE_CLIENT_ID", "c")
    with pytest.raises(ValueError, match="client ids only"):
        face.make("ManagedIdentityCredential", **arguments)


@pytest.mark.usefixtures("in_pod")
def test_workload_identity_can_be_left_out(face: Face) -> None:
    """Then the node's identity is used."""
    credential = face.make("ManagedIdentityCredential", _exclude_workload_identity_credential=True)

    assert face.ask(credential, ScriptedIO(found()), SCOPE).token == planted("token")

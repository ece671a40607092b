"""The managed identity as a member of DefaultAzureCredential: which identity is meant, and when the chain goes on."""

from __future__ import annotations

import logging
from typing import Any, Mapping, Optional
from urllib.parse import parse_qsl, urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from leak_watch import planted
from scripted import NOW, ScriptedIO, reply

from azure.identity import CredentialUnavailableError
from azure.identity._credentials import managed_identity
from azure.identity._values.messages import Response, Unreachable

GUID = "0f8b1c4e-7a2d-4e1b-9c3f-5d6e7f8a9b0c"
RESOURCE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
SCOPE = "https://management.azure.com/.default"
PRESENT = reply(400, {"error": "bad_request_102", "error_description": "Required metadata header not specified"})
NO_IDENTITY = reply(400, {"error": "invalid_request", "error_description": "Identity not found"})
APP_SERVICE = {"IDENTITY_ENDPOINT": "http://h/t", "IDENTITY_HEADER": planted("header")}
SERVICE_FABRIC = {**APP_SERVICE, "IDENTITY_ENDPOINT": "https://h/t", "IDENTITY_SERVER_THUMBPRINT": "ab" * 20}
AZURE_ML = {"MSI_ENDPOINT": "http://h/t", "MSI_SECRET": planted("header")}
CLOUD_SHELL = {"MSI_ENDPOINT": "http://h/t"}
WORKLOAD = {
    "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
    "AZURE_TENANT_ID": "tenant",
    "AZURE_FEDERATED_TOKEN_FILE": "/token",
}


@pytest.fixture(params=FACES, ids=[face.name for face in FACES])
def face(request: pytest.FixtureRequest) -> Face:
    made: Face = request.param
    return made


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    managed_identity._forget()


def setenv(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def found(token: str = planted("token")) -> Response:
    return reply(200, {"access_token": token, "expires_on": str(NOW + 86399), "token_type": "Bearer"})


def identity_sent(io: ScriptedIO) -> list[dict[str, str]]:
    """The fields besides version and resource, of each request."""
    return [
        {
            name: value
            for name, value in [*parse_qsl(urlsplit(request.url).query), *dict(request.form or {}).items()]
            if name not in ("api-version", "resource")
        }
        for request in io.requests
    ]


# --- which identity


@pytest.mark.parametrize(
    ("environment", "arguments", "sent"),
    [
        (None, {}, {}),
        ("app", {}, {"client_id": "app"}),
        ("app", {"managed_identity_client_id": None}, {}),
        ("app", {"managed_identity_client_id": ""}, {}),
        ("app", {"managed_identity_client_id": "other"}, {"client_id": "other"}),
        (None, {"managed_identity_client_id": GUID}, {"client_id": GUID}),
        (None, {"managed_identity_client_id": RESOURCE}, {"msi_res_id": RESOURCE}),
        (None, {"managed_identity_client_id": RESOURCE.upper()}, {"msi_res_id": RESOURCE.upper()}),
        (RESOURCE, {}, {"msi_res_id": RESOURCE}),
        ("app", {"identity_config": {"object_id": "o"}}, {"object_id": "o"}),
        ("app", {"identity_config": {"resource_id": "/r"}}, {"msi_res_id": "/r"}),
        ("app", {"identity_config": {"foo": "bar"}}, {"client_id": "app", "foo": "bar"}),
        ("app", {"identity_config": {}}, {"client_id": "app"}),
    ],
)
def test_one_id_of_any_kind(
    face: Face,
    environment: Optional[str],
    arguments: Mapping[str, Any],
    sent: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client id, an object id or a resource id; from the keyword, the mapping, or else the environment."""
    if environment is not None:
        monkeypatch.setenv("AZURE_CLIENT_ID", environment)
    io = ScriptedIO(PRESENT, found())

    face.ask(face.make("DefaultAzureCredential", **arguments), io, SCOPE)

    assert identity_sent(io) == [sent, sent]


def test_a_guid_may_be_an_object_id(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    """When IMDS knows no such client, the same GUID is tried as an object id; what it was is remembered."""
    io = ScriptedIO(PRESENT, NO_IDENTITY, found(), found("second"))
    with caplog.at_level(logging.INFO, "azure.identity"):
        token = face.ask(face.make("DefaultAzureCredential", managed_identity_client_id=GUID), io, SCOPE)
    face.ask(face.make("DefaultAzureCredential", managed_identity_client_id=GUID), io, "https://other/.default")

    assert token.token == planted("token")
    assert identity_sent(io)[1:] == [{"client_id": GUID}, {"object_id": GUID}, {"object_id": GUID}]
    assert any("but an object id" in record.getMessage() for record in caplog.records if record.levelno == logging.INFO)
    io.finished()


def test_a_guid_may_be_an_object_id_on_app_service(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same there, by that host's words for it."""
    setenv(monkeypatch, {**APP_SERVICE, "AZURE_CLIENT_ID": GUID})
    none = reply(400, {"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found for ..."})
    io = ScriptedIO(none, found())

    face.ask(face.make("DefaultAzureCredential"), io, SCOPE)

    assert identity_sent(io) == [{"client_id": GUID}, {"object_id": GUID}]


def test_a_guid_that_is_neither(face: Face) -> None:
    """Both attempts are mentioned; and nothing is remembered, since the identity may be assigned later."""
    io = ScriptedIO(PRESENT, NO_IDENTITY, NO_IDENTITY)
    credential = face.make("DefaultAzureCredential", managed_identity_client_id=GUID)

    with pytest.raises(CredentialUnavailableError) as caught:
        face.ask(credential, io, SCOPE)

    assert f"the identity with client id '{GUID}'" in caught.value.message
    assert f"Nor is there one with object id '{GUID}'" in caught.value.message
    io.will(found())
    assert face.ask(credential, io, SCOPE).token == planted("token")
    assert identity_sent(io)[-1] == {"client_id": GUID}


@pytest.mark.parametrize(
    "refusal",
    [
        reply(400, {"error": "invalid_resource", "error_description": "AADSTS500011: resource principal not found"}),
        reply(403, {"error": "forbidden"}),
    ],
)
def test_other_refusals_do_not_change_the_kind_of_id(face: Face, refusal: Response) -> None:
    """Only a missing identity is a reason to try the other kind."""
    io = ScriptedIO(PRESENT, refusal)

    with pytest.raises(ClientAuthenticationError):
        face.ask(face.make("DefaultAzureCredential", managed_identity_client_id=GUID), io, SCOPE)
    io.finished()


def test_a_client_id_given_as_such_is_nothing_else(face: Face) -> None:
    """Outside the default chain the keyword says what it is."""
    io = ScriptedIO(NO_IDENTITY)

    with pytest.raises(CredentialUnavailableError):
        face.ask(face.make("ManagedIdentityCredential", client_id=GUID), io, SCOPE)
    io.finished()


@pytest.mark.parametrize(
    ("variables", "sent"),
    [(SERVICE_FABRIC, {"principalId": GUID}), (AZURE_ML, {"clientid": GUID})],
    ids=["service-fabric", "azure-ml"],
)
def test_a_host_with_one_kind_of_id(
    face: Face, variables: Mapping[str, str], sent: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a GUID can only be that."""
    setenv(monkeypatch, {**variables, "AZURE_CLIENT_ID": GUID})
    io = ScriptedIO(found())

    face.ask(face.make("DefaultAzureCredential"), io, SCOPE)

    assert identity_sent(io) == [sent]


def test_cloud_shell_ignores_the_id(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same program may need it elsewhere."""
    setenv(monkeypatch, CLOUD_SHELL)
    io = ScriptedIO(found())

    face.ask(face.make("DefaultAzureCredential", managed_identity_client_id="a"), io, SCOPE)

    assert dict(io.requests[0].form or {}) == {"resource": "https://management.azure.com"}
    assert identity_sent(io) == [{}]


def test_contradicting_ids_are_reported_when_asked(face: Face) -> None:
    """No member makes the chain's constructor fail; but the chain ends there."""
    chain = face.make("DefaultAzureCredential", managed_identity_client_id="a", identity_config={"object_id": "o"})

    with pytest.raises(ClientAuthenticationError, match="both name an identity") as caught:
        face.ask(chain, ScriptedIO(), SCOPE)
    assert not isinstance(caught.value, CredentialUnavailableError)


@pytest.mark.parametrize("name", ["object_id", "resource_id"])
def test_ids_of_the_managed_identity_have_their_own_keyword(face: Face, name: str) -> None:
    """Given otherwise they would quietly mean nothing."""
    with pytest.raises(TypeError, match="managed_identity_client_id"):
        face.make("DefaultAzureCredential", **{name: "x"})


# --- how it is asked


def test_chosen_by_name_it_is_asked_like_alone(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing else to ask: no probe, and all its patience."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", " ManagedIdentityCredential ")
    io = ScriptedIO(*[Unreachable("http://h", "the connection was refused")] * 3, found())

    face.ask(face.make("DefaultAzureCredential"), io, SCOPE)

    assert all(request.headers == {"Metadata": "true"} for request in io.requests)
    assert io.slept == pytest.approx([1.6, 3.2])


@pytest.mark.parametrize(
    ("selection", "member"), [("", True), ("prod", True), ("dev", False), ("AzureCliCredential", False)]
)
def test_when_it_is_a_member(face: Face, selection: str, member: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default and in production; the keyword overrides both."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", selection)

    def names(**arguments: Any) -> list[str]:
        return [type(each).__name__ for each in face.make("DefaultAzureCredential", **arguments).credentials]

    assert member == ("ManagedIdentityCredential" in names())
    assert "ManagedIdentityCredential" in names(exclude_managed_identity_credential=False)
    if selection in ("", "prod"):
        assert "ManagedIdentityCredential" not in names(exclude_managed_identity_credential=True)


def test_its_place_in_the_chain(face: Face) -> None:
    """After the environment, before the tools of developers."""
    names = [getattr(each, "_credential_name", None) or type(each).__name__
             for each in face.make("DefaultAzureCredential").credentials]  # fmt: skip

    assert names.index("EnvironmentCredential") < names.index("ManagedIdentityCredential")
    assert names.index("ManagedIdentityCredential") < names.index("AzureCliCredential")
    if "WorkloadIdentityCredential" in names:
        assert names.index("WorkloadIdentityCredential") < names.index("ManagedIdentityCredential")


def test_off_azure_the_chain_goes_on_at_once(face: Face) -> None:
    """One question, which nobody answers; and none for the next minute."""
    io = ScriptedIO(Unreachable("http://h", "connecting took too long", kind="timeout"))
    chain = face.make("DefaultAzureCredential")

    for _ in range(2):
        with pytest.raises(CredentialUnavailableError, match="no response from the IMDS endpoint"):
            face.ask(chain, io, SCOPE)
    io.finished()


def test_options_of_the_chain_reach_it(face: Face) -> None:
    """Those of the pipeline; identity bindings are none of them."""
    chain = face.make("DefaultAzureCredential", retry_total=1, enable_azure_proxy=True)
    member = next(each for each in chain.credentials if type(each).__name__ == "ManagedIdentityCredential")

    assert member._pipeline_options["retry_total"] == 1
    assert "enable_azure_proxy" not in member._pipeline_options


# --- beside workload identity


def member_of(chain: Any) -> Any:
    return next(each for each in chain.credentials if type(each).__name__ == "ManagedIdentityCredential")


@pytest.mark.parametrize("client_id", ["", "c"])
def test_workload_identity_is_left_to_its_own_member(
    face: Face, client_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not asked twice, nor does the node's identity take its place; the constructor never fails."""
    setenv(monkeypatch, {**WORKLOAD, "AZURE_CLIENT_ID": client_id})
    chain = face.make("DefaultAzureCredential", exclude_workload_identity_credential=False)
    names = [str(getattr(each, "_credential_name", type(each).__name__)) for each in chain.credentials]
    assert "WorkloadIdentityCredential" in names

    with pytest.raises(CredentialUnavailableError, match="exclude_workload_identity_credential=True"):
        face.ask(member_of(chain), ScriptedIO(), SCOPE)


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({}, {"exclude_workload_identity_credential": True}),
        ({"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"}, {}),
    ],
)
def test_without_that_member_the_node_is_asked(
    face: Face, variables: Mapping[str, str], arguments: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who leaves workload identity out means the node."""
    setenv(monkeypatch, {**WORKLOAD, **variables})
    io = ScriptedIO(found())

    token = face.ask(member_of(face.make("DefaultAzureCredential", **arguments)), io, SCOPE)

    assert token.token == planted("token")

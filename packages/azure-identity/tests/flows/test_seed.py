"""What the library's reference card promises, row by row: environment variables, exclude keywords, credential types.

Each test is named after a row of the card. Its programs are run elsewhere (`tests/hermetic`); here each row is tried in
both worlds, on a script. Other tests go into depth.
"""

from __future__ import annotations

import base64
import inspect
import json
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple, Optional

import pytest
from azure.core.credentials import SupportsTokenInfo, TokenCredential
from azure.core.credentials_async import AsyncSupportsTokenInfo, AsyncTokenCredential
from certificates import key_pem, leaf_pem, usable_pem
from faces import FACES, Face
from leak_watch import planted
from people import ADA, CODE, answering, comes_back, device_code
from scripted import NOW, ScriptedIO, reply, token

from azure.identity import AzureAuthorityHosts, CredentialUnavailableError
from azure.identity._credentials.chained import member_name
from azure.identity._values.messages import Completed, Unreachable

SCOPE = "https://management.azure.com/.default"
GUID = "0b7e0b7e-0000-4000-8000-000000000001"
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.name))

FOUND = reply(200, {"access_token": "T1", "expires_on": str(NOW + 86399), "token_type": "Bearer"})
"""What a managed identity endpoint answers."""
PRESENT = reply(400, {"error": "bad_request_102", "error_description": "Required metadata header not specified"})
"""What IMDS answers to the question whether it is there."""
CLI = Completed(0, json.dumps({"accessToken": "T1", "expires_on": NOW + 3600}))


def names(chain: Any) -> list[str]:
    return [member_name(member) for member in chain.credentials]


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set environment variables."""

    def put(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.fixture
def certificate_file(tmp_path: Path) -> str:
    path = tmp_path / "cert.pem"
    path.write_bytes(usable_pem())
    return str(path)


# --- environment variables


@each_face
def test_environment_service_principal_with_client_secret(face: Face, variables: Callable[..., None]) -> None:
    """AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET."""
    variables(AZURE_TENANT_ID="tid", AZURE_CLIENT_ID="cid", AZURE_CLIENT_SECRET=planted("secret"))
    for name in ("EnvironmentCredential", "DefaultAzureCredential"):
        io = ScriptedIO(token("T1"))

        assert face.ask(face.make(name), io, SCOPE).token == "T1"
        assert (io.forms[0]["client_id"], io.forms[0]["client_secret"]) == ("cid", planted("secret"))
        assert "/tid/" in io.requests[0].url


@each_face
@pytest.mark.parametrize("password", [None, "", planted("password")], ids=["no password", "blank", "password"])
def test_environment_service_principal_with_certificate(
    face: Face, variables: Callable[..., None], tmp_path: Path, password: Optional[str]
) -> None:
    """AZURE_CLIENT_CERTIFICATE_PATH, and an optional AZURE_CLIENT_CERTIFICATE_PASSWORD."""
    path = tmp_path / "cert.pem"
    path.write_bytes(key_pem(password=password.encode() if password else None) + leaf_pem())
    variables(AZURE_TENANT_ID="tid", AZURE_CLIENT_ID="cid", AZURE_CLIENT_CERTIFICATE_PATH=str(path))
    if password is not None:
        variables(AZURE_CLIENT_CERTIFICATE_PASSWORD=password)
    io = ScriptedIO(token("T1"))

    assert face.ask(face.make("DefaultAzureCredential"), io, SCOPE).token == "T1"
    assert io.forms[0]["client_assertion"].count(".") == 2


@each_face
@pytest.mark.parametrize(
    ("value", "host"),
    [
        (None, "login.microsoftonline.com"),
        ("", "login.microsoftonline.com"),
        ("login.microsoftonline.com", "login.microsoftonline.com"),
        ("login.chinacloudapi.cn", "login.chinacloudapi.cn"),
        ("login.microsoftonline.us", "login.microsoftonline.us"),
    ],
)
def test_environment_authority(face: Face, variables: Callable[..., None], value: Optional[str], host: str) -> None:
    """AZURE_AUTHORITY_HOST, without a scheme."""
    variables(AZURE_TENANT_ID="tid", AZURE_CLIENT_ID="cid", AZURE_CLIENT_SECRET=planted("secret"))
    if value is not None:
        variables(AZURE_AUTHORITY_HOST=value)
    io = ScriptedIO(token())

    face.ask(face.make("DefaultAzureCredential"), io, SCOPE)

    assert io.requests[0].url.split("/")[2] == host


@each_face
def test_environment_user_assigned_managed_identity(face: Face, variables: Callable[..., None]) -> None:
    """AZURE_CLIENT_ID alone."""
    variables(AZURE_CLIENT_ID=GUID)
    io = ScriptedIO(PRESENT, FOUND)

    assert face.ask(face.make("DefaultAzureCredential"), io, SCOPE).token == "T1"
    assert f"client_id={GUID}" in io.requests[-1].url


DEV = ["SharedTokenCache", "VisualStudioCode", "AzureCli", "AzurePowerShell", "AzureDeveloperCli", "Broker"]
PROD = ["Environment", "WorkloadIdentity", "ManagedIdentity"]


@each_face
@pytest.mark.parametrize(
    ("value", "members"),
    [
        ("dev", DEV),
        ("prod", PROD),
        ("AzureCliCredential", ["AzureCli"]),
        ("managedidentitycredential", ["ManagedIdentity"]),
        ("InteractiveBrowserCredential", ["InteractiveBrowser"]),
        ("", [*PROD, *DEV]),
    ],
)
def test_environment_credential_selection(
    face: Face, variables: Callable[..., None], value: str, members: list[str]
) -> None:
    """AZURE_TOKEN_CREDENTIALS=dev|prod|<credential-name>."""
    variables(AZURE_TOKEN_CREDENTIALS=value)

    assert names(face.make("DefaultAzureCredential")) == [f"{name}Credential" for name in members]


@each_face
def test_environment_as_a_template_leaves_it(face: Face, variables: Callable[..., None], az: str) -> None:
    """Every variable of the card is there, and blank: as if none was."""
    variables(
        AZURE_TENANT_ID="",
        AZURE_CLIENT_ID="",
        AZURE_CLIENT_SECRET="",
        AZURE_CLIENT_CERTIFICATE_PATH="",
        AZURE_CLIENT_CERTIFICATE_PASSWORD="",
        AZURE_AUTHORITY_HOST="",
        AZURE_TOKEN_CREDENTIALS="",
    )
    io = ScriptedIO(CLI)

    chain = face.make("DefaultAzureCredential", exclude_managed_identity_credential=True)
    assert face.ask(chain, io, SCOPE).token == "T1"


# --- exclude keywords

EXCLUDE = (
    ("exclude_environment_credential", False, "EnvironmentCredential"),
    ("exclude_workload_identity_credential", False, "WorkloadIdentityCredential"),
    ("exclude_managed_identity_credential", False, "ManagedIdentityCredential"),
    ("exclude_shared_token_cache_credential", False, "SharedTokenCacheCredential"),
    ("exclude_visual_studio_code_credential", False, "VisualStudioCodeCredential"),
    ("exclude_cli_credential", False, "AzureCliCredential"),
    ("exclude_powershell_credential", False, "AzurePowerShellCredential"),
    ("exclude_developer_cli_credential", False, "AzureDeveloperCliCredential"),
    ("exclude_interactive_browser_credential", True, "InteractiveBrowserCredential"),
    ("exclude_broker_credential", False, "BrokerCredential"),
)


@each_face
@pytest.mark.parametrize(("keyword", "default", "member"), EXCLUDE, ids=[row[0] for row in EXCLUDE])
def test_exclude_parameter(face: Face, keyword: str, default: bool, member: str) -> None:
    """The default as the table has it; True leaves the member out, False puts it in, and nothing else changes."""
    usual = names(face.make("DefaultAzureCredential"))
    without = names(face.make("DefaultAzureCredential", **{keyword: True}))
    with_it = names(face.make("DefaultAzureCredential", **{keyword: False}))

    assert (member in usual) is not default
    assert without == [name for name in usual if name != member]
    assert [name for name in with_it if name != member] == without
    assert member in with_it


@each_face
def test_exclude_parameters_are_these(face: Face) -> None:
    """The signature has no others."""
    signature = inspect.signature(face.package.DefaultAzureCredential)

    assert {name for name in signature.parameters if name.startswith("exclude_")} == {row[0] for row in EXCLUDE}


# --- customizing DefaultAzureCredential


@each_face
@pytest.mark.parametrize(
    ("value", "field"),
    [("<client-id>", "client_id"), (GUID, "client_id"), ("/subscriptions/s/resourcegroups/g/x", "msi_res_id")],
    ids=["client id", "a GUID", "resource id"],
)
def test_managed_identity_client_id(face: Face, value: str, field: str) -> None:
    """Also a resource id; that a GUID may be an object id is tested with managed identity."""
    io = ScriptedIO(PRESENT, FOUND)
    chain = face.make(
        "DefaultAzureCredential",
        exclude_environment_credential=True,
        exclude_shared_token_cache_credential=True,
        managed_identity_client_id=value,
    )

    assert face.ask(chain, io, SCOPE).token == "T1"
    assert f"{field}=" in io.requests[-1].url


@each_face
def test_process_timeout(face: Face, install: Callable[[str], str]) -> None:
    """Reaches all three tools; 10 seconds by default."""
    for program in ("az", "azd", "pwsh"):
        install(program)
    for given, seconds in (({}, 10), ({"process_timeout": 30}, 30)):
        io = ScriptedIO(*[Completed(1, "", "boom")] * 3)
        options = {row[0]: True for row in EXCLUDE if "cli" not in row[0] and "powershell" not in row[0]}
        with pytest.raises(CredentialUnavailableError):
            face.ask(face.make("DefaultAzureCredential", **options, **given), io, SCOPE)
        assert [command.timeout for command in io.commands] == [seconds] * 3


@each_face
@pytest.mark.parametrize("value", [None, "", " "])
def test_require_envvar(face: Face, variables: Callable[..., None], value: Optional[str]) -> None:
    """Without AZURE_TOKEN_CREDENTIALS the constructor refuses; with it, the chain is what it says."""
    if value is not None:
        variables(AZURE_TOKEN_CREDENTIALS=value)
    with pytest.raises(ValueError, match="AZURE_TOKEN_CREDENTIALS"):
        face.make("DefaultAzureCredential", require_envvar=True)

    variables(AZURE_TOKEN_CREDENTIALS="dev")
    assert len(face.make("DefaultAzureCredential", require_envvar=True).credentials) == len(DEV)


@each_face
@pytest.mark.parametrize(
    ("constant", "host"),
    [
        ("AZURE_PUBLIC_CLOUD", "login.microsoftonline.com"),
        ("AZURE_GOVERNMENT", "login.microsoftonline.us"),
        ("AZURE_CHINA", "login.chinacloudapi.cn"),
    ],
)
def test_sovereign_cloud(face: Face, variables: Callable[..., None], constant: str, host: str) -> None:
    """`DefaultAzureCredential(authority=AzureAuthorityHosts...)`."""
    variables(AZURE_TENANT_ID="tid", AZURE_CLIENT_ID="cid", AZURE_CLIENT_SECRET=planted("secret"))
    io = ScriptedIO(token())

    assert getattr(AzureAuthorityHosts, constant) == host
    face.ask(face.make("DefaultAzureCredential", authority=getattr(AzureAuthorityHosts, constant)), io, SCOPE)
    assert io.requests[0].url.split("/")[2] == host


# --- credential types


def jwt() -> str:
    parts: tuple[Any, ...] = ({"alg": "RS256"}, {"iss": "i", "sub": "s", "aud": "a", "exp": NOW + 3600}, "s")
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


class Row(NamedTuple):
    """A credential of the tables, and a script on which it gets the token T1."""

    name: str
    make: Callable[[Face, str], Any]
    """Given the face, and the path of a certificate."""
    script: Callable[[], ScriptedIO]
    environment: Mapping[str, str] = {}


def answers(*replies: Any, **options: Any) -> Callable[[], ScriptedIO]:
    return lambda: ScriptedIO(*replies, **options)


def browser_signs_in() -> ScriptedIO:
    io = ScriptedIO(comes_back)
    io.will(answering(io, ADA.token("T1")))
    return io


SECRET = {"AZURE_TENANT_ID": "tid", "AZURE_CLIENT_ID": "cid", "AZURE_CLIENT_SECRET": planted("secret")}
AGENT = {"SYSTEM_OIDCREQUESTURI": "https://dev.azure.com/oidc"}
AZD = Completed(0, json.dumps({"token": "T1", "expiresOn": "2027-01-15T09:00:00Z"}))
TOKEN_FILE = "/var/run/secrets/azure/tokens/azure-identity-token"
ROWS = (
    # chains
    Row("DefaultAzureCredential", lambda face, _: face.make("DefaultAzureCredential"), answers(token("T1")), SECRET),
    Row(
        "ChainedTokenCredential",
        lambda face, _: face.package.ChainedTokenCredential(
            face.make("ManagedIdentityCredential", client_id=""), face.make("AzureCliCredential")
        ),
        answers(Unreachable("http://169.254.169.254", "no route"), CLI),
    ),
    # Azure-hosted applications
    Row("EnvironmentCredential", lambda face, _: face.make("EnvironmentCredential"), answers(token("T1")), SECRET),
    Row("ManagedIdentityCredential", lambda face, _: face.make("ManagedIdentityCredential"), answers(FOUND)),
    Row(
        "WorkloadIdentityCredential",
        lambda face, _: face.make(
            "WorkloadIdentityCredential", tenant_id="tid", client_id="cid", token_file_path=TOKEN_FILE
        ),
        answers(token("T1"), files={TOKEN_FILE: jwt().encode()}),
    ),
    # service principals
    Row(
        "ClientSecretCredential",
        lambda face, _: face.make(
            "ClientSecretCredential", tenant_id="tid", client_id="cid", client_secret=planted("secret")
        ),
        answers(token("T1")),
    ),
    Row(
        "CertificateCredential",
        lambda face, path: face.make(
            "CertificateCredential", tenant_id="tid", client_id="cid", certificate_path=path, password=""
        ),
        answers(token("T1")),
    ),
    Row(
        "ClientAssertionCredential",
        lambda face, _: face.make(
            "ClientAssertionCredential", tenant_id="tid", client_id="cid", func=lambda: planted("assertion")
        ),
        answers(token("T1")),
    ),
    Row(
        "AzurePipelinesCredential",
        lambda face, _: face.make(
            "AzurePipelinesCredential",
            tenant_id="tid",
            client_id="cid",
            service_connection_id="connection",
            system_access_token=planted("system"),
        ),
        answers(reply(200, {"oidcToken": planted("oidc")}), token("T1")),
        AGENT,
    ),
    Row(
        "OnBehalfOfCredential",
        lambda face, _: face.make(
            "OnBehalfOfCredential",
            tenant_id="tid",
            client_id="cid",
            client_secret=planted("secret"),
            user_assertion=planted(f"card-{face.name}"),
        ),
        answers(token("T1")),
    ),
    # user authentication
    Row("InteractiveBrowserCredential", lambda face, _: face.make("InteractiveBrowserCredential"), browser_signs_in),
    Row(
        "DeviceCodeCredential",
        lambda face, _: face.make("DeviceCodeCredential", prompt_callback=lambda uri, code, expires: None),
        answers(device_code(), ADA.token("T1")),
    ),
    Row(
        "AuthorizationCodeCredential",
        lambda face, _: face.make(
            "AuthorizationCodeCredential",
            tenant_id="tid",
            client_id="cid",
            authorization_code=CODE,
            redirect_uri="http://localhost:8400",
        ),
        answers(ADA.token("T1")),
    ),
    # developer tools
    Row("AzureCliCredential", lambda face, _: face.make("AzureCliCredential", tenant_id=""), answers(CLI)),
    Row("AzureDeveloperCliCredential", lambda face, _: face.make("AzureDeveloperCliCredential"), answers(AZD)),
    Row(
        "AzurePowerShellCredential",
        lambda face, _: face.make("AzurePowerShellCredential"),
        answers(Completed(0, f"azsdk%T1%{NOW + 3600}")),
    ),
)


@each_face
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_credential_type(
    face: Face, row: Row, variables: Callable[..., None], install: Callable[[str], str], certificate_file: str
) -> None:
    """It exists in both worlds, is a credential for service clients, and gets a token."""
    for program in ("az", "azd", "pwsh"):
        install(program)
    variables(**row.environment)
    io = row.script()

    credential = row.make(face, certificate_file)

    kinds = (
        (TokenCredential, SupportsTokenInfo) if face.name == "sync" else (AsyncTokenCredential, AsyncSupportsTokenInfo)
    )
    assert all(isinstance(credential, kind) for kind in kinds)
    assert face.ask(credential, io, SCOPE).token == "T1"
    io.finished()


@each_face
def test_credential_type_visual_studio_code(face: Face) -> None:
    """Where nobody is signed in there it says what it takes; with a broker it is tested in `tests/broker`."""
    with pytest.raises(CredentialUnavailableError, match="signed in to Azure in Visual Studio Code"):
        face.ask(face.make("VisualStudioCodeCredential"), ScriptedIO(), SCOPE)


@each_face
def test_credential_types_of_the_card_are_all_tried(face: Face) -> None:
    """Seventeen; the card says too what does not exist."""
    tried = {row.name for row in ROWS} | {"VisualStudioCodeCredential"}

    assert len(tried) == 17
    assert tried <= set(face.package.__all__)
    assert not hasattr(face.package, "ClientCertificateCredential")

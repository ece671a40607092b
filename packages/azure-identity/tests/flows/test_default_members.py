"""DefaultAzureCredential: which keyword, variable and option reaches which member; which failures end the search."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any, Callable

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from foreign import TokenOnly
from scripted import NOW, ScriptedIO, refusal, reply, token
from shared_cache import SCOPE, account, document, refresh_token

from azure.identity import CredentialUnavailableError, TokenCachePersistenceOptions
from azure.identity._cache.store import PlainFileStore
from azure.identity._credentials.default import LINKS
from azure.identity._values.messages import CannotRun, Completed, Response, TimedOut, Unreachable

each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.name))
ENVIRONMENT, WORKLOAD, MANAGED = "EnvironmentCredential", "WorkloadIdentityCredential", "ManagedIdentityCredential"
SHARED, VSCODE, BROWSER = "SharedTokenCacheCredential", "VisualStudioCodeCredential", "InteractiveBrowserCredential"
CLI, POWERSHELL, AZD, BROKER = (
    "AzureCliCredential",
    "AzurePowerShellCredential",
    "AzureDeveloperCliCredential",
    "BrokerCredential",
)
US = "login.microsoftonline.us"


def of(face: Face, *names: str, **options: Any) -> Any:
    """The chain with these members only."""
    return face.make("DefaultAzureCredential", **{link.exclude: link.name not in names for link in LINKS}, **options)


def member(face: Face, name: str, **options: Any) -> Any:
    """The only member of such a chain."""
    [found] = of(face, name, **options).credentials
    return found


def cache_with(*accounts: Any) -> dict[str, bytes]:
    return {PlainFileStore("msal.cache", cae=False).path: document(*accounts).encode()}


# --- keywords and variables of single members


@each_face
@pytest.mark.parametrize(
    ("options", "variables", "expected"),
    [
        ({}, {}, None),
        ({}, {"AZURE_USERNAME": "u", "AZURE_TENANT_ID": "t"}, "username: u, tenant: t"),
        ({"shared_cache_username": "k"}, {"AZURE_USERNAME": "u"}, "username: k"),
        ({"shared_cache_tenant_id": "k"}, {"AZURE_TENANT_ID": "t"}, "tenant: k"),
        (
            {"shared_cache_username": None, "shared_cache_tenant_id": ""},
            {"AZURE_USERNAME": "u", "AZURE_TENANT_ID": "t"},
            None,
        ),
    ],
    ids=["nothing", "variables", "user", "tenant", "explicitly none"],
)
def test_which_account_of_the_shared_cache(
    monkeypatch: pytest.MonkeyPatch, face: Face, options: Any, variables: dict[str, str], expected: Any
) -> None:
    """The keyword, even if it is None; else the variable; else any account."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    io = ScriptedIO(token("T1"), files=cache_with(account(), refresh_token()))
    chain = of(face, SHARED, **options)

    if expected is None:
        assert face.ask(chain, io, SCOPE).token == "T1"
    else:
        with pytest.raises(CredentialUnavailableError, match=f"No account matching the specified {expected} was found"):
            face.ask(chain, io, SCOPE)


@each_face
def test_the_tenant_of_visual_studio_code_has_a_keyword_only(monkeypatch: pytest.MonkeyPatch, face: Face) -> None:
    """Without it, it is the account's."""
    monkeypatch.setenv("AZURE_TENANT_ID", "from-environment")

    assert member(face, VSCODE)._tenant is None
    assert member(face, VSCODE, visual_studio_code_tenant_id="t")._tenant == "t"


@each_face
@pytest.mark.parametrize(
    ("options", "tenant", "client"),
    [
        ({}, "env", None),
        ({"broker_tenant_id": "k", "broker_client_id": "c"}, "k", "c"),
        ({"broker_tenant_id": None}, None, None),
    ],
)
def test_the_brokers_tenant_and_client(
    monkeypatch: pytest.MonkeyPatch, face: Face, options: Any, tenant: Any, client: Any
) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", "env")
    found = member(face, BROKER, **options)

    assert (found._tenant_id, found._client_id) == (tenant, client)


@each_face
@pytest.mark.parametrize("name", [CLI, POWERSHELL, AZD])
def test_the_time_for_tools(face: Face, name: str) -> None:
    """Ten seconds, or what the keyword says."""
    assert member(face, name)._process_timeout == 10
    assert member(face, name, process_timeout=42)._process_timeout == 42


# --- what reaches every member it can concern


def authority_of(found: Any) -> str:
    """Where a member gets its tokens."""
    if getattr(found, "_credential", None) is not None:  # of the environment
        found = found._credential
    return str(found._options["authority"] if hasattr(found, "_options") else found._authority.url)


@each_face
@pytest.mark.parametrize("by", ["keyword", "variable"])
@pytest.mark.parametrize("name", [ENVIRONMENT, WORKLOAD, SHARED, BROWSER, BROKER])
def test_the_authority_reaches_every_member_that_has_one(
    monkeypatch: pytest.MonkeyPatch, face: Face, name: str, by: str
) -> None:
    """(The published package leaves out workload identity, browser and broker.)"""
    for variable in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "FEDERATED_TOKEN_FILE"):
        monkeypatch.setenv(f"AZURE_{variable}", "x")
    if by == "variable":
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", US)

    found = member(face, name, **({"authority": US} if by == "keyword" else {}))

    assert authority_of(found) == f"https://{US}"


@each_face
@pytest.mark.parametrize("name", [ENVIRONMENT, WORKLOAD, SHARED, BROWSER])
def test_tenants_that_are_allowed_reach_every_member_that_asks_entra(
    monkeypatch: pytest.MonkeyPatch, face: Face, name: str
) -> None:
    for variable in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "FEDERATED_TOKEN_FILE"):
        monkeypatch.setenv(f"AZURE_{variable}", "x")
    found = member(face, name, additionally_allowed_tenants=["other"], disable_instance_discovery=True)
    found = getattr(found, "_credential", None) or found

    assert found._allowed_tenants == ("other",)
    assert found._trusted is True


@each_face
@pytest.mark.parametrize("name", [VSCODE, BROKER])
def test_and_the_brokers_credential(face: Face, name: str) -> None:
    """All options: it decides."""
    persistence = TokenCachePersistenceOptions(name="mine")
    given = member(
        face, name, additionally_allowed_tenants=["other"], cache_persistence_options=persistence, retry_total=1
    )._options

    assert given["additionally_allowed_tenants"] == ["other"]
    assert given["cache_persistence_options"] is persistence
    assert given["retry_total"] == 1


@each_face
def test_every_member_accepts_persistence_and_pipeline_options(monkeypatch: pytest.MonkeyPatch, face: Face) -> None:
    """None is refused or broken by them; the shared cache reads the one that is named."""
    for variable in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "FEDERATED_TOKEN_FILE"):
        monkeypatch.setenv(f"AZURE_{variable}", "x")
    chain = face.make(
        "DefaultAzureCredential",
        exclude_interactive_browser_credential=False,
        cache_persistence_options=TokenCachePersistenceOptions(name="mine", allow_unencrypted_storage=True),
        retry_total=1,
        connection_timeout=5,
        headers={"X": "1"},
        timeout=5,
    )

    assert len(chain.credentials) == len(LINKS)
    assert not [
        found
        for found in chain.credentials
        if "Broken" in type(found).__name__ or "Unavailable" in type(found).__name__
    ]
    shared = chain.credentials[[link.name for link in LINKS].index(SHARED)]
    assert shared._store_name == "mine"
    assert shared._pipeline_options["retry_total"] == 1


@each_face
def test_without_any_configuration_no_member_is_broken(face: Face) -> None:
    """Each can say by itself why it has no token."""
    chain = face.make("DefaultAzureCredential", exclude_interactive_browser_credential=False)

    assert len(chain.credentials) == len(LINKS)
    assert [type(found).__name__ for found in chain.credentials if "Broken" in type(found).__name__] == []


@each_face
def test_on_an_empty_machine_every_member_says_what_it_lacks(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, each with a reason; nobody could try."""
    monkeypatch.setitem(sys.modules, "azure.identity.broker", None)
    io = ScriptedIO(Unreachable(IMDS, "refused"))

    with pytest.raises(CredentialUnavailableError) as caught:
        face.ask(face.make("DefaultAzureCredential"), io, SCOPE)

    attempts = caught.value.attempts
    assert [attempt.name for attempt in attempts] == [link.name for link in LINKS if link.included]
    assert all(len(attempt.reason) > 20 and attempt.outcome == "could not try" for attempt in attempts)
    lines = str(caught.value).splitlines()
    assert [line[1:].partition(":")[0] for line in lines if line.startswith("\t") and line[1] != "\t"] == [
        attempt.name for attempt in attempts
    ]
    io.finished()


# --- arguments are refused by the constructor, variables when a member is asked


@each_face
@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"process_timeout": 0}, ValueError, "process_timeout must be a positive number of seconds, but it is 0"),
        ({"process_timeout": "10"}, ValueError, "process_timeout must be a positive number"),
        ({"additionally_allowed_tenants": "contoso.com"}, TypeError, "additionally_allowed_tenants must be a list"),
        ({"shared_cache_tenant_id": "a b"}, ValueError, "shared_cache_tenant_id is invalid: 'a b'"),
        ({"broker_tenant_id": "a b"}, ValueError, "broker_tenant_id is invalid: 'a b'"),
        ({"interactive_browser_tenant_id": "a b"}, ValueError, "interactive_browser_tenant_id is invalid"),
        ({"workload_identity_tenant_id": "a b"}, ValueError, "workload_identity_tenant_id is invalid"),
        ({"visual_studio_code_tenant_id": "a b"}, ValueError, "visual_studio_code_tenant_id is invalid"),
    ],
)
def test_a_malformed_argument_is_refused_at_once(face: Face, options: Any, kind: Any, words: str) -> None:
    """By name. (It would otherwise come up when its member is reached, in production perhaps.)"""
    with pytest.raises(kind, match=words):
        face.make("DefaultAzureCredential", **options)


@each_face
def test_a_malformed_variable_concerns_its_members_only(monkeypatch: pytest.MonkeyPatch, face: Face, az: str) -> None:
    """A developer's tool does not read it."""
    monkeypatch.setenv("AZURE_TENANT_ID", "a b")
    io = ScriptedIO(Completed(0, json.dumps({"accessToken": "CLI", "expires_on": NOW + 3600})))

    assert face.ask(of(face, ENVIRONMENT, CLI), io, SCOPE).token == "CLI"


# --- several scopes


@each_face
def test_members_for_one_scope_are_passed_over_when_there_are_several(
    face: Face, install: Callable[[str], str]
) -> None:
    """The Azure Developer CLI takes several. (In the published package the search ends at managed identity.)"""
    for program in ("az", "azd", "pwsh"):
        install(program)
    io = ScriptedIO(Completed(0, json.dumps({"token": "T1", "expiresOn": "2027-01-15T09:00:00Z"})))
    chain = of(face, MANAGED, CLI, POWERSHELL, AZD)

    assert face.ask(chain, io, "a/.default", "b/.default").token == "T1"
    io.finished()


@each_face
def test_if_no_member_takes_several_each_says_so(face: Face, az: str) -> None:
    with pytest.raises(CredentialUnavailableError, match="requires exactly one scope per token request, but got 2"):
        face.ask(of(face, CLI), ScriptedIO(), "a", "b")


# --- which failures end the search

IMDS = "http://127.0.0.1:9"
APP_SERVICE = {"IDENTITY_ENDPOINT": "http://localhost/msi", "IDENTITY_HEADER": "h"}
SECRET = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s"}
FEDERATED = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_FEDERATED_TOKEN_FILE": "/no/such/token"}
FEDERATED_TOKEN = b".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
    for part in (
        {"alg": "RS256"},
        {"iss": "https://i", "sub": "s", "aud": "api://AzureADTokenExchange", "exp": NOW + 3600},
        "signature",
    )
)
DEAD = refusal("invalid_grant", "AADSTS700082: expired", 400)
GOES_ON, STOPS = "goes on", "stops"


@each_face
@pytest.mark.parametrize(
    ("name", "variables", "replies", "outcome"),
    [
        pytest.param(ENVIRONMENT, {}, (), GOES_ON, id="environment: not configured"),
        pytest.param(ENVIRONMENT, {**SECRET, "AZURE_CLIENT_SECRET": ""}, (), GOES_ON, id="environment: incomplete"),
        pytest.param(ENVIRONMENT, SECRET, (refusal(),), STOPS, id="environment: refused"),
        pytest.param(ENVIRONMENT, SECRET, (Unreachable("https://x", "no"),), STOPS, id="environment: unreachable"),
        pytest.param(
            ENVIRONMENT,
            {**SECRET, "AZURE_CLIENT_SECRET": "", "AZURE_CLIENT_CERTIFICATE_PATH": "/no/such.pem"},
            (),
            STOPS,
            id="environment: no such certificate",
        ),
        pytest.param(WORKLOAD, {}, (), GOES_ON, id="workload identity: not configured"),
        pytest.param(WORKLOAD, {**FEDERATED, "AZURE_CLIENT_ID": ""}, (), GOES_ON, id="workload identity: no client id"),
        pytest.param(WORKLOAD, FEDERATED, (), GOES_ON, id="workload identity: no token file"),
        pytest.param(WORKLOAD, {**FEDERATED, "files": "yes"}, (refusal(),), STOPS, id="workload identity: refused"),
        pytest.param(MANAGED, {}, (Unreachable(IMDS, "no"),), GOES_ON, id="managed identity: no IMDS"),
        pytest.param(MANAGED, {}, (Response(200, {}, b"<html>"),) * 2, GOES_ON, id="managed identity: something else"),
        pytest.param(MANAGED, APP_SERVICE, (reply(500, {}),), STOPS, id="managed identity: App Service fails"),
        pytest.param(SHARED, {}, (), GOES_ON, id="shared cache: none"),
        pytest.param(SHARED, {"files": "yes"}, (DEAD,), GOES_ON, id="shared cache: refused"),
        pytest.param(
            SHARED, {"files": "yes"}, (Unreachable("https://x", "no"),), GOES_ON, id="shared cache: unreachable"
        ),
        pytest.param(VSCODE, {}, (), GOES_ON, id="Visual Studio Code: nobody signed in"),
        pytest.param(CLI, {}, (), GOES_ON, id="az: not installed"),
        pytest.param(CLI, {"program": "az"}, (Completed(1, "", "az login"),), GOES_ON, id="az: not signed in"),
        pytest.param(CLI, {"program": "az"}, (Completed(1, "", "AADSTS50076"),), GOES_ON, id="az: refused"),
        pytest.param(CLI, {"program": "az"}, (Completed(0, "?"),), GOES_ON, id="az: unexpected output"),
        pytest.param(CLI, {"program": "az"}, (TimedOut("x"),), GOES_ON, id="az: too slow"),
        pytest.param(POWERSHELL, {}, (), GOES_ON, id="pwsh: not installed"),
        pytest.param(POWERSHELL, {"program": "pwsh"}, (Completed(0, "?"),), GOES_ON, id="pwsh: unexpected output"),
        pytest.param(POWERSHELL, {"program": "pwsh"}, (CannotRun("x"),), GOES_ON, id="pwsh: cannot be started"),
        pytest.param(AZD, {}, (), GOES_ON, id="azd: not installed"),
        pytest.param(AZD, {"program": "azd"}, (Completed(1, "", "AADSTS50076"),), GOES_ON, id="azd: refused"),
        pytest.param(AZD, {"program": "azd"}, (Completed(0, "?"),), GOES_ON, id="azd: unexpected output"),
        pytest.param(BROKER, {}, (), GOES_ON, id="broker: not installed"),
    ],
)
def test_which_failures_end_the_search(
    monkeypatch: pytest.MonkeyPatch,
    install: Callable[[str], str],
    face: Face,
    name: str,
    variables: dict[str, str],
    replies: Any,
    outcome: str,
) -> None:
    """What is not configured, or a tool that fails, is passed over. An identity that is configured but refused is not:
    another one would be a surprise."""
    monkeypatch.setitem(sys.modules, "azure.identity.broker", None)
    there = {**cache_with(account(), refresh_token()), "/no/such/token": FEDERATED_TOKEN}
    files = there if variables.get("files") else {}
    if "program" in variables:
        install(variables["program"])
    for variable, value in variables.items():
        if variable.isupper():
            monkeypatch.setenv(variable, value)
    chain = of(face, name, retry_total=0)
    last = TokenOnly("next")
    chain.credentials = (*chain.credentials, last)
    io = ScriptedIO(*replies, files=files)

    if outcome == GOES_ON:
        assert face.ask(chain, io, SCOPE).token == "next"
    else:
        with pytest.raises(ClientAuthenticationError) as caught:
            face.ask(chain, io, SCOPE)
        assert not isinstance(caught.value, CredentialUnavailableError)
        assert [attempt.name for attempt in caught.value.attempts] == [name]  # type: ignore[attr-defined]
        assert last.calls == []


@each_face
@pytest.mark.parametrize(
    ("asked", "kind", "words"),
    [
        ({"tenant": "a;b"}, ClientAuthenticationError, "tenant_id is invalid"),
        ({"scopes": ("a;b",)}, ClientAuthenticationError, "An invalid scope was provided"),
    ],
)
def test_a_request_no_tool_should_see_ends_the_search(face: Face, az: str, asked: Any, kind: Any, words: str) -> None:
    """It is the caller's mistake, not the tool's."""
    chain = of(face, CLI)
    last = TokenOnly("next")
    chain.credentials = (*chain.credentials, last)

    with pytest.raises(kind, match=words) as caught:
        face.ask(chain, ScriptedIO(), *asked.get("scopes", (SCOPE,)), tenant=asked.get("tenant"))

    assert not isinstance(caught.value, CredentialUnavailableError)
    assert last.calls == []

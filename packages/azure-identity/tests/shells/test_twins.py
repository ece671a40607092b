"""The public classes, and the two faces they wear: what is exported, how it is called, opened, closed, and copied."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import sys
import threading
import types
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

import credentials
import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo, SupportsTokenInfo, TokenCredential
from azure.core.credentials_async import AsyncSupportsTokenInfo, AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError
from credentials import ARGUMENTS, NO_OPTIONS, TOOLS, make
from leak_watch import MARK, planted
from loopback import eventually
from worlds import World

from azure import identity
from azure.identity import aio
from entra_emulator import EntraEmulator

SCOPE = "https://vault.azure.net/.default"

# What programs import from the published package. More may be exported.
SYNC_NAMES = {
    "AuthenticationRecord",
    "AuthenticationRequiredError",
    "AuthorizationCodeCredential",
    "AzureAuthorityHosts",
    "AzureCliCredential",
    "AzureDeveloperCliCredential",
    "AzurePipelinesCredential",
    "AzurePowerShellCredential",
    "CertificateCredential",
    "ChainedTokenCredential",
    "ClientAssertionCredential",
    "ClientSecretCredential",
    "CredentialUnavailableError",
    "DefaultAzureCredential",
    "DeviceCodeCredential",
    "EnvironmentCredential",
    "InteractiveBrowserCredential",
    "KnownAuthorities",
    "ManagedIdentityCredential",
    "OnBehalfOfCredential",
    "SharedTokenCacheCredential",
    "TokenCachePersistenceOptions",
    "UsernamePasswordCredential",
    "VisualStudioCodeCredential",
    "WorkloadIdentityCredential",
    "get_bearer_token_provider",
}
ASYNC_NAMES = {
    "AuthorizationCodeCredential",
    "AzureCliCredential",
    "AzureDeveloperCliCredential",
    "AzurePipelinesCredential",
    "AzurePowerShellCredential",
    "CertificateCredential",
    "ChainedTokenCredential",
    "ClientAssertionCredential",
    "ClientSecretCredential",
    "DefaultAzureCredential",
    "EnvironmentCredential",
    "ManagedIdentityCredential",
    "OnBehalfOfCredential",
    "SharedTokenCacheCredential",
    "VisualStudioCodeCredential",
    "WorkloadIdentityCredential",
    "get_bearer_token_provider",
}

CREDENTIALS = sorted(name for name in identity.__all__ if name.endswith("Credential"))
PAIRS = sorted(name for name in aio.__all__ if name.endswith("Credential") and name in identity.__all__)
CLASSES = [("azure.identity", name) for name in CREDENTIALS] + [("azure.identity.aio", name) for name in PAIRS]


def each(classes: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("package", "name"), classes, ids=[f"{package}.{name}" for package, name in classes])


each_class = each(CLASSES)
each_with_options = each([one for one in CLASSES if one[1] not in NO_OPTIONS])
# Without variables an EnvironmentCredential says first that it is not configured.
each_configured = each([one for one in CLASSES if one[1] != "EnvironmentCredential"])


def module(name: str) -> types.ModuleType:
    return sys.modules[name]


# --- names


def test_what_programs_import_is_exported() -> None:
    assert set() == SYNC_NAMES - set(identity.__all__)
    assert set() == ASYNC_NAMES - set(aio.__all__)


@pytest.mark.parametrize("package", [identity, aio], ids=["sync", "async"])
def test_exported_names_can_be_used(package: types.ModuleType) -> None:
    """`from azure.identity import *` works, `dir` shows it all, and nothing else is there by accident."""
    assert [name for name in package.__all__ if getattr(package, name, None) is None] == []
    assert set(package.__all__) <= set(dir(package))
    assert len(set(package.__all__)) == len(package.__all__)
    assert set(package.__all__) == set(package._PLACES)


@pytest.mark.parametrize("name", ["ClientCertificateCredential", "TokenCredential", "AzureApplicationCredential", "x"])
@pytest.mark.parametrize("package", [identity, aio], ids=["sync", "async"])
def test_other_names_do_not_exist(package: types.ModuleType, name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(package, name)


def test_every_credential_has_a_line_in_the_table() -> None:
    """The tests of this file hold for all credentials: `credentials.py` says how to make each."""
    assert sorted(set(CREDENTIALS) - set(ARGUMENTS)) == []


def test_the_version_is_a_string() -> None:
    assert identity.__version__.count(".") >= 2


# --- twins


@pytest.mark.parametrize("name", PAIRS)
def test_sync_and_async_twins_agree(name: str) -> None:
    """A public pair has the same constructor and the same documentation."""
    sync, twin = getattr(identity, name), getattr(aio, name)

    assert (inspect.signature(sync), inspect.getdoc(sync)) == (inspect.signature(twin), inspect.getdoc(twin))
    assert len(inspect.getdoc(sync) or "") > 40


@pytest.mark.parametrize("method", ["get_token", "get_token_info", "close"])
@pytest.mark.parametrize("name", PAIRS)
def test_their_methods_agree(name: str, method: str) -> None:
    """The same parameters and the same documentation; one is a coroutine function."""
    sync, twin = getattr(getattr(identity, name), method), getattr(getattr(aio, name), method)

    assert inspect.signature(sync).parameters == inspect.signature(twin).parameters
    assert (inspect.getdoc(sync), bool(inspect.getdoc(sync))) == (inspect.getdoc(twin), True)
    assert (inspect.iscoroutinefunction(sync), inspect.iscoroutinefunction(twin)) == (False, True)


@each_class
def test_a_public_class_defines_nothing_but_its_documentation(package: str, name: str) -> None:
    """No logic is written twice: the flow has it, and the face."""
    made_by_python = {
        "__module__",
        "__doc__",
        "__qualname__",
        "__firstlineno__",
        "__static_attributes__",
        "__abstractmethods__",
        "__parameters__",
        "_abc_impl",
    }
    defined = vars(getattr(module(package), name))
    # Python puts an empty one there when somebody looks, as checks against protocols do.
    annotated = {"__annotations__"} if not defined.get("__annotations__") else set()
    assert set(defined) - made_by_python - annotated == set()


@each_class
def test_a_class_says_where_users_find_it(package: str, name: str) -> None:
    """Tracebacks, help and pickles show no private place."""
    cls = getattr(module(package), name)

    assert (package, name, name) == (cls.__module__, cls.__name__, cls.__qualname__)
    assert repr(cls) == f"<class '{package}.{name}'>"


@each_class
def test_a_credential_is_what_azure_core_asks_for(package: str, name: str) -> None:
    """Class objects too: programs check those."""
    wanted = (
        (TokenCredential, SupportsTokenInfo)
        if package == "azure.identity"
        else (AsyncTokenCredential, AsyncSupportsTokenInfo)
    )
    for protocol in wanted:
        assert isinstance(getattr(module(package), name), protocol)
        assert isinstance(make(module(package), name), protocol)


@each_class
def test_a_repr_names_the_class_and_shows_no_secret(package: str, name: str) -> None:
    credential = make(module(package), name)

    assert repr(credential).startswith(f"<{package}.{name} ")
    for value in vars(credential).values():
        assert MARK not in repr(value) or isinstance(value, str)  # strings of its own are not shown by anything


@each_class
def test_an_unused_credential_can_be_pickled_and_copied(package: str, name: str) -> None:
    credential = make(module(package), name)

    for other in (pickle.loads(pickle.dumps(credential)), copy.deepcopy(credential), copy.copy(credential)):
        assert type(other) is type(credential)
        assert set(vars(other)) == set(vars(credential)) - set(credential._transient)


@each_class
def test_a_constructor_starts_nothing(package: str, name: str) -> None:
    """No thread, no process, no socket, no event loop: threads are the visible part."""
    before = threading.active_count()
    make(module(package), name)

    assert threading.active_count() == before


@each_configured
def test_no_scope_is_an_error_before_anything_is_sent(package: str, name: str) -> None:
    credential = make(module(package), name)
    for method in (credential.get_token, credential.get_token_info):
        with pytest.raises(ValueError, match="scope"):
            _finish(method())


@each_configured
def test_a_list_instead_of_scopes_is_a_clear_error(package: str, name: str) -> None:
    """`get_token(["a"])` for `get_token("a")` is the commonest slip."""
    credential = make(module(package), name)
    for method in (credential.get_token, credential.get_token_info):
        with pytest.raises(TypeError, match=r'scopes as strings, but got list.* Pass several as \w+\("a", "b"\)'):
            _finish(method([SCOPE]))


@each_class
def test_unknown_keywords_pass(package: str, name: str) -> None:
    """azure-core's clients pass on what they do not know, and so do we; tools have no pipeline to pass it to."""
    if name in NO_OPTIONS:
        with pytest.raises(TypeError):
            make(module(package), name, foo=42)
    else:
        make(module(package), name, foo=42)


@each_with_options
@pytest.mark.parametrize(
    ("wrong", "right"), [("connection_timout", "connection_timeout"), ("retry_totals", "retry_total")]
)
def test_a_misspelt_keyword_is_ignored_with_a_warning(package: str, name: str, wrong: str, right: str) -> None:
    """It says what was probably meant, once, and goes on as ever."""
    with pytest.warns(UserWarning, match=f"{name}.*{wrong}.*did you mean '{right}'") as caught:
        make(module(package), name, **{wrong: 1})

    assert len(caught) == 1


def test_a_misspelt_keyword_is_warned_of_once_however_many_credentials_lie_within(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A managed identity that turns out to be a workload's hands its options on."""
    for variable in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST"):
        monkeypatch.setenv(variable, "login.microsoftonline.com" if variable.endswith("HOST") else "x")
    with pytest.warns(UserWarning, match="did you mean 'retry_total'") as caught:
        world.make("ManagedIdentityCredential", retry_totals=1)

    assert len(caught) == 1


def test_a_misspelt_exclusion_is_ignored_with_a_warning(world: World) -> None:
    """The chain is as long as it was."""
    with pytest.warns(UserWarning, match="did you mean 'exclude_cli_credential'"):
        world.make("DefaultAzureCredential", exclude_cli_credentials=True)


@pytest.mark.parametrize("package", ["azure.identity", "azure.identity.aio"])
@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("DefaultAzureCredential", "ChainedTokenCredential"),
        ("WorkloadIdentityCredential", "ClientAssertionCredential"),
    ],
)
def test_programs_ask_for_the_public_base_class(package: str, name: str, base: str) -> None:
    """`isinstance(c, ChainedTokenCredential)` decides in programs that walk `.credentials`."""
    assert issubclass(getattr(module(package), name), getattr(module(package), base))


def test_constants() -> None:
    hosts = identity.AzureAuthorityHosts

    assert (hosts.AZURE_PUBLIC_CLOUD, hosts.AZURE_GOVERNMENT, hosts.AZURE_CHINA) == (
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.chinacloudapi.cn",
    )
    assert issubclass(identity.KnownAuthorities, hosts)
    assert identity.KnownAuthorities.AZURE_CHINA == hosts.AZURE_CHINA
    with pytest.raises(AttributeError, match="FOO not found in AzureAuthorityHosts"):
        hosts.FOO  # noqa: B018


@pytest.mark.parametrize("hosts", ["AzureAuthorityHosts", "KnownAuthorities"])
def test_the_closed_german_cloud_warns_at_the_callers_line(hosts: str) -> None:
    with pytest.warns(DeprecationWarning, match="2021-10-29") as caught:
        assert getattr(identity, hosts).AZURE_GERMANY == "login.microsoftonline.de"

    assert [__file__] == [warning.filename for warning in caught]
    assert "AZURE_GERMANY" not in dir(getattr(identity, hosts))


def test_exceptions_keep_what_they_carry() -> None:
    required = identity.AuthenticationRequiredError(["s"], claims="{}")
    again = pickle.loads(pickle.dumps(required))
    unavailable = pickle.loads(pickle.dumps(identity.CredentialUnavailableError(message="m")))

    assert (["s"], "{}", required.message) == (again.scopes, again.claims, again.message)
    assert "authenticate" in identity.AuthenticationRequiredError(["s"]).message
    assert identity.AuthenticationRequiredError(["s"]).claims is None
    assert (
        unavailable.message,
        str(unavailable),
        isinstance(unavailable, ClientAuthenticationError),
    ) == ("m", "m", True)


def test_persistence_options_take_keywords_only() -> None:
    with pytest.raises(TypeError):
        identity.TokenCachePersistenceOptions(True)  # type: ignore[misc]
    options = vars(identity.TokenCachePersistenceOptions(name="x", foo=1))
    assert (options["allow_unencrypted_storage"], options["name"]) == (False, "x")


# --- after use: what the emulator's tokens were got with


def used(world: World, entra: EntraEmulator, name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A credential that has a token."""
    common = {"authority": entra.authority}
    if name in ("EnvironmentCredential", "DefaultAzureCredential"):
        for variable, value in entra.environment().items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
        credential = world.make(name)
    elif name == "CertificateCredential":
        credential = world.make(name, entra.tenant.id, entra.app.client_id, entra.app.certificate_path, **common)
    elif name == "ChainedTokenCredential":
        inner = world.make("ClientSecretCredential", entra.tenant.id, entra.app.client_id, credentials.SECRET, **common)
        credential = world.make(name, inner)
    else:
        assert name == "ClientSecretCredential"
        credential = world.make(name, entra.tenant.id, entra.app.client_id, credentials.SECRET, **common)
    world.ask(credential.get_token, SCOPE)
    return credential


USED = [
    "ClientSecretCredential",
    "CertificateCredential",
    "EnvironmentCredential",
    "ChainedTokenCredential",
    "DefaultAzureCredential",
]


@pytest.mark.parametrize("name", USED)
def test_a_used_credential_can_be_pickled_and_copied(
    world: World, entra: EntraEmulator, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy works, with a cache and connections of its own."""
    credential = used(world, entra, name, monkeypatch)

    for other in (pickle.loads(pickle.dumps(credential)), copy.deepcopy(credential)):
        world._made.append(other)
        before = entra.requests.count("token")
        world.ask(other.get_token, SCOPE)

        assert entra.requests.count("token") == before + 1
        assert not vars(other).get("_flights_")


def test_pickles_hold_the_secret_but_no_token(
    world: World, entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pickled credential must work elsewhere, so it has the secret, as a configuration file has; tokens stay."""
    credential = used(world, entra, "ClientSecretCredential", monkeypatch)
    data = pickle.dumps(credential)

    assert credentials.SECRET.encode() in data
    assert world.ask(credential.get_token, SCOPE).token.encode() not in data


def test_a_token_is_an_access_token(world: World, entra: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = used(world, entra, "ClientSecretCredential", monkeypatch)
    token, info = world.ask(credential.get_token, SCOPE), world.ask(credential.get_token_info, SCOPE)

    assert (AccessToken, AccessTokenInfo) == (type(token), type(info))
    assert (token.token, token.expires_on, "Bearer") == (info.token, info.expires_on, info.token_type)
    assert isinstance(token.expires_on, int)


# --- opening and closing


class Recorder:
    """Records what happens to a transport of the user's. Mixed into both kinds."""

    def record(self, *what: Any) -> None:
        self.__dict__.setdefault("events", []).append(what)


def recording(world: World, entra: EntraEmulator) -> Any:
    """A transport that records how it is opened and closed."""
    kind = type(world.transport())

    if world.name == "sync":

        class Recording(kind, Recorder):  # type: ignore[misc,valid-type]
            def __enter__(self) -> Any:
                self.record("enter")
                return super().__enter__()

            def __exit__(self, *exc: Any) -> None:
                self.record("exit", *exc)
                super().__exit__(*exc)

        return Recording(connection_verify=entra.ca_file)

    class AsyncRecording(kind, Recorder):  # type: ignore[misc,valid-type]
        async def __aenter__(self) -> Any:
            self.record("enter")
            return await super().__aenter__()

        async def __aexit__(self, *exc: Any) -> None:
            self.record("exit", *exc)
            await super().__aexit__(*exc)

    return AsyncRecording(connection_verify=entra.ca_file)


def client_secret(world: World, entra: EntraEmulator, **options: Any) -> Any:
    return world.make(
        "ClientSecretCredential",
        entra.tenant.id,
        entra.app.client_id,
        credentials.SECRET,
        authority=entra.authority,
        **options,
    )


def test_a_transport_is_entered_and_left_once(world: World, entra: EntraEmulator) -> None:
    transport = recording(world, entra)
    credential = client_secret(world, entra, transport=transport)
    world.within(credential, lambda: credential.get_token(SCOPE))
    world.ask(credential.close)

    assert transport.events == [("enter",), ("exit", None, None, None)]


def test_a_transport_is_told_of_the_exception(world: World, entra: EntraEmulator) -> None:
    transport = recording(world, entra)
    error = LookupError("in the block")

    def body() -> None:
        raise error

    with pytest.raises(LookupError):
        world.within(client_secret(world, entra, transport=transport), body)
    _, (_, kind, value, traceback) = transport.events
    assert (LookupError, error, True) == (kind, value, traceback is not None)


def test_close_alone_leaves_a_transport_once(world: World, entra: EntraEmulator) -> None:
    transport = recording(world, entra)
    credential = client_secret(world, entra, transport=transport)
    world.ask(credential.get_token, SCOPE)
    world.ask(credential.close)
    world.ask(credential.close)

    assert [event[0] for event in transport.events if event[0] == "exit"] == ["exit"]


@pytest.mark.parametrize("requests_before", [0, 1])
def test_a_closed_credential_says_so(world: World, entra: EntraEmulator, requests_before: int) -> None:
    """After its `with` block a request that needs the network is one clear error that names the credential."""
    credential = client_secret(world, entra)
    world.within(
        credential, (lambda: credential.get_token("api://entra-emulator/.default")) if requests_before else None
    )

    with pytest.raises(ValueError, match=r"ClientSecretCredential is closed: its 'with' block has ended or close\(\)"):
        world.ask(credential.get_token, SCOPE)
    with pytest.raises(ValueError, match="ClientSecretCredential is closed"):
        world.within(credential)
    world.ask(credential.close)


def test_a_closed_credential_still_has_its_tokens(world: World, entra: EntraEmulator) -> None:
    credential = client_secret(world, entra)
    inside = world.within(credential, lambda: credential.get_token(SCOPE))

    assert world.ask(credential.get_token, SCOPE).token == inside.token


def test_close_without_a_request_closes_nothing(world: World, entra: EntraEmulator) -> None:
    """Some clients close the credential they were given; one that was not opened yet stays usable."""
    credential = client_secret(world, entra)
    world.ask(credential.close)

    assert world.ask(credential.get_token, SCOPE).token


@pytest.mark.parametrize("name", sorted(TOOLS & set(PAIRS)))
def test_tools_can_be_entered_again(world: World, name: str) -> None:
    """They have nothing to open or to close."""
    credential = world.make(name)
    world.within(credential)
    world.within(credential)


@pytest.mark.parametrize("kind", ["ChainedTokenCredential", "EnvironmentCredential", "DefaultAzureCredential"])
def test_a_credential_made_of_others_opens_and_closes_them(
    world: World, entra: EntraEmulator, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = recording(world, entra)
    if kind == "ChainedTokenCredential":
        credential = world.make(kind, client_secret(world, entra, transport=transport))
    else:
        for variable, value in entra.environment().items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
        credential = world.make(kind, transport=transport)
    world.within(credential, lambda: credential.get_token(SCOPE))

    assert transport.events == [("enter",), ("exit", None, None, None)]
    with pytest.raises((ValueError, ClientAuthenticationError), match="is closed"):
        world.ask(credential.get_token, "https://management.azure.com/.default")


def test_a_member_that_cannot_be_closed_does_not_keep_the_others_open(world: World) -> None:
    closed = []

    class Broken:
        def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
            raise AssertionError("never asked")

        def close(self) -> None:
            closed.append(self)
            raise OSError("cannot close")

    chain = world.make("ChainedTokenCredential", Broken(), Broken())
    with pytest.raises(OSError, match="cannot close"):
        world.ask(chain.close)
    assert len(closed) == 2
    world._made.remove(chain)


# --- the bearer token provider


class Foreign:
    """Somebody else's credential. Counts its calls; subclasses have one token method each."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.error: Optional[Exception] = None

    def answer(self, *scopes: str) -> Any:
        import time

        self.calls.append(scopes)
        if self.error is not None:
            raise self.error
        return int(time.time()) + 3600


class OnlyToken(Foreign):
    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken(planted(f"token-{len(self.calls) + 1}"), self.answer(*scopes))


class OnlyTokenInfo(Foreign):
    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        text = planted(f"token-{len(self.calls) + 1}")
        expires_on = self.answer(*scopes)
        return AccessTokenInfo(text, expires_on, refresh_on=expires_on - 1800)


class AsyncOnlyToken(Foreign):
    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        await asyncio.sleep(0)
        return AccessToken(planted(f"token-{len(self.calls) + 1}"), self.answer(*scopes))


class AsyncOnlyTokenInfo(Foreign):
    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        text = planted(f"token-{len(self.calls) + 1}")
        expires_on = self.answer(*scopes)
        await asyncio.sleep(0)
        return AccessTokenInfo(text, expires_on, refresh_on=expires_on - 1800)


def foreign(world: World, kind: str) -> Any:
    kinds = {"sync": (OnlyToken, OnlyTokenInfo), "async": (AsyncOnlyToken, AsyncOnlyTokenInfo)}[world.name]
    return kinds[kind == "get_token_info"]()


def provider(world: World, credential: Any, *scopes: Any) -> Any:
    return world.package.get_bearer_token_provider(credential, *scopes)


@pytest.mark.parametrize("kind", ["get_token", "get_token_info"])
def test_a_provider_asks_a_credential_once(world: World, kind: str) -> None:
    """Whichever token method the credential has; the token is kept."""
    credential = foreign(world, kind)
    provide = provider(world, credential, "a/.default", "b/.default")

    tokens = [world.ask(provide), world.ask(provide)]
    assert tokens == [planted("token-1")] * 2
    assert credential.calls == [("a/.default", "b/.default")]


def test_a_provider_takes_our_credentials(world: World, entra: EntraEmulator) -> None:
    credential = client_secret(world, entra)
    token = world.ask(provider(world, credential, SCOPE))

    assert type(token) is str
    assert token == world.ask(credential.get_token, SCOPE).token


def test_a_provider_renews(world: World, clock: Any) -> None:
    credential = foreign(world, "get_token")
    provide = provider(world, credential, SCOPE)
    world.ask(provide)
    clock.advance(3601)

    assert world.ask(provide) == planted("token-2")


def test_a_failed_early_renewal_keeps_the_token(world: World, clock: Any) -> None:
    credential = foreign(world, "get_token_info")
    provide = provider(world, credential, SCOPE)
    world.ask(provide)
    clock.advance(1900)
    credential.error = ClientAuthenticationError("not now")

    assert world.ask(provide) == planted("token-1")
    assert len(credential.calls) == 2


def test_an_error_of_the_credential_is_the_providers(world: World) -> None:
    credential = foreign(world, "get_token")
    credential.error = ClientAuthenticationError("no")

    with pytest.raises(ClientAuthenticationError) as caught:
        world.ask(provider(world, credential, SCOPE))
    assert caught.value is credential.error


def test_a_failure_is_logged_once(world: World, entra: EntraEmulator, caplog: pytest.LogCaptureFixture) -> None:
    """By the credential. The provider adds no line of its own."""
    credential = client_secret(world, entra)
    credential._secret = planted("wrong")
    with pytest.raises(ClientAuthenticationError):
        world.ask(provider(world, credential, SCOPE))

    assert [record.levelname for record in caplog.records if record.name.startswith("azure.identity")] == ["WARNING"]


@pytest.mark.parametrize("wrong", [None, "https://vault.azure.net/.default", object(), 1])
def test_a_provider_takes_credentials_only(world: World, wrong: Any) -> None:
    """Arguments in the wrong order are noticed where the mistake is."""
    with pytest.raises(TypeError, match=f"takes a credential.*but got {type(wrong).__name__}"):
        provider(world, wrong, SCOPE)


def test_a_provider_takes_scopes_one_by_one(world: World) -> None:
    """A list, and no scope at all, are noticed where the mistake is, and not at the first use."""
    with pytest.raises(TypeError, match=r"get_bearer_token_provider.* scopes as strings, but got list"):
        provider(world, foreign(world, "get_token"), [SCOPE])
    with pytest.raises(ValueError, match=r"get_bearer_token_provider.*requires at least one scope"):
        provider(world, foreign(world, "get_token"))


def test_a_providers_name_is_public() -> None:
    names = [
        (one.get_bearer_token_provider.__module__, one.get_bearer_token_provider.__name__) for one in (identity, aio)
    ]

    assert names == [
        ("azure.identity", "get_bearer_token_provider"),
        ("azure.identity.aio", "get_bearer_token_provider"),
    ]


def test_threads_that_share_a_provider_make_one_request() -> None:
    gate = threading.Event()

    class Slow(OnlyToken):
        def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
            assert gate.wait(10)
            return super().get_token(*scopes, **kwargs)

    credential = Slow()
    provide = identity.get_bearer_token_provider(credential, SCOPE)
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(provide) for _ in range(16)]
        assert eventually(lambda: sum(future.running() for future in futures) == 16)
        gate.set()
        tokens = {future.result(10) for future in futures}

    assert (len(tokens), len(credential.calls)) == (1, 1)


async def test_tasks_that_share_a_provider_make_one_request() -> None:
    credential = AsyncOnlyToken()
    provide = aio.get_bearer_token_provider(credential, SCOPE)
    tokens = await asyncio.gather(*(provide() for _ in range(100)))

    assert (len(set(tokens)), len(credential.calls)) == (1, 1)


def test_a_sync_credential_given_to_the_wrong_world_is_said_to_be() -> None:
    """An async credential cannot be asked by a sync provider."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match="asynchronous"):
            identity.get_bearer_token_provider(AsyncOnlyToken(), SCOPE)()  # type: ignore[arg-type]


def _finish(result: Any) -> Any:
    """The result of a token method of either world, for calls that fail before anything is waited for."""
    if inspect.iscoroutine(result):
        try:
            result.send(None)
        except StopIteration as stop:
            return stop.value
        finally:
            result.close()
        raise AssertionError("it waits for something")
    return result

"""A subclass as the published azure-identity-broker has one: it overrides two methods and expects attributes.

`Subclass` is written after what that package expects of its base class, not after its code.
"""

from __future__ import annotations

import pickle
import sys
import types
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from fake_msal import Account, Machine
from scripted import ScriptedIO, ask, reply

from azure.identity import CredentialUnavailableError
from azure.identity._credentials import InteractiveBrowserCredential
from azure.identity._exceptions import CredentialUnavailableError as SameError
from azure.identity._internal.utils import within_dac
from azure.identity._values.messages import IN_DEFAULT_CHAIN
from entra_emulator import EntraEmulator

SCOPE = "https://vault.azure.net/.default"
CONFIGURATION = reply(200, {"token_endpoint": "https://x/token"})
flags: list[bool] = []


class Subclass(InteractiveBrowserCredential):
    """Asks msal in its own way."""

    msal: Any = None

    def __init__(self, **kwargs: Any) -> None:
        self._window = kwargs.pop("parent_window_handle", 7)
        self._silent = kwargs.pop("use_default_broker_account", False)
        kwargs.pop("disable_interactive_fallback", None)
        super().__init__(**kwargs)

    def _request_token(self, *scopes: str, **kwargs: Any) -> Any:
        flags.append(within_dac.get())
        app: Any = self._get_app(**kwargs)
        pop = kwargs.get("pop")
        return app.acquire_token_interactive(
            list(scopes),
            prompt="none" if self._silent else "select_account",
            claims_challenge=kwargs.get("claims"),
            timeout=self._timeout,
            login_hint=self._login_hint,
            port=self._parsed_url.port if self._parsed_url else None,  # type: ignore[attr-defined]
            parent_window_handle=self._window,
            auth_scheme=self.msal.PopAuthScheme("GET", "https://x", pop["nonce"]) if pop else None,
        )

    def _get_app(self, **kwargs: Any) -> Any:
        cae = bool(kwargs.get("enable_cae"))
        view: Any = self
        apps = view._cae_client_applications if cae else view._client_applications
        cache = (view._cae_cache if cae else view._cache) or view._initialize_cache(is_cae=cae)
        tenant = kwargs.get("tenant_id") or view._tenant_id
        if tenant not in apps:
            apps[tenant] = self.msal.PublicClientApplication(
                view._client_id,
                client_credential=view._client_credential,
                client_capabilities=["CP1"] if cae else None,
                authority=f"{view._authority}/{tenant}",
                azure_region=view._regional_authority,
                token_cache=cache,
                http_client=view._client,
                instance_discovery=view._instance_discovery,
                enable_broker_on_windows=True,
                enable_broker_on_mac=True,
                enable_broker_on_linux=True,
                enable_broker_on_wsl=True,
                enable_pii_log=view._enable_support_logging,
            )
        return apps[tenant]


@pytest.fixture(autouse=True)
def its_msal(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Subclass, "msal", machine.module)
    flags.clear()


def net(times: int = 1) -> ScriptedIO:
    return ScriptedIO(*[CONFIGURATION] * times)


def test_its_request_is_made(machine: Machine) -> None:
    """With the attributes of the base class; its answer is the token, and says who signed in."""
    credential = Subclass(redirect_uri="http://localhost:8400", login_hint="ada", timeout=9)

    found = ask(credential, net(), SCOPE, claims='{"x":1}')

    assert (found.token, found.token_type) == ("T1", "Bearer")
    asked = machine.asked[0]
    assert (asked["port"], asked["timeout"], asked["login_hint"]) == (8400, 9, "ada")
    assert (asked["claims_challenge"], asked["parent_window_handle"]) == ('{"x":1}', 7)
    assert machine.applications[0].authority == "https://login.microsoftonline.com/organizations"
    assert credential._record is not None
    assert credential._record.username == "ada@contoso.com"


def test_its_tokens_are_kept_and_renewed_without_asking(machine: Machine) -> None:
    """Through its own application, which has the account."""
    credential, io = Subclass(), net(3)

    assert [ask(credential, io, SCOPE).token for _ in range(2)] == ["T1", "T1"]
    io.advance(3600)
    assert ask(credential, io, SCOPE).token == "T2"
    assert ask(credential, io, SCOPE, cae=True).token == "T3"
    assert ask(credential, io, SCOPE, tenant="other").token
    assert machine.prompts == ["select_account", "select_account"]
    assert [(made.authority.rpartition("/")[2], made.capabilities) for made in machine.applications] == [
        ("organizations", None),
        ("organizations", ["CP1"]),
        ("other", None),
    ]
    io.finished()


def test_bound_tokens_are_neither_kept_nor_replaced_by_others(machine: Machine) -> None:
    """What msal has cached is not bound to the request."""
    credential, io = Subclass(), net()
    ordinary = ask(credential, io, SCOPE)

    found = [ask(credential, io, SCOPE, extra={"pop": {"nonce": n}}) for n in ("a", "b")]

    assert [token.token_type for token in found] == ["pop", "pop"]
    assert [asked["auth_scheme"] and asked["auth_scheme"].bound_to[2] for asked in machine.asked] == [None, "a", "b"]
    assert ask(credential, io, SCOPE).token == ordinary.token


@pytest.mark.parametrize("context", ["alone", IN_DEFAULT_CHAIN])
def test_it_can_ask_whether_the_default_chain_calls(machine: Machine, context: str) -> None:
    """The variable is set for its request, and for nothing else."""
    ask(Subclass(), net(), SCOPE, context=context)

    assert flags == [context == IN_DEFAULT_CHAIN]
    assert within_dac.get() is False


def test_the_variable_is_reset_after_a_failure(machine: Machine) -> None:
    """(In the published package it stays set, and changes the errors of other credentials.)"""
    machine.person = SameError(message="no")

    with pytest.raises(CredentialUnavailableError, match="no"):
        ask(Subclass(), net(), SCOPE, context=IN_DEFAULT_CHAIN)
    assert within_dac.get() is False


def test_an_answer_without_a_token_is_a_failure(machine: Machine) -> None:
    machine.person = {}

    with pytest.raises(ClientAuthenticationError, match="the broker returned no token"):
        ask(Subclass(), net(), SCOPE)


def test_it_can_be_told_to_sign_in(machine: Machine) -> None:
    credential = Subclass()
    credential._port_ = net()  # type: ignore[assignment]

    assert credential.authenticate(scopes=[SCOPE]).home_account_id == Account().home_account_id


def test_it_can_be_pickled(machine: Machine) -> None:
    """Without what msal keeps."""
    credential = Subclass(tenant_id="t")
    ask(credential, net(), SCOPE)
    credential._port_ = None

    assert "_msal_view" not in vars(pickle.loads(pickle.dumps(credential)))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The default chain's broker member, where that package is the one that is installed."""
    from azure.identity._credentials.broker import BrokerCredential

    package = types.ModuleType("azure.identity.broker")
    package.InteractiveBrowserBrokerCredential = Subclass  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "azure.identity.broker", package)
    return BrokerCredential()


def test_the_default_chain_uses_it(installed: Any, machine: Machine, entra: EntraEmulator) -> None:
    """Silently."""
    installed._options["authority"] = entra.authority

    assert installed.get_token(SCOPE).token == "T1"
    assert machine.prompts == ["none"]


def test_without_a_runtime_it_is_not_asked(installed: Any, machine: Machine) -> None:
    """By itself it would open the browser, and wait five minutes."""
    machine.runtime = RuntimeError("no broker on this system")

    with pytest.raises(CredentialUnavailableError, match="no broker on this system"):
        installed.get_token(SCOPE)
    assert (machine.applications, machine.browsers) == ([], 0)

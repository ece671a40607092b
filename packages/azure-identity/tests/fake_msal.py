"""msal, as far as credentials for brokers use it: the interface of `PublicClientApplication` over a made-up machine.

What it keeps of the real one: constructing an application reads the authority's OpenID configuration by the HTTP client
it is given; `prompt="none"` asks the broker for the default account if the application has one and opens the browser if
it has not; accounts that signed in can be renewed silently; importing `msal.broker` fails in three ways.
"""

from __future__ import annotations

import base64
import json
import types
from typing import Any, Callable, Optional

import pytest
from leak_watch import planted

HOME_TENANT = "e0a5c0de-0000-4000-8000-000000000001"


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


class Account:
    """Somebody the machine knows."""

    def __init__(self, name: str = "ada", tenant: str = HOME_TENANT) -> None:
        self.username, self.home_account_id = f"{name}@contoso.com", f"{name}.{tenant}"
        self.uid, self.tenant = name, tenant

    def answer(self, access_token: str, authority: str, client_id: str, **members: Any) -> dict[str, Any]:
        """What msal returns for it."""
        claims = {
            "preferred_username": self.username,
            "tid": self.tenant,
            "aud": client_id,
            "iss": f"{authority.rpartition('/')[0]}/{self.tenant}/v2.0",
            "sub": "s",
        }
        return {
            "access_token": access_token,
            "expires_in": 3600,
            "token_type": "bearer",
            "token_source": "broker",
            "id_token": f"{_part({'alg': 'none'})}.{_part(claims)}.",
            "id_token_claims": claims,
            "client_info": _part({"uid": self.uid, "utid": self.tenant}),
            **members,
        }


class Machine:
    """What the machine has, and what was asked of it."""

    def __init__(self) -> None:
        self.runtime: Optional[Exception] = None
        """What importing msal's broker module raises."""
        self.uses_broker = True
        """Whether applications that ask for it get the broker."""
        self.default_account: Optional[Account] = Account()
        self.person: Any = Account()
        """Who signs in when asked; an exception to raise; or a mapping to return."""
        self.silent: Any = None
        """What the broker's default account brings instead of a token: an exception or a mapping."""
        self.renewal: Any = None
        """The same for renewing an account."""
        self.members: dict[str, Any] = {}
        """Members of every token answer."""
        self.applications: list[Any] = []
        self.asked: list[dict[str, Any]] = []
        """The arguments of each interactive request."""
        self.renewed: list[dict[str, Any]] = []
        self.browsers = 0
        """How often the web browser was opened."""
        self.tokens = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be the msal of this process, and this process's platform."""
        import azure.identity._broker.msal_bridge as bridge

        module = types.ModuleType("msal")
        machine = self

        class PublicClientApplication(_Application):
            def __init__(self, client_id: str, **options: Any) -> None:
                super().__init__(machine, client_id, **options)

        module.PublicClientApplication = PublicClientApplication  # type: ignore[attr-defined]
        module.PopAuthScheme = PopAuthScheme  # type: ignore[attr-defined]
        module.TokenCache = TokenCache  # type: ignore[attr-defined]
        module.Prompt = types.SimpleNamespace(NONE="none", SELECT_ACCOUNT="select_account")  # type: ignore[attr-defined]
        real_import = bridge.import_module

        def import_module(name: str) -> Any:
            if name == "msal":
                return module
            if name == "msal.broker":
                if self.runtime is not None:
                    raise self.runtime
                return types.ModuleType(name)
            return real_import(name)

        monkeypatch.setattr(bridge, "import_module", import_module)
        self.module = module

    @property
    def prompts(self) -> list[Any]:
        """With which prompts somebody was asked."""
        return [asked["prompt"] for asked in self.asked]

    def new_token(self) -> str:
        self.tokens += 1
        return f"T{self.tokens}"


class TokenCache:
    """Keeps accounts."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}


class PopAuthScheme:
    """What a proof-of-possession token is bound to."""

    def __init__(self, http_method: Any = None, url: Any = None, nonce: Any = None) -> None:
        if not (http_method and url and nonce):
            raise ValueError("All http_method, url and nonce are required parameters")
        self.bound_to = (http_method, url, nonce)


class _Application:
    CONSOLE_WINDOW_HANDLE = object()

    def __init__(
        self,
        machine: Machine,
        client_id: str,
        client_credential: Any = None,
        authority: Any = None,
        token_cache: Any = None,
        http_client: Any = None,
        client_capabilities: Any = None,
        azure_region: Any = None,
        instance_discovery: Any = None,
        enable_pii_log: Any = None,
        enable_broker_on_windows: Any = None,
        enable_broker_on_mac: Any = None,
        enable_broker_on_linux: Any = None,
        enable_broker_on_wsl: Any = None,
    ) -> None:
        if client_credential is not None:
            raise ValueError("Public Client should not possess credentials")
        answer = http_client.get(f"{authority}/v2.0/.well-known/openid-configuration", headers={"Accept": None})
        if answer.status_code >= 500:
            answer.raise_for_status()
        if answer.status_code != 200 or "token_endpoint" not in json.loads(answer.text):
            raise ValueError(f"Unable to get authority configuration for {authority}.")
        self.machine, self.client_id, self.authority = machine, client_id, authority
        self.capabilities, self.discovery, self.region = client_capabilities, instance_discovery, azure_region
        self.token_cache = token_cache or TokenCache()
        wanted = {enable_broker_on_windows, enable_broker_on_mac, enable_broker_on_linux, enable_broker_on_wsl}
        self.wanted_broker = wanted == {True}
        if self.wanted_broker and machine.runtime is not None and not isinstance(machine.runtime, RuntimeError):
            raise machine.runtime
        self._enable_broker = self.wanted_broker and machine.uses_broker and machine.runtime is None
        machine.applications.append(self)

    def acquire_token_interactive(
        self,
        scopes: Any,
        prompt: Any = None,
        login_hint: Any = None,
        claims_challenge: Any = None,
        timeout: Any = None,
        port: Any = None,
        parent_window_handle: Any = None,
        auth_scheme: Any = None,
        enable_msa_passthrough: bool = False,
    ) -> Any:
        asked = {name: value for name, value in locals().items() if name != "self"}
        self.machine.asked.append(asked)
        if not self._enable_broker:
            if auth_scheme:
                raise ValueError("auth_scheme is not supported")
            self.machine.browsers += 1
            if prompt == "none":
                return {"error": "timeout"}
        elif parent_window_handle is None:
            raise ValueError("parent_window_handle is required")
        silent = prompt == "none"
        who = (self.machine.silent or self.machine.default_account) if silent else self.machine.person
        return self._answered(who, auth_scheme)

    def get_accounts(self, username: Optional[str] = None) -> list[dict[str, Any]]:
        return [
            {"home_account_id": home, "username": account.username}
            for home, account in self.token_cache.accounts.items()
            if username is None or account.username.lower() == username.lower()
        ]

    def acquire_token_silent_with_error(
        self,
        scopes: Any,
        account: Any,
        authority: Any = None,
        force_refresh: bool = False,
        claims_challenge: Any = None,
        auth_scheme: Any = None,
    ) -> Any:
        self.machine.renewed.append({"scopes": scopes, "claims": claims_challenge, "auth_scheme": auth_scheme})
        if not account:
            return None
        return self._answered(
            self.machine.renewal or self.token_cache.accounts[account["home_account_id"]], auth_scheme
        )

    def _answered(self, who: Any, scheme: Any) -> Any:
        if isinstance(who, Exception):
            raise who
        if not isinstance(who, Account):
            return who
        self.token_cache.accounts[who.home_account_id] = who
        members = {**({"token_type": "pop"} if scheme else {}), **self.machine.members}
        return who.answer(self.machine.new_token(), self.authority, self.client_id, **members)


def secret_error() -> dict[str, Any]:
    """An error of the broker's that shows what it should not."""
    return {
        "error": "broker_error",
        "error_description": f'failed {{"access_token": "{planted("broker")}"}}. Status: 5',
    }


Change = Callable[[Machine], None]

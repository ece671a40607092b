"""The default chain's broker member: the account the person is signed in to the system with, silently."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any, Optional

from .._flow import Flow
from .._shells import AsyncCredential, SyncCredential
from .vscode import broker_class, console_window

if TYPE_CHECKING:
    from .._cache.memory import Entry, TokenKey
    from .._io import FlowIO
    from .._messages import TokenRequest


class BrokerFlow(Flow):
    """Asks the operating system's broker for the default account, on Windows and WSL. Never shows anything."""

    _credential_name = "BrokerCredential"
    _transient = (*Flow._transient, "_broker")
    _broker: Any = None

    def __init__(self, *, tenant_id: Optional[str] = None, client_id: Optional[str] = None, **options: Any) -> None:
        self._tenant_id = tenant_id
        self._client_id = client_id
        self._options = options

    @property
    def _who(self) -> str:
        return self._credential_name

    def _key(self, ask: TokenRequest) -> Optional[TokenKey]:
        return None

    async def _answer(self, io: FlowIO, ask: TokenRequest) -> Entry:
        if self._broker is None:
            self._broker = self._make_broker()
        entry: Entry = await io.work(self._broker._token, ask)
        return entry

    def _make_broker(self) -> Any:
        from .._errors import CredentialUnavailableError, help_link

        broker = broker_class()
        if not (sys.platform == "win32" or "microsoft" in platform.uname().release.lower()):
            raise CredentialUnavailableError(
                "InteractiveBrowserBrokerCredential unavailable: it is only supported on Windows and WSL. "
                f"{help_link('broker')}"
            )
        given = {"client_id": self._client_id} if self._client_id else {}
        try:
            return broker(
                tenant_id=self._tenant_id,
                parent_window_handle=console_window(),
                use_default_broker_account=True,
                disable_interactive_fallback=True,
                **given,
                **self._options,
            )
        except (ValueError, TypeError) as error:
            raise CredentialUnavailableError(f"InteractiveBrowserBrokerCredential unavailable: {error}") from error

    async def _close(self, io: FlowIO, *exc: Any) -> None:
        if self._broker is not None:
            self._broker.close()


class BrokerCredential(BrokerFlow, SyncCredential):
    """The blocking face."""


class AsyncBrokerCredential(BrokerFlow, AsyncCredential):
    """The suspending face."""

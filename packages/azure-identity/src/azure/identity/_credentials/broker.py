"""The account a person is signed in to the operating system with: what silent users of the broker have in common, and
the default chain's broker member.

Nothing on the wire from here: the credential of the package azure-identity-broker asks, through msal. Silent means
silent: where the broker's runtime was not initialised, nothing is asked at all, since msal would open a web browser
instead.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Optional

from .._errors.help import help_link
from .._flows.flow import Flow
from .._flows.shells import AsyncCredential, SyncCredential
from .._values.messages import ALONE, IN_CHAIN, IN_DEFAULT_CHAIN

if TYPE_CHECKING:
    from .._cache.memory import Entry, TokenKey
    from .._outside.port import FlowIO
    from .._values.messages import TokenRequest


class SilentBrokerFlow(Flow):
    """A flow that hands its requests on to the broker's credential, in a way that never shows anything."""

    _transient = (*Flow._transient, "_broker")
    _broker: Any = None

    async def _make_broker(self, io: FlowIO) -> Any:
        """The broker's credential, made when it is first needed."""
        raise NotImplementedError

    def _key(self, ask: TokenRequest) -> Optional[TokenKey]:
        return None

    async def _answer(self, io: FlowIO, ask: TokenRequest) -> Entry:
        from azure.core.exceptions import ClientAuthenticationError

        from .._errors.errors import CredentialUnavailableError

        broker = self._broker
        if broker is None:
            broker = await self._make_broker(io)
            broker = self.__dict__.setdefault("_broker", broker)
        # It is a part of this credential, which reports for it.
        inner = ask._replace(context=IN_CHAIN) if ask.context == ALONE else ask
        try:
            # The broker's credential is a blocking one, whichever face this is.
            entry: Entry = await io.work(broker._token, inner)
        except CredentialUnavailableError:
            raise
        except ClientAuthenticationError as error:
            if ask.context == IN_DEFAULT_CHAIN:
                raise CredentialUnavailableError(error.message, error.response) from error
            raise
        return entry

    async def _close(self, io: FlowIO, *exc: Any) -> None:
        if self._broker is not None:
            self._broker.close()


def silent_broker(**options: Any) -> Any:
    """The broker's credential, made so that it shows nothing.

    :raises CredentialUnavailableError: its package is not installed, or there is no broker on this machine.
    :raises ValueError: an option is malformed.
    :raises TypeError: an option is unknown.
    """
    from .._broker.msal_bridge import console_window, runtime_problem
    from .._errors.errors import CredentialUnavailableError

    try:
        broker = import_module("azure.identity.broker")
    except ImportError as error:
        raise CredentialUnavailableError(
            "InteractiveBrowserBrokerCredential unavailable: the package azure-identity-broker is not installed "
            f"({error}). {help_link('broker')}"
        ) from error
    problem = runtime_problem()
    if problem is not None:
        raise CredentialUnavailableError(
            f"InteractiveBrowserBrokerCredential unavailable: no authentication broker can be used here: {problem}. "
            f"{help_link('broker')}"
        )
    return broker.InteractiveBrowserBrokerCredential(
        parent_window_handle=console_window(),
        use_default_broker_account=True,
        disable_interactive_fallback=True,
        **options,
    )


class BrokerFlow(SilentBrokerFlow):
    """Asks for a token of the account the person is signed in to the system with."""

    _credential_name = "BrokerCredential"

    def __init__(self, *, tenant_id: Optional[str] = None, client_id: Optional[str] = None, **options: Any) -> None:
        self._tenant_id = tenant_id
        self._client_id = client_id
        self._options = options

    @property
    def _who(self) -> str:
        return self._credential_name

    async def _make_broker(self, io: FlowIO) -> Any:
        given = {"client_id": self._client_id} if self._client_id else {}
        try:
            return await io.work(partial(silent_broker, tenant_id=self._tenant_id, **given, **self._options))
        except (ValueError, TypeError) as error:
            raise self._unavailable(
                f"InteractiveBrowserBrokerCredential unavailable: {error} {help_link('broker')}"
            ) from error


class BrokerCredential(BrokerFlow, SyncCredential):
    """The blocking face."""


class AsyncBrokerCredential(BrokerFlow, AsyncCredential):
    """The suspending face."""

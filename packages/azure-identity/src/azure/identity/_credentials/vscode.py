"""The account Visual Studio Code is signed in with. Nothing on the wire from here: the operating system's broker has
its tokens."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Optional, Sequence

from .. import _settings
from .._flow import Flow
from .._messages import IN_DEFAULT_CHAIN, Unreadable
from .._shells import AsyncCredential, SyncCredential
from .._twins import AIO, public

if TYPE_CHECKING:
    from .._cache.memory import Entry, TokenKey
    from .._io import FlowIO
    from .._messages import TokenRequest
    from .._record import AuthenticationRecord


class VisualStudioCodeFlow(Flow):
    """Authenticates as the account the Azure Resources extension of Visual Studio Code is signed in with.

    Needs the package `azure-identity-broker` and a working authentication broker. Nothing is ever shown to the person:
    where the broker cannot answer silently, requests raise an error.

    :keyword str tenant_id: tenant to request tokens from. Default: the account's.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Default: none.
    :paramtype additionally_allowed_tenants: list[str]

    Other keywords are those of `azure.identity.broker.InteractiveBrowserBrokerCredential`.
    """

    def __init__(
        self,
        *,
        tenant_id: Optional[str] = None,
        additionally_allowed_tenants: Optional[Sequence[str]] = None,
        **options: Any,
    ) -> None:
        _settings.refuse_near_misses(self._who, options)
        self._tenant = tenant_id or None
        self._options = {name: value for name, value in options.items() if value is not None}
        if additionally_allowed_tenants is not None:
            self._options["additionally_allowed_tenants"] = additionally_allowed_tenants
        self._broker: Any = None

    _transient = (*Flow._transient, "_broker")
    _broker: Any = None

    def _key(self, ask: TokenRequest) -> Optional[TokenKey]:
        return None

    async def _answer(self, io: FlowIO, ask: TokenRequest) -> Entry:
        from .._errors import AuthenticationFailedError, CredentialUnavailableError

        if self._broker is None:
            self._broker = self._make_broker(await self._read_record(io))
        try:
            # The broker's credential is a blocking one; its own port blocks, so it runs off the event loop here.
            entry: Entry = await io.work(self._broker._token, ask)
        except AuthenticationFailedError as error:
            if ask.context == IN_DEFAULT_CHAIN:
                raise CredentialUnavailableError(error.message, error.response) from error
            raise
        return entry

    async def _read_record(self, io: FlowIO) -> AuthenticationRecord:
        from .._errors import CredentialUnavailableError, help_link
        from .._protocols.vscode import LIMIT, PLACES, parse_record

        broker_class()  # says what is missing before anything is read
        for place in PLACES:
            path = os.path.expanduser(place)  # noqa: ASYNC240, PTH111 - no I/O but the user data base
            try:
                return parse_record(await io.read(path, LIMIT))
            except Unreadable as error:
                if not isinstance(error.__cause__, FileNotFoundError):
                    raise CredentialUnavailableError(
                        f"{self._who}: Failed to load authentication record: {error}. {help_link('vscode')}"
                    ) from error
            except ValueError as error:
                raise CredentialUnavailableError(
                    f"{self._who}: Failed to load authentication record: {error}. {help_link('vscode')}"
                ) from error
        raise CredentialUnavailableError(
            f"{self._who}: you must be signed in to Azure in Visual Studio Code, with the Azure Resources extension. "
            f"{help_link('vscode')}"
        )

    def _make_broker(self, record: AuthenticationRecord) -> Any:
        from .._errors import CredentialUnavailableError, help_link

        try:
            return broker_class()(
                tenant_id=self._tenant or record.tenant_id,
                client_id=record.client_id,
                authentication_record=record,
                parent_window_handle=console_window(),
                use_default_broker_account=True,
                disable_interactive_fallback=True,
                **self._options,
            )
        except (ValueError, TypeError) as error:
            raise CredentialUnavailableError(
                f"{self._who}: Failed to load authentication record: {error} {help_link('vscode')}"
            ) from error

    async def _close(self, io: FlowIO, *exc: Any) -> None:
        if self._broker is not None:
            self._broker.close()


def broker_class() -> Any:
    """The broker's credential. Raises CredentialUnavailableError if its package is not installed."""
    try:
        from azure.identity.broker import InteractiveBrowserBrokerCredential  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        from .._errors import CredentialUnavailableError, help_link

        raise CredentialUnavailableError(
            "InteractiveBrowserBrokerCredential unavailable: install the package azure-identity-broker and sign in "
            "to the "
            f"Azure Resources extension of Visual Studio Code. {help_link('broker')}"
        ) from error
    return InteractiveBrowserBrokerCredential


def console_window() -> Any:
    """What msal takes as the window of a console program."""
    import msal

    return msal.PublicClientApplication.CONSOLE_WINDOW_HANDLE


@public("VisualStudioCodeCredential")
class VisualStudioCodeCredential(VisualStudioCodeFlow, SyncCredential):
    __doc__ = VisualStudioCodeFlow.__doc__


@public("VisualStudioCodeCredential", AIO)
class AsyncVisualStudioCodeCredential(VisualStudioCodeFlow, AsyncCredential):
    __doc__ = VisualStudioCodeFlow.__doc__

"""The account Visual Studio Code is signed in with.

Nothing on the wire from here: the file in which the Azure Resources extension says who is signed in is read, and the
operating system's broker, which has the account's tokens, is asked.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Optional, Sequence

from .._errors.help import help_link
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._values import settings
from .._values.messages import Unreadable
from .broker import SilentBrokerFlow, silent_broker

if TYPE_CHECKING:
    from .._outside.port import FlowIO
    from .._values.record import AuthenticationRecord


class VisualStudioCodeFlow(SilentBrokerFlow):
    """Authenticates as the account the Azure Resources extension of Visual Studio Code is signed in with.

    Needs the package `azure-identity-broker` and a working authentication broker. Nothing is ever shown to the person:
    where the broker cannot answer silently, requests raise an error.

    :keyword str tenant_id: tenant to request tokens from. Default: the account's.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :raises TypeError: an identity keyword looks misspelt.

    Other keywords are those of `azure.identity.broker.InteractiveBrowserBrokerCredential`.
    """

    def __init__(
        self,
        *,
        tenant_id: Optional[str] = None,
        additionally_allowed_tenants: Optional[Sequence[str]] = None,
        **options: Any,
    ) -> None:
        ignored = settings.check_unknown(self._who, options, ("tenant_id", *_BROKER_OPTIONS))
        self._tenant = tenant_id or None
        self._options = {name: value for name, value in options.items() if value is not None and name not in ignored}
        if additionally_allowed_tenants is not None:
            self._options["additionally_allowed_tenants"] = additionally_allowed_tenants

    async def _make_broker(self, io: FlowIO) -> Any:
        record = await self._read_record(io)
        try:
            return await io.work(
                partial(
                    silent_broker,
                    tenant_id=self._tenant or record.tenant_id,
                    client_id=record.client_id,
                    authentication_record=record,
                    **self._options,
                )
            )
        except (ValueError, TypeError) as error:
            raise self._unavailable(
                f"{self._who}: Failed to load authentication record: {error} {help_link('vscode')}"
            ) from error

    async def _read_record(self, io: FlowIO) -> AuthenticationRecord:
        """Who is signed in."""
        from .._protocols.vscode import LIMIT, PLACES, parse_record

        for place in PLACES:
            path = os.path.expanduser(place)  # noqa: ASYNC240, PTH111 - no I/O but the user data base
            try:
                return parse_record(await io.read(path, LIMIT))
            except Unreadable as error:
                if not isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
                    raise self._unavailable(
                        f"{self._who}: Failed to load authentication record: {error}. {help_link('vscode')}"
                    ) from error
            except ValueError as error:
                raise self._unavailable(
                    f"{self._who}: Failed to load authentication record: {path}: {error}. {help_link('vscode')}"
                ) from error
        raise self._unavailable(
            f"{self._who}: nobody is signed in. You must be signed in to Azure in Visual Studio Code, with the Azure "
            f"Resources extension, and the package azure-identity-broker must be installed. {help_link('vscode')}"
        )


_BROKER_OPTIONS = ("login_hint", "redirect_uri", "enable_msa_passthrough", "disable_automatic_authentication")
"""Options of the broker's credential that a caller may give."""


@public("VisualStudioCodeCredential")
class VisualStudioCodeCredential(VisualStudioCodeFlow, SyncCredential):
    __doc__ = VisualStudioCodeFlow.__doc__


@public("VisualStudioCodeCredential", AIO)
class AsyncVisualStudioCodeCredential(VisualStudioCodeFlow, AsyncCredential):
    __doc__ = VisualStudioCodeFlow.__doc__

"""A person who signs in on another device.

On the wire: a request for a code, which the person enters in a browser somewhere, then one POST every few seconds until
they are done.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable, Optional

from .._constants import DEVELOPER_SIGN_ON_CLIENT_ID
from .._errors.help import help_link
from .._flows.shells import AsyncCredential, AsyncSignIn, SyncCredential, SyncSignIn
from .._flows.twins import AIO, public
from .._flows.users import UserFlow, seconds_to_wait
from .._values.messages import Unreachable

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._errors.errors import AuthenticationFailedError
    from .._outside.port import FlowIO
    from .._protocols.entra import Granted
    from .._protocols.users import DeviceCode
    from .._values.messages import TokenRequest
    from .._values.record import AuthenticationRecord
    from .._values.settings import SignInOptions

_SLOW_DOWN = 5
"""Seconds added to the interval when the service says to slow down (RFC 8628, section 3.5)."""
_LONGEST_INTERVAL = 60
"""Seconds between requests at most while the network is down. The interval doubles (same section)."""


class DeviceCodeFlow(UserFlow):
    """Authenticates a person who signs in with a code in a web browser, on any device.

    For programs without a browser: on servers, over SSH, in containers. The account's tokens are renewed without asking
    again as long as possible.

    :param str client_id: application (client) id. Default: a Microsoft application for developers.
    :keyword str tenant_id: tenant to sign in to. Default: any work or school account (`organizations`).
    :keyword float timeout: seconds to wait for the person. Default: as long as the code is valid, usually 15 minutes.
    :keyword prompt_callback: called with `verification_uri` (str), `user_code` (str) and `expires_on` (datetime in UTC)
        to tell the person what to do. In `azure.identity.aio` it may be a coroutine function. Default: print to
        standard output.
    :paramtype prompt_callback: Callable[[str, str, ~datetime.datetime], None]
    :keyword authentication_record: an account that signed in before, whose cached tokens are used first.
    :paramtype authentication_record: ~azure.identity.AuthenticationRecord
    :keyword bool disable_automatic_authentication: raise `AuthenticationRequiredError` instead of asking the person;
        call `authenticate` to ask. Default: False.
    :keyword str authority: host of the authority, such as `AzureAuthorityHosts.AZURE_CHINA`. Default:
        `AZURE_AUTHORITY_HOST`, else the public cloud.
    :keyword bool disable_instance_discovery: trust an authority that Microsoft does not know. Default: False.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :keyword cache_persistence_options: where tokens are kept beyond the process. Default: in memory only.
    :paramtype cache_persistence_options: ~azure.identity.TokenCachePersistenceOptions
    :raises ValueError: an argument is malformed.
    :raises TypeError: an identity keyword looks misspelt.

    All keywords of an azure-core pipeline (`transport`, `proxies`, `retry_total`, ...) are accepted too. Source of the
    flow: RFC 8628.
    """

    def __init__(
        self,
        client_id: str = DEVELOPER_SIGN_ON_CLIENT_ID,
        *,
        tenant_id: Optional[str] = None,
        timeout: Optional[float] = None,
        prompt_callback: Optional[Callable[[str, str, datetime], Any]] = None,
        authentication_record: Optional[AuthenticationRecord] = None,
        disable_automatic_authentication: bool = False,
        **options: Unpack[SignInOptions],
    ) -> None:
        super().__init__(
            tenant_id,
            client_id,
            options,
            ("prompt_callback", "authentication_record", "disable_automatic_authentication"),
            record=authentication_record,
            automatic=not disable_automatic_authentication,
        )
        if prompt_callback is not None and not callable(prompt_callback):
            raise TypeError(
                "prompt_callback must be a function of verification_uri, user_code and expires_on, but it is "
                f"{type(prompt_callback).__name__}."
            )
        self._timeout = seconds_to_wait(timeout) if timeout is not None else None
        self._prompt_callback = prompt_callback

    async def _ask_person(self, io: FlowIO, ask: TokenRequest) -> Granted:
        from .._errors.errors import AuthenticationFailedError
        from .._protocols.users import device_form

        code = await self._request_code(io, ask)
        began = io.stopwatch()
        await self._show(io, code)
        limit = code.expires_in if self._timeout is None else min(self._timeout, code.expires_in)
        # The interval is between requests, so a wait shorter than it still allows for one.
        interval: float = max(code.interval, 1)
        pause = min(interval, max(limit - (io.stopwatch() - began), 0))
        trouble: Optional[AuthenticationFailedError] = None
        while True:
            asking_at = io.stopwatch() - began + pause
            if asking_at > limit or asking_at >= code.expires_in:
                break
            await io.sleep(pause)
            try:
                return await self._exchange(io, ask, device_form(self._client_id, code.device_code))
            except AuthenticationFailedError as error:
                trouble = None
                if error.error_code == "slow_down":
                    interval += _SLOW_DOWN
                elif _may_pass(error):
                    interval, trouble = min(interval * 2, _LONGEST_INTERVAL), error
                elif error.error_code != "authorization_pending":
                    raise
            pause = interval
        if trouble is not None:
            raise trouble
        raise AuthenticationFailedError(
            f"{self._who}: Timed out waiting for user to authenticate: nobody finished signing in with the code within "
            f"{limit:g} seconds. {help_link('sign-in')}"
        )

    async def _request_code(self, io: FlowIO, ask: TokenRequest) -> DeviceCode:
        from .._protocols.entra import parse_refusal
        from .._protocols.users import device_code_request, parse_device_code, user_scopes

        tenant = self._tenant_for(ask)
        await self._confirm_authority(io, tenant)
        request = device_code_request(
            self._authority, tenant, self._client_id, user_scopes(ask.scopes), ask.claims, ask.cae, io.new_id()
        )
        sent_at = io.now()
        response = await self._post(io, request)
        code = parse_device_code(response)
        if code is not None:
            return code
        refusal = parse_refusal(response)
        if refusal is not None:
            raise self._refused(ask, request.url, refusal, response, sent_at)
        raise self._unusable(request.url, "it has no device code", response)

    async def _show(self, io: FlowIO, code: DeviceCode) -> None:
        if self._prompt_callback is None:
            await io.call(print, code.message, flush=True)
            return
        expires_on = datetime.fromtimestamp(io.now() + code.expires_in, timezone.utc)
        await io.call(self._prompt_callback, code.verification_uri, code.user_code, expires_on)


def _may_pass(error: AuthenticationFailedError) -> bool:
    """Whether a network that is down for a moment is all that went wrong: the person may be typing all the while."""
    cause = error.__cause__
    return isinstance(cause, Unreachable) and cause.kind in ("connection", "timeout")


@public("DeviceCodeCredential")
class DeviceCodeCredential(DeviceCodeFlow, SyncSignIn, SyncCredential):
    __doc__ = DeviceCodeFlow.__doc__


@public("DeviceCodeCredential", AIO)
class AsyncDeviceCodeCredential(DeviceCodeFlow, AsyncSignIn, AsyncCredential):
    __doc__ = DeviceCodeFlow.__doc__

"""A chain: asks its members in order until one has a token. On the wire: whatever the members send."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Optional

from .._flows.flow import Flow, uncached
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._protocols.scopes import OneScopeOnly, validate_scopes
from .._values import messages
from .._values.messages import Token, TokenRequest
from .._values.redaction import redacted

if TYPE_CHECKING:
    from azure.core.credentials import SupportsTokenInfo, TokenCredential
    from azure.core.credentials_async import AsyncSupportsTokenInfo, AsyncTokenCredential
    from typing_extensions import Union

    from .._cache.memory import Entry, TokenKey
    from .._errors.diagnosis import Attempt
    from .._outside.port import FlowIO

    AnyCredential = Union[TokenCredential, SupportsTokenInfo, AsyncTokenCredential, AsyncSupportsTokenInfo]

_LOGGER = logging.getLogger(__name__)


class ChainFlow(Flow):
    """What chains share: the walk and its report. A chain keeps no tokens of its own; its members do."""

    credentials: tuple[AnyCredential, ...]
    _context = messages.IN_CHAIN
    _sticky = False
    """Whether the member that succeeded once answers all later requests."""
    _successful_credential: Optional[AnyCredential] = None

    @property
    def selected_credential(self) -> Optional[AnyCredential]:
        """The member that answered the last request, or None before the first answer."""
        return self._successful_credential

    def _check(self, ask: TokenRequest) -> None:
        validate_scopes(ask.scopes, ask.method)

    def _key(self, ask: TokenRequest) -> Optional[TokenKey]:
        return None

    def _remember(self, ask: TokenRequest, entry: Entry) -> None:
        if self._sticky:
            super()._remember(ask, entry)  # type: ignore[misc]

    async def _answer(self, io: FlowIO, ask: TokenRequest) -> Entry:
        inner = ask._replace(context=self._context)
        chosen = self._successful_credential
        if self._sticky and chosen is not None:
            entry = await ask_member(io, chosen, inner)
            _LOGGER.debug("%s acquired a token from %s", self._who, member_name(chosen))
            return entry
        return await self._walk(io, inner)

    async def _walk(self, io: FlowIO, ask: TokenRequest) -> Entry:
        from .._errors.errors import CredentialUnavailableError

        attempts: list[Attempt] = []
        for i, member in enumerate(self.credentials):
            started = io.stopwatch()
            try:
                entry = await ask_member(io, member, ask)
            except (CredentialUnavailableError, OneScopeOnly) as error:
                attempts.append(_attempt(member, error, io.stopwatch() - started, failed=False))
            except Exception as error:
                _LOGGER.debug("%s raised unexpected error %r", member_name(member), error, exc_info=True)
                attempts.append(_attempt(member, error, io.stopwatch() - started, failed=True))
                raise self._no_token(attempts, [member_name(other) for other in self.credentials[i + 1 :]]) from error
            else:
                _LOGGER.info("%s acquired a token from %s", self._who, member_name(member))
                self._successful_credential = member
                return entry
        raise self._no_token(attempts, []) from (attempts[-1].error if attempts else None)

    def _no_token(self, attempts: list[Attempt], skipped: list[str]) -> Exception:
        from .._errors.diagnosis import FAILED, report
        from .._errors.errors import AuthenticationFailedError, CredentialUnavailableError

        message = report(self._who, attempts, skipped)
        last = attempts[-1].error if attempts else None
        response = getattr(last, "response", None)
        error: Any
        if any(attempt.outcome == FAILED for attempt in attempts):
            error = AuthenticationFailedError(message, response, claims=getattr(last, "claims", None))
        else:
            error = CredentialUnavailableError(message, response)
        error.attempts = tuple(attempts)
        return error  # type: ignore[no-any-return]

    async def _open(self, io: FlowIO) -> None:
        for member in self.credentials:
            await io.enter(member)

    async def _close(self, io: FlowIO, *exc: Any) -> None:
        first: Optional[Exception] = None
        for member in self.credentials:
            try:
                await io.leave(member, *exc)
            except Exception as error:  # noqa: BLE001 - the other members are closed first, then it is raised
                first = first or error
        if first is not None:
            raise first


async def ask_member(io: FlowIO, member: Any, ask: TokenRequest) -> Entry:
    """A token from a member of a chain, ours or foreign."""
    if is_ours(member):
        entry: Entry = await io.call(member._token, ask)
        return entry
    answer, has_more = await foreign_answer(io, member, ask)
    entry = uncached(token_of(answer))
    # Whoever asked gets the member's own object, with all that it carries.
    if ask.method == "get_token" and not has_more:
        entry.access_token = answer
    elif ask.method == "get_token_info" and has_more:
        entry.info = answer
    return entry


def is_ours(member: Any) -> bool:
    """Whether a member is a credential of this package that nobody overrode or replaced the token methods of."""
    for shell in (SyncCredential, AsyncCredential):
        if isinstance(member, shell):
            return all(
                getattr(getattr(member, name), "__func__", None) is vars(shell)[name]
                for name in ("get_token", "get_token_info")
            )
    return False


async def ask_foreign(io: FlowIO, member: Any, ask: TokenRequest) -> Token:
    """A token from somebody else's credential."""
    return token_of((await foreign_answer(io, member, ask))[0])


async def foreign_answer(io: FlowIO, member: Any, ask: TokenRequest) -> tuple[Any, bool]:
    """What somebody else's credential answers, by whichever of the two token methods it has, and whether that was
    `get_token_info`. It is told only what was asked for: many have a `get_token(*scopes)` and no more."""
    wants_info, has_token, has_info = (
        ask.method == "get_token_info",
        hasattr(member, "get_token"),
        hasattr(member, "get_token_info"),
    )
    given = {"claims": ask.claims, "tenant_id": ask.tenant, "enable_cae": ask.cae or None}
    options: dict[str, Any] = {**ask.extra, **{name: value for name, value in given.items() if value is not None}}
    if has_info and (wants_info or not has_token):
        return await io.call(member.get_token_info, *ask.scopes, options=options), True
    if wants_info and ask.extra.get("pop"):
        from .._errors.errors import CredentialUnavailableError

        raise CredentialUnavailableError(
            f"{member_name(member)} has no get_token_info, so it cannot get proof-of-possession tokens."
        )
    return await io.call(member.get_token, *ask.scopes, **options), False


def token_of(answer: Any) -> Token:
    """A foreign token object as a value of ours. Doubles in tests have attributes of any kind: what is no time is none,
    and a token that does not say when it expires is used once."""
    due, kind = getattr(answer, "refresh_on", None), getattr(answer, "token_type", None)
    return Token(
        answer.token,
        _seconds(answer.expires_on) or 0,
        _seconds(due) if isinstance(due, (int, float)) else None,
        kind if kind and isinstance(kind, str) else "Bearer",
    )


def _seconds(value: Any) -> Optional[int]:
    """A time as whole seconds, or None if it is none: not given, not a number, or infinite."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def member_name(member: Any) -> str:
    """What to call a member in messages."""
    name = getattr(member, "_credential_name", None)
    return name if isinstance(name, str) else type(member).__name__


def _attempt(member: Any, error: Exception, seconds: float, *, failed: bool) -> Attempt:
    from azure.core.exceptions import AzureError

    from .._errors.diagnosis import COULD_NOT_TRY, FAILED, Attempt

    # azure-core's str() of a foreign error appends the response body; its message does not.
    text = error.message if isinstance(error, AzureError) else (str(error) or type(error).__name__)
    if not isinstance(error, AzureError) and failed and not isinstance(error, ValueError):
        text = f"{type(error).__name__}: {text}" if str(error) else text
    return Attempt(
        member_name(member),
        FAILED if failed else COULD_NOT_TRY,
        redacted(text, limit=4000),
        round(seconds * 1000),
        error,
    )


class ChainedTokenFlow(ChainFlow):
    """Asks a sequence of credentials for a token and returns the first one it gets.

    Every request starts with the first credential. One that cannot try (`CredentialUnavailableError`) is passed over;
    one that tried and was refused ends the walk. When none could try, `CredentialUnavailableError` is raised; when one
    failed, `ClientAuthenticationError`. Their message lists every credential that was asked, and `attempts` has the
    same as data.

    :param credentials: the credentials to ask, in order; any object with `get_token` or `get_token_info`.
    :paramtype credentials: ~azure.core.credentials.TokenCredential
    :raises ValueError: no credential was given.
    """

    def __init__(self, *credentials: AnyCredential) -> None:
        if not credentials:
            raise ValueError("at least one credential is required")
        for credential in credentials:
            if not (hasattr(credential, "get_token") or hasattr(credential, "get_token_info")):
                raise TypeError(
                    f"{self._who} takes credentials, objects with get_token or get_token_info, but got "
                    f"{type(credential).__name__}."
                )
        self.credentials = credentials


@public("ChainedTokenCredential")
class ChainedTokenCredential(ChainedTokenFlow, SyncCredential):
    __doc__ = ChainedTokenFlow.__doc__


@public("ChainedTokenCredential", AIO)
class AsyncChainedTokenCredential(ChainedTokenFlow, AsyncCredential):
    __doc__ = ChainedTokenFlow.__doc__

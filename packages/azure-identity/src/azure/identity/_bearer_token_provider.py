"""Bearer tokens as plain strings, for clients that take a function instead of a credential."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Awaitable, Callable

from ._cache.memory import TokenKey
from ._credentials.chained import ask_foreign, token_of
from ._flows.flow import Flow
from ._flows.shells import AsyncCredential, SyncCredential
from ._outside.port import clock
from ._protocols.scopes import canonical_scopes, validate_scopes
from ._values.messages import IN_CHAIN

if TYPE_CHECKING:
    from azure.core.credentials import TokenProvider
    from azure.core.credentials_async import AsyncTokenProvider

    from ._outside.port import FlowIO
    from ._values.messages import Token, TokenRequest


class ProviderFlow(Flow):
    """Keeps the tokens of any credential, ours or foreign, with the same refresh policy and single flight as all
    others."""

    def __init__(self, credential: Any) -> None:
        if not (hasattr(credential, "get_token") or hasattr(credential, "get_token_info")):
            raise TypeError(
                "get_bearer_token_provider takes a credential, an object with get_token or get_token_info, but got "
                f"{type(credential).__name__}."
            )
        self._credential = credential

    @property
    def _who(self) -> str:
        return type(self._credential).__name__

    def _asked(self, *args: Any, **kwargs: Any) -> TokenRequest:
        # The credential reports its own failures; to log them here too would double every line.
        ask: TokenRequest = super()._asked(*args, **kwargs)  # type: ignore[misc]
        return ask._replace(context=IN_CHAIN)

    def _key(self, ask: TokenRequest) -> TokenKey:
        return TokenKey("", "", "", "", canonical_scopes(ask.scopes), False)

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        if hasattr(self._credential, "get_token_info"):
            ask = ask._replace(method="get_token_info")
            return await ask_foreign(io, self._credential, ask)
        return token_of(await io.call(self._credential.get_token, *ask.scopes))


class _SyncHolder(ProviderFlow, SyncCredential):
    """The blocking face of the provider."""


class _AsyncHolder(ProviderFlow, AsyncCredential):
    """The suspending face of the provider."""


def get_bearer_token_provider(credential: TokenProvider, *scopes: str) -> Callable[[], str]:
    """A function without arguments that returns a bearer token for `scopes`, always a valid one.

    Calls are cheap: the token is kept until it is due for renewal. Concurrent calls make one request, and a failed
    early renewal does not cost a token that is still valid.

    :param credential: the credential to get tokens from.
    :paramtype credential: ~azure.core.credentials.TokenProvider
    :param str scopes: what the tokens should grant, such as `https://cognitiveservices.azure.com/.default`.
    :rtype: Callable[[], str]
    :raises TypeError: `credential` is none, or a scope is no string.
    :raises ValueError: no scope was given.

    The function raises what the credential's token method raises.

    .. code-block:: python

        provider = get_bearer_token_provider(DefaultAzureCredential(), "https://cognitiveservices.azure.com/.default")
        request.headers["Authorization"] = "Bearer " + provider()
    """
    holder = _SyncHolder(credential)
    key = (validate_scopes(scopes, "get_bearer_token_provider"), False)

    def provider() -> str:
        entry = holder._hot.get(key)
        if entry is not None and clock() < entry.fresh_until:
            return entry.token.token
        return holder.get_token(*scopes).token

    return provider


def async_get_bearer_token_provider(credential: AsyncTokenProvider, *scopes: str) -> Callable[[], Awaitable[str]]:
    """A coroutine function without arguments that returns a bearer token for `scopes`, always a valid one.

    Calls are cheap: the token is kept until it is due for renewal. Concurrent calls make one request, and a failed
    early renewal does not cost a token that is still valid.

    :param credential: the credential to get tokens from.
    :paramtype credential: ~azure.core.credentials_async.AsyncTokenProvider
    :param str scopes: what the tokens should grant, such as `https://cognitiveservices.azure.com/.default`.
    :rtype: Callable[[], Awaitable[str]]
    :raises TypeError: `credential` is none, or a scope is no string.
    :raises ValueError: no scope was given.

    The function raises what the credential's token method raises.
    """
    holder = _AsyncHolder(credential)
    key = (validate_scopes(scopes, "get_bearer_token_provider"), False)

    async def provider() -> str:
        entry = holder._hot.get(key)
        if entry is not None and clock() < entry.fresh_until:
            return entry.token.token
        return (await holder.get_token(*scopes)).token

    return provider


get_bearer_token_provider.__module__ = "azure.identity"
async_get_bearer_token_provider.__name__ = async_get_bearer_token_provider.__qualname__ = "get_bearer_token_provider"
async_get_bearer_token_provider.__module__ = "azure.identity.aio"

"""The shared core of every credential: look in the cache, fly once, acquire, and say plainly what went wrong.

A credential's own file says what goes over the wire (`_acquire`); everything around it is here, once, for both worlds.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Hashable, Mapping, Optional

from .._cache.memory import Entry, TokenCache, TokenKey
from .._cache.refresh import RENEW_EARLY, USE, refresh_need
from .._errors.help import help_link
from .._outside.flights import FlightTable
from .._protocols.scopes import canonical_scopes, validate_scopes
from .._values import settings

if TYPE_CHECKING:
    from .._errors.errors import AuthenticationFailedError, CredentialUnavailableError
    from .._outside.port import FlowIO
    from .._values.messages import Token, TokenRequest

_LOGGER = logging.getLogger(__name__)


class NotConfigured(ValueError):
    """A constructor lacks arguments that neither its caller nor the environment gave. `DefaultAzureCredential` passes
    over a member that raises it."""


class Flow:
    """A credential's way to a token.

    Subclasses implement `_acquire`, which talks to the outside through its `io` only, and say by `_key` which requests
    may share a token. A constructor validates and stores; it does no I/O.
    """

    _transient: tuple[str, ...] = ("_cache_", "_flights_", "_hot", "_port_")
    """Attributes that are rebuilt when needed: left out of pickles and copies."""

    _package: str
    """Where the public classes of this face live; a credential made of others finds them there."""
    _cache_: Optional[TokenCache] = None
    _flights_: Optional[FlightTable] = None
    _pipeline_options: Mapping[str, Any] = {}

    @property
    def _cache(self) -> TokenCache:
        cache = self._cache_
        if cache is None:
            # Two threads may get here at once: setdefault is atomic, so both end up with the same cache.
            cache = self.__dict__.setdefault("_cache_", TokenCache())
        return cache

    @property
    def _flights(self) -> FlightTable:
        flights = self._flights_
        if flights is None:
            flights = self.__dict__.setdefault("_flights_", FlightTable())
        return flights

    @property
    def _who(self) -> str:
        """The name messages call this credential by."""
        return type(self).__name__

    def _failed(self, message: str, response: Any = None, **facts: Any) -> AuthenticationFailedError:
        """*Tried and refused*, to be raised. `facts` are what the authority said, as the class keeps it."""
        from .._errors.errors import AuthenticationFailedError

        return AuthenticationFailedError(message, response, **facts)

    def _unavailable(self, message: str, response: Any = None) -> CredentialUnavailableError:
        """*Could not try*, to be raised."""
        from .._errors.errors import CredentialUnavailableError

        return CredentialUnavailableError(message, response)

    def _tenant_refused(self, ask: TokenRequest) -> AuthenticationFailedError:
        """The caller asked for a tenant that the credential may not use."""
        return self._failed(
            f"{self._who}: the current credential is not configured to acquire tokens for tenant {ask.tenant}. To "
            "enable acquiring tokens for it, add it to additionally_allowed_tenants when creating the credential, or "
            f'add "*" to allow any tenant. {help_link("tenant-not-allowed")}'
        )

    def _sibling(self, name: str) -> Any:
        """The public class of this name and this face."""
        # Almost always loaded already; looking there first is what makes the default chain quick to build.
        return getattr(sys.modules.get(self._package) or import_module(self._package), name)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in self._transient}

    # --- what a credential says about itself ---

    def _check(self, ask: TokenRequest) -> None:
        """Refuse what can be refused without asking anybody."""
        validate_scopes(ask.scopes, ask.method)

    def _key(self, ask: TokenRequest) -> Optional[TokenKey]:
        """What a token for this request is kept under; None if this credential keeps none."""
        raise NotImplementedError

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        """Get a new token."""
        raise NotImplementedError

    async def _open(self, io: FlowIO) -> None:
        """Begin of a `with` block."""
        await io.open()

    async def _close(self, io: FlowIO, *exc: Any) -> None:
        """End of a `with` block, or `close()`."""
        await io.close(*exc)

    # --- the algorithm ---

    async def _answer(self, io: FlowIO, ask: TokenRequest) -> Entry:
        """A token for a checked request: from the cache, from somebody else's flight, or new."""
        key = self._key(ask)
        entry = self._cache.get(key) if key is not None else None
        if entry is not None and not ask.claims:
            need = refresh_need(io.now(), entry.token.expires_on, entry.token.refresh_on, entry.last_attempt)
            if need == USE:
                return entry
            if need == RENEW_EARLY:
                return await self._renew_early(io, ask, entry)
        return await self._fly(io, ask, key)

    async def _renew_early(self, io: FlowIO, ask: TokenRequest, entry: Entry) -> Entry:
        """One caller renews a token that is still good; the others keep it, and so does that one if it fails."""
        if not self._cache.claim_renewal(entry, io.now()):
            return entry
        try:
            return await self._fly(io, ask, self._key(ask), renewing=entry)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is logged, and must not cost a valid token
            self._log_kept(error)
            return entry
        finally:
            self._cache.end_renewal(entry)

    async def _fly(
        self, io: FlowIO, ask: TokenRequest, key: Optional[TokenKey], renewing: Optional[Entry] = None
    ) -> Entry:
        async with io.single_flight(self._flight(ask, key)) as flight:
            if flight.shared:
                shared: Entry = flight.result
                return shared
            now = io.now()
            entry = self._cache.get(key) if key is not None else None
            if entry is not None and not ask.claims:
                # Look again: somebody may have landed between the first look and the take-off.
                need = refresh_need(now, entry.token.expires_on, entry.token.refresh_on, entry.last_attempt)
                if need == USE and entry is not renewing:
                    flight.result = entry
                    return entry
                ask = ask._replace(patient=now >= entry.token.expires_on)
            try:
                token = await self._acquire(io, ask)
            except Exception as error:
                if entry is not None and not ask.claims:
                    # Not before it failed: until then, all who come are to wait for this attempt. The pause counts from
                    # here, so that a slow failure is not followed by the next attempt at once.
                    self._cache.note_attempt(entry, io.now())
                if entry is None or ask.claims or entry is renewing or io.now() >= entry.token.expires_on:
                    raise
                self._log_kept(error)
                flight.result = entry
                return entry
            entry = flight.result = self._keep(key, token, now) if key is not None else uncached(token)
            return entry

    def _keep(self, key: TokenKey, token: Token, now: int) -> Entry:
        """Put a new token into the cache."""
        return self._cache.put(key, token, now)

    def _flight(self, ask: TokenRequest, key: Optional[TokenKey]) -> Hashable:
        """Requests with equal flights are answered by one acquisition."""
        return (key or (canonical_scopes(ask.scopes), ask.tenant, ask.cae), ask.claims)

    def _log_kept(self, error: Exception) -> None:
        _LOGGER.warning(
            "%s could not renew a token and goes on with the current one, which is still valid: %s", self._who, error
        )


def uncached(token: Token) -> Entry:
    """An answer that must not be used again without asking the flow."""
    entry = Entry(token, 0)
    entry.reusable = False
    return entry


def split_options(
    owner: str, given: Mapping[str, Any], parameters: tuple[str, ...] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The credential's own options and those of its pipeline, without those that mean nothing (see `check_unknown`)."""
    if not given:
        return {}, {}
    apart = (*settings.CREDENTIAL_OPTIONS, *settings.check_unknown(owner, given, parameters))
    settings.refuse_line_breaks(given)
    own = {name: value for name, value in given.items() if name in settings.CREDENTIAL_OPTIONS}
    pipeline = {name: value for name, value in given.items() if name not in apart and not name.startswith("_")}
    return own, pipeline

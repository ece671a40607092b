"""A web API that calls another on behalf of its user. On the wire: one on-behalf-of grant with the user's token.

A web API makes one credential per request, so everything that can be shared is: connections (`_outside.http.pipes`),
parsed certificates and signed assertions, and the tokens themselves, by a key that holds a hash of the user's
assertion and one of the application's proof. Nobody gets a token without having presented both.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Optional, Union

from .._cache.memory import TokenCache
from .._errors.help import help_link
from .._flows.entra import EntraFlow
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._outside.flights import FlightTable

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._outside.port import FlowIO
    from .._values.messages import Token, TokenRequest
    from .._values.settings import CredentialOptions
    from .certificate import AssertionSigner

_tokens = TokenCache()
"""The tokens of all users of this process. Bounded, and expired ones are dropped."""
_flights = FlightTable()
_signers: OrderedDict[tuple[bytes, bool], AssertionSigner] = OrderedDict()
_SIGNERS_LIMIT = 16


class OnBehalfOfFlow(EntraFlow):
    """Authenticates a web API as its user, to call another API on the user's behalf.

    Make one per incoming request, with that request's token: it is cheap, and credentials with the same application and
    the same user assertion share tokens.

    :param str tenant_id: id or domain name of the web API's tenant.
    :param str client_id: the web API's application (client) id.
    :keyword str user_assertion: the access token the user's client sent, whose audience is this web API.
    :keyword str client_secret: a client secret of the web API.
    :keyword bytes client_certificate: content of a PEM or PKCS#12 certificate with private key, instead of a secret.
    :keyword client_assertion_func: a function that returns an assertion of the web API, instead of a secret. In
        `azure.identity.aio` it may be a coroutine function.
    :paramtype client_assertion_func: Callable[[], str]
    :keyword password: password of the certificate.
    :paramtype password: str or bytes
    :keyword bool send_certificate_chain: send the certificates of the file along (x5c header). Default: False.
    :keyword str authority: host of the authority, such as `AzureAuthorityHosts.AZURE_CHINA`. Default:
        `AZURE_AUTHORITY_HOST`, else the public cloud.
    :keyword bool disable_instance_discovery: trust an authority that Microsoft does not know. Default: False.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :keyword cache_persistence_options: where tokens are kept beyond the process. Default: in memory only.
    :paramtype cache_persistence_options: ~azure.identity.TokenCachePersistenceOptions
    :raises TypeError: no assertion or no proof of the application is given, or an identity keyword looks misspelt.
    :raises ValueError: more than one proof is given, or an argument is malformed.

    When the service demands more of the user (Conditional Access), the error's `claims` hold the challenge to send back
    to the user's client. Source: "Microsoft identity platform and OAuth 2.0 On-Behalf-Of flow".
    """

    _transient = (*EntraFlow._transient, "_refresh_token")
    _refresh_token: Optional[str] = None

    def __init__(
        self,
        tenant_id: str,
        client_id: str,
        *,
        user_assertion: str,
        client_secret: Optional[str] = None,
        client_certificate: Optional[bytes] = None,
        client_assertion_func: Optional[Callable[[], Union[str, Awaitable[str]]]] = None,
        password: Union[str, bytes, None] = None,
        send_certificate_chain: bool = False,
        **options: Unpack[CredentialOptions],
    ) -> None:
        super().__init__(tenant_id, client_id, options, _PARAMETERS)
        if not user_assertion or not isinstance(user_assertion, str):
            raise TypeError("user_assertion must be the access token of the incoming request, a non-empty str.")
        given = [proof for proof in (client_secret, client_certificate, client_assertion_func) if proof]
        if not given:
            raise TypeError(
                f"{self._who} requires one of client_secret, client_certificate and client_assertion_func, but none is "
                "given."
            )
        if len(given) > 1:
            raise ValueError(
                f"{self._who} takes only one of client_secret, client_certificate and client_assertion_func, but "
                f"{len(given)} are given."
            )
        self._assertion = user_assertion
        self._secret = client_secret or None
        self._func = client_assertion_func or None
        self._signer = (
            _signer(self._who, client_certificate, password, send_certificate_chain) if client_certificate else None
        )
        self._subject_hash = self._hash()

    def _hash(self) -> str:
        """Stands for the user's assertion and the application's proof in cache keys. A callback proves itself by being
        the same one."""
        if self._secret:
            proof = "secret " + self._secret
        elif self._signer is not None:
            proof = "certificate " + self._signer.fingerprint
        else:
            proof = f"callback {id(self._func)}"
        # The length keeps the two apart: nothing that ends the one and begins the other makes the same text.
        text = f"{len(self._assertion)} {self._assertion}{proof}"
        return "obo:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def _subject(self, ask: TokenRequest) -> str:
        return self._subject_hash

    # Callbacks are compared by identity, and an identity is only good as long as its object lives: such credentials
    # keep their own tokens.
    @property
    def _cache(self) -> TokenCache:
        return _tokens if self._func is None else super()._cache

    @property
    def _flights(self) -> FlightTable:
        return _flights if self._func is None else super()._flights

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        from .._errors.errors import AuthenticationFailedError
        from .._protocols.users import on_behalf_of_form, refresh_form, user_scopes

        scopes, proof = user_scopes(ask.scopes), await self._proof(io, ask)
        if self._refresh_token is not None:
            try:
                form = refresh_form(self._client_id, scopes, self._refresh_token, proof)
                return await self._granted(io, ask, form)
            except AuthenticationFailedError as error:
                if error.error_code != "invalid_grant":
                    raise
                self._refresh_token = None  # the user's assertion may still do
        return await self._granted(io, ask, on_behalf_of_form(self._client_id, scopes, self._assertion, proof))

    async def _granted(self, io: FlowIO, ask: TokenRequest, form: dict[str, str]) -> Token:
        granted = await self._exchange(io, ask, form)
        refresh_token = granted.body.get("refresh_token")
        if isinstance(refresh_token, str) and refresh_token:
            self._refresh_token = refresh_token
        return granted.token

    async def _proof(self, io: FlowIO, ask: TokenRequest) -> dict[str, str]:
        """How the web API proves who it is."""
        from .._protocols.entra import assertion_proof, secret_proof

        if self._secret:
            return secret_proof(self._secret)
        if self._signer is not None:
            return assertion_proof(self._signer.assertion(io, self._authority, self._tenant_for(ask), self._client_id))
        assertion = await io.call(self._func)  # type: ignore[arg-type]
        if not isinstance(assertion, str) or not assertion:
            raise self._failed(
                f"{self._who}: the callback 'client_assertion_func' must return the assertion as a non-empty str, "
                f"but it returned {type(assertion).__name__}. {help_link('assertion-callback')}"
            )
        return assertion_proof(assertion)

    def _secrets(self) -> tuple[str, ...]:
        return (self._assertion, self._secret or "", self._refresh_token or "")


_PARAMETERS = (
    "user_assertion",
    "client_secret",
    "client_certificate",
    "client_assertion_func",
    "password",
    "send_certificate_chain",
)


def _signer(owner: str, data: bytes, password: Any, send_chain: bool) -> AssertionSigner:
    """The signer for a certificate, shared by all credentials with the same one: so are its signed assertions."""
    from .certificate import read_certificate

    secret = password.encode("utf-8") if isinstance(password, str) else (password or b"")
    key = (hashlib.sha256(len(secret).to_bytes(4, "big") + secret + data).digest(), send_chain)
    signer = _signers.get(key)
    if signer is None:
        signer = _signers[key] = read_certificate(owner, None, data, password, send_chain)
        while len(_signers) > _SIGNERS_LIMIT:
            _signers.popitem(last=False)
    return signer


@public("OnBehalfOfCredential")
class OnBehalfOfCredential(OnBehalfOfFlow, SyncCredential):
    __doc__ = OnBehalfOfFlow.__doc__


@public("OnBehalfOfCredential", AIO)
class AsyncOnBehalfOfCredential(OnBehalfOfFlow, AsyncCredential):
    __doc__ = OnBehalfOfFlow.__doc__

"""A service principal with a certificate. On the wire: one client credentials grant with a signed assertion.

The assertion is signed once per token endpoint and used again for minutes: signing costs more than the rest of a
request on this side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Union

from .._errors.help import help_link
from .._flows.entra import EntraFlow
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._protocols.authority import is_adfs, token_endpoint

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._outside.port import FlowIO
    from .._protocols.assertions import Certificate
    from .._protocols.authority import Authority
    from .._values.messages import Token, TokenRequest
    from .._values.settings import CredentialOptions


class AssertionSigner:
    """Signs client assertions with one certificate, and keeps the current one per token endpoint."""

    _transient = ("_loaded", "_signed")

    def __init__(self, data: bytes, password: Union[str, bytes, None], send_chain: bool) -> None:
        self._data = data
        self._password = password
        self._send_chain = send_chain
        self._loaded: Optional[Certificate] = None
        self._signed: dict[tuple[str, str], tuple[int, str]] = {}
        self.certificate()

    def __getstate__(self) -> dict[str, Any]:
        # The private key object cannot be pickled; its bytes can, and are read again when needed.
        return {name: value for name, value in self.__dict__.items() if name not in self._transient}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _loaded=None, _signed={})

    def __repr__(self) -> str:
        return "AssertionSigner(***)"

    @property
    def fingerprint(self) -> str:
        """Identifies the certificate's content; no secret."""
        return self.certificate().fingerprint

    def certificate(self) -> Certificate:
        """The certificate, read when it is first needed."""
        if self._loaded is None:
            from .._protocols.assertions import load_certificate

            self._loaded = load_certificate(self._data, self._password)
        return self._loaded

    def assertion(self, io: FlowIO, authority: Authority, tenant: str, client_id: str) -> str:
        """An assertion for the central token endpoint of a tenant (also when the request goes to a regional one)."""
        from .._protocols.assertions import REUSE, sign_assertion

        audience, now = token_endpoint(authority, tenant), io.now()
        signed_at, assertion = self._signed.get((audience, client_id), (0, ""))
        if not signed_at <= now < signed_at + REUSE:
            assertion = sign_assertion(
                self.certificate(),
                client_id=client_id,
                audience=audience,
                now=now,
                token_id=io.new_id(),
                send_chain=self._send_chain,
                adfs=is_adfs(tenant),
            )
            if len(self._signed) >= 1000:
                self._signed.clear()
            self._signed[audience, client_id] = (now, assertion)
        return assertion


def read_certificate(
    owner: str, path: Optional[str], data: Optional[bytes], password: Union[str, bytes, None], send_chain: bool
) -> AssertionSigner:
    """A signer for the certificate given by path or as bytes.

    :raises ValueError: both or neither are given, or the content is not a usable certificate.
    :raises OSError: the file cannot be read.
    """
    if (path is None or path == "") == (data is None):
        raise ValueError(f"{owner} requires either certificate_path or certificate_data, and not both.")
    where = "certificate_data"
    if path:
        where = f"certificate_path {str(path)!r}"
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - pathlib would be one more import
                data = file.read()
        except OSError as error:
            # The same class of error (FileNotFoundError, ...), with a message that says whose file it is.
            raise type(error)(
                error.errno,
                f"{owner}: the certificate cannot be read: {error.strerror}. {help_link('certificate-file')}",
                str(path),
            ) from None
    assert data is not None
    if not isinstance(data, (bytes, bytearray)):
        raise TypeError(f"certificate_data must be bytes, but it is {type(data).__name__}.")
    try:
        return AssertionSigner(bytes(data), password, send_chain)
    except ValueError as error:
        raise ValueError(f"{owner}: {where}: {error} {help_link('certificate-file')}") from None


class CertificateFlow(EntraFlow):
    """Authenticates a service principal with a certificate.

    The certificate must have an RSA private key, because assertions are signed with PS256 (RS256 for AD FS).

    :param str tenant_id: id or domain name of the service principal's tenant.
    :param str client_id: the service principal's application (client) id.
    :param str certificate_path: path of a PEM or PKCS#12 file with certificate and private key. Read once, here.
    :keyword bytes certificate_data: the content of such a file, instead of its path.
    :keyword password: password of the private key, a `str` (as UTF-8) or `bytes`. Default: none; an empty one is none
        too.
    :paramtype password: str or bytes
    :keyword bool send_certificate_chain: send the certificates of the file along (x5c header), as subject name / issuer
        authentication and certificate roll-over require. Default: False.
    :keyword str authority: host of the authority, such as `AzureAuthorityHosts.AZURE_CHINA`. Default:
        `AZURE_AUTHORITY_HOST`, else the public cloud.
    :keyword bool disable_instance_discovery: trust an authority that Microsoft does not know, such as a private
        cloud's. Default: False.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :keyword cache_persistence_options: where tokens are kept beyond the process. Default: in memory only.
    :paramtype cache_persistence_options: ~azure.identity.TokenCachePersistenceOptions
    :raises ValueError: an argument is empty or malformed, or the certificate cannot be used; the message says why.
    :raises OSError: the file cannot be read.
    :raises TypeError: an identity keyword looks misspelt.

    All keywords of an azure-core pipeline (`transport`, `proxies`, `retry_total`, `logging_enable`, ...) are accepted
    too.

    Source of the assertion: "Microsoft identity platform application authentication certificate credentials".
    """

    _regional = True

    def __init__(
        self,
        tenant_id: str,
        client_id: str,
        certificate_path: Optional[str] = None,
        *,
        certificate_data: Optional[bytes] = None,
        password: Union[str, bytes, None] = None,
        send_certificate_chain: bool = False,
        **options: Unpack[CredentialOptions],
    ) -> None:
        super().__init__(tenant_id, client_id, options, ("certificate_data", "password", "send_certificate_chain"))
        self._signer = read_certificate(self._who, certificate_path, certificate_data, password, send_certificate_chain)

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        from .._protocols.entra import assertion_proof, client_credentials

        assertion = self._signer.assertion(io, self._authority, self._tenant_for(ask), self._client_id)
        return await self._redeem(io, ask, client_credentials(self._client_id, ask.scopes, assertion_proof(assertion)))


@public("CertificateCredential")
class CertificateCredential(CertificateFlow, SyncCredential):
    __doc__ = CertificateFlow.__doc__


@public("CertificateCredential", AIO)
class AsyncCertificateCredential(CertificateFlow, AsyncCredential):
    __doc__ = CertificateFlow.__doc__

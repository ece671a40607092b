"""A service principal configured by environment variables. On the wire: what the credential it configures sends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Optional

from .. import _settings
from .._flow import Flow
from .._protocols.scopes import validate_scopes
from .._shells import AsyncCredential, SyncCredential
from .._twins import AIO, public

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._cache.memory import Entry, TokenKey
    from .._io import FlowIO
    from .._messages import TokenRequest
    from .._settings import CredentialOptions

_LOGGER = logging.getLogger(__name__)

# What each way to authenticate needs, in order of precedence.
_SECRET = (_settings.TENANT_ID, _settings.CLIENT_ID, _settings.CLIENT_SECRET)
_CERTIFICATE = (_settings.TENANT_ID, _settings.CLIENT_ID, _settings.CERTIFICATE_PATH)


class EnvironmentFlow(Flow):
    """Authenticates the service principal that environment variables describe.

    Service principal with secret: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`.

    Service principal with certificate: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_CERTIFICATE_PATH` (PEM or
    PKCS#12), and optionally `AZURE_CLIENT_CERTIFICATE_PASSWORD` and `AZURE_CLIENT_SEND_CERTIFICATE_CHAIN` (true or
    false).

    `AZURE_AUTHORITY_HOST` names the authority of another cloud. Blank variables count as unset. They are read once,
    here; a secret wins over a certificate. Where they are incomplete, requests raise `CredentialUnavailableError`.

    All keywords of the credential that is configured are accepted, such as `authority` and
    `additionally_allowed_tenants`.

    :raises ValueError: a variable or an argument is malformed.
    :raises OSError: the certificate file cannot be read.
    """

    def __init__(self, **options: Unpack[CredentialOptions]) -> None:
        _settings.refuse_near_misses(self._who, options)
        given: dict[str, Any] = dict(options)
        # DefaultAzureCredential has other members, so there an incomplete environment is nothing to warn of.
        quiet = given.pop("_quiet", False)
        tenant, client = _settings.read(_settings.TENANT_ID), _settings.read(_settings.CLIENT_ID)
        secret, certificate = _settings.read_exact(_settings.CLIENT_SECRET), _settings.read(_settings.CERTIFICATE_PATH)
        secret = secret if secret and secret.strip() else None
        self._credential: Any = None
        if tenant and client and secret:
            self._credential = self._sibling("ClientSecretCredential")(tenant, client, secret, **given)
        elif tenant and client and certificate:
            self._credential = self._sibling("CertificateCredential")(
                tenant,
                client,
                certificate,
                password=_settings.read_exact(_settings.CERTIFICATE_PASSWORD),
                send_certificate_chain=_settings.read_flag(_settings.SEND_CERTIFICATE_CHAIN),
                **given,
            )
        self._set = tuple(name for name in dict.fromkeys(_SECRET + _CERTIFICATE) if _settings.read(name))
        if self._credential is not None:
            _LOGGER.info("Environment is configured for %s", type(self._credential).__name__)
        elif self._set:
            _LOGGER.log(
                logging.INFO if quiet else logging.WARNING, "Incomplete environment configuration. %s", self._missing()
            )
        else:
            _LOGGER.info("No environment configuration found.")

    def _missing(self) -> str:
        have = f"Set: {', '.join(self._set)}. " if self._set else ""
        lacking = [name for name in _SECRET if name not in self._set]
        either = [
            f"{name} or {_settings.CERTIFICATE_PATH}" if name == _settings.CLIENT_SECRET else name for name in lacking
        ]
        return f"{have}Missing: {', '.join(either)}."

    def _check(self, ask: TokenRequest) -> None:
        if self._credential is None:
            from .._errors import CredentialUnavailableError, help_link

            raise CredentialUnavailableError(
                f"{self._who} authentication unavailable. Environment variables are not fully configured. "
                f"{self._missing()} "
                f"{help_link('environment')}"
            )
        validate_scopes(ask.scopes, ask.method)

    def _key(self, ask: TokenRequest) -> Optional[TokenKey]:
        return None

    async def _answer(self, io: FlowIO, ask: TokenRequest) -> Entry:
        entry: Entry = await io.call(self._credential._token, ask)
        return entry

    async def _open(self, io: FlowIO) -> None:
        if self._credential is not None:
            await io.enter(self._credential)

    async def _close(self, io: FlowIO, *exc: Any) -> None:
        if self._credential is not None:
            await io.leave(self._credential, *exc)


@public("EnvironmentCredential")
class EnvironmentCredential(EnvironmentFlow, SyncCredential):
    __doc__ = EnvironmentFlow.__doc__


@public("EnvironmentCredential", AIO)
class AsyncEnvironmentCredential(EnvironmentFlow, AsyncCredential):
    __doc__ = EnvironmentFlow.__doc__

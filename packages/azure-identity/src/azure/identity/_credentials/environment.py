"""A service principal, or an account, that environment variables describe. On the wire: what the credential they
configure sends."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any, Optional

from .._errors.help import help_link
from .._flows.flow import Flow
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._protocols.scopes import validate_scopes
from .._values import settings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._cache.memory import Entry, TokenKey
    from .._outside.port import FlowIO
    from .._values.messages import TokenRequest
    from .._values.settings import CredentialOptions

_LOGGER = logging.getLogger(__name__)

# What each way to authenticate needs, in order of precedence.
_SECRET = (settings.TENANT_ID, settings.CLIENT_ID, settings.CLIENT_SECRET)
_CERTIFICATE = (settings.TENANT_ID, settings.CLIENT_ID, settings.CERTIFICATE_PATH)
_PASSWORD = (settings.CLIENT_ID, settings.USERNAME, settings.PASSWORD)
_VARIABLES = (*_SECRET, settings.CERTIFICATE_PATH, settings.USERNAME, settings.PASSWORD)

_CALLER, _CALLER_OF_CHAIN = 2, 7
"""Where a warning points: at who makes this credential, or a `DefaultAzureCredential` with it."""


class EnvironmentFlow(Flow):
    """Authenticates the service principal that environment variables describe.

    Service principal with secret: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`.

    Service principal with certificate: `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_CERTIFICATE_PATH` (PEM or
    PKCS#12), and optionally `AZURE_CLIENT_CERTIFICATE_PASSWORD` and `AZURE_CLIENT_SEND_CERTIFICATE_CHAIN` (true or
    false).

    User name and password (deprecated, since it does not work with multifactor authentication): `AZURE_CLIENT_ID`,
    `AZURE_USERNAME`, `AZURE_PASSWORD`, and optionally `AZURE_TENANT_ID`.

    `AZURE_AUTHORITY_HOST` names the authority of another cloud. Blank variables count as unset. They are read once,
    here; a secret wins over a certificate, and that over a password. Where they are incomplete, requests raise
    `CredentialUnavailableError`.

    All keywords of the credential that is configured are accepted, such as `authority` and
    `additionally_allowed_tenants`.

    :raises ValueError: a variable or an argument is malformed.
    :raises OSError: the certificate file cannot be read.
    """

    def __init__(self, **options: Unpack[CredentialOptions]) -> None:
        ignored = settings.check_unknown(self._who, options)
        given: dict[str, Any] = {name: value for name, value in options.items() if name not in ignored}
        # DefaultAzureCredential has other members, so there an incomplete environment is nothing to warn of.
        quiet = given.pop("_quiet", False)
        tenant, client = settings.read(settings.TENANT_ID), settings.read(settings.CLIENT_ID)
        secret, certificate = settings.read_exact(settings.CLIENT_SECRET), settings.read(settings.CERTIFICATE_PATH)
        secret = secret if secret and secret.strip() else None
        username, password = settings.read(settings.USERNAME), settings.read_exact(settings.PASSWORD)
        password = password if password and password.strip() else None
        self._credential: Any = None
        if tenant and client and secret:
            self._credential = self._sibling("ClientSecretCredential")(tenant, client, secret, **given)
        elif tenant and client and certificate:
            self._credential = self._sibling("CertificateCredential")(
                tenant,
                client,
                certificate,
                password=settings.read_exact(settings.CERTIFICATE_PASSWORD),
                send_certificate_chain=settings.read_flag(settings.SEND_CERTIFICATE_CHAIN),
                **given,
            )
        elif client and username and password:
            warnings.warn(
                f"The environment is configured for a user name and password ({settings.USERNAME}, "
                f"{settings.PASSWORD}). That is deprecated, because it does not work with multifactor authentication "
                "(MFA). See https://aka.ms/azsdk/identity/mfa",
                DeprecationWarning,
                stacklevel=_CALLER_OF_CHAIN if quiet else _CALLER,
            )
            self._credential = self._sibling("UsernamePasswordCredential")(
                client, username, password, tenant_id=tenant, _within_environment=True, **given
            )
        # A user name alone chooses an account of the shared token cache: it is no attempt at this.
        names = _SECRET + _CERTIFICATE + (_PASSWORD if password else ())
        values = (tenant, client, secret, certificate, username, password)
        found = {name for name, value in zip(_VARIABLES, values) if value}
        self._set = tuple(name for name in dict.fromkeys(names) if name in found)
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
        if settings.PASSWORD in self._set and not {settings.CLIENT_SECRET, settings.CERTIFICATE_PATH} & {*self._set}:
            return f"{have}Missing: {', '.join(name for name in _PASSWORD if name not in self._set)}."
        lacking = [name for name in _SECRET if name not in self._set]
        either = [
            f"{name} or {settings.CERTIFICATE_PATH}" if name == settings.CLIENT_SECRET else name for name in lacking
        ]
        return f"{have}Missing: {', '.join(either)}."

    def _check(self, ask: TokenRequest) -> None:
        if self._credential is None:
            raise self._unavailable(
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

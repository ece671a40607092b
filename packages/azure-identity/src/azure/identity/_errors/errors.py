"""What goes wrong, and how it is said.

    azure.core.exceptions.AzureError
      HttpResponseError
        ClientAuthenticationError            tried, and was refused; a chain stops
          AuthenticationFailedError          the same, with what the authority answered as attributes (no public name)
          CredentialUnavailableError         could not try here; a chain goes on
            AuthenticationRequiredError      a person has to sign in

A message names the credential, what it asked for, what came back (with AADSTS code, correlation id and trace id) and
the next step. It never contains a secret. The response, when there was one, is in `error.response`; unlike azure-core's
own errors these do not append its body to their text, nor let it replace their message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Optional, Sequence

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from .._values.redaction import redacted
from .help import HELP, help_link

if TYPE_CHECKING:
    from .diagnosis import Attempt

__all__ = [
    "HELP",
    "AuthenticationFailedError",
    "AuthenticationRequiredError",
    "CredentialUnavailableError",
    "help_link",
    "redacted",
]


def _keep(failure: HttpResponseError, message: Optional[object], response: Any, **kwargs: Any) -> None:
    """Attach the response without letting azure-core rewrite the message from its body."""
    HttpResponseError.__init__(failure, message=message, **kwargs)
    failure.response = response
    if response is not None:
        failure.status_code = getattr(response, "status_code", None)
        failure.reason = getattr(response, "reason", None)


class AuthenticationFailedError(ClientAuthenticationError):
    """Authentication was attempted and refused. Programs catch it as ClientAuthenticationError."""

    attempts: tuple[Attempt, ...] = ()
    """For a chain's error: what each member did."""

    def __init__(
        self,
        message: str,
        response: Any = None,
        *,
        error_code: Optional[str] = None,
        error_codes: Sequence[int] = (),
        suberror: Optional[str] = None,
        claims: Optional[str] = None,
        correlation_id: Optional[str] = None,
        trace_id: Optional[str] = None,
    ) -> None:
        _keep(self, message, response)
        self.error_code = error_code
        """The OAuth error, such as `invalid_client` (RFC 6749, section 5.2)."""
        self.error_codes = tuple(error_codes)
        """AADSTS numbers."""
        self.suberror = suberror
        self.claims = claims
        """A claims challenge to relay to the user's client, when the authority sent one."""
        self.correlation_id = correlation_id
        self.trace_id = trace_id

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> Any:
        facts = {
            name: getattr(self, name)
            for name in ("error_code", "error_codes", "suberror", "claims", "correlation_id", "trace_id")
        }
        return _rebuild, (type(self), self.message, facts)


def _rebuild(kind: type[Any], message: str, facts: dict[str, Any]) -> Any:
    return kind(message, **facts)


class CredentialUnavailableError(ClientAuthenticationError):
    """The credential could not try to authenticate: it is not configured, or what it depends on is not there.

    A chain goes on to its next member.
    """

    attempts: tuple[Attempt, ...] = ()
    """For a chain's error: what each member did."""

    def __init__(self, message: Optional[object] = None, response: Any = None, **kwargs: Any) -> None:
        _keep(self, message, response, **kwargs)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self.message, {})


class AuthenticationRequiredError(CredentialUnavailableError):
    """A person has to sign in to get a token, and the credential was told not to ask for it by itself.

    :param scopes: the scopes the token was requested for.
    :param message: default: a text that tells to call `authenticate`.
    :param claims: the claims challenge to sign in with, if there is one.
    """

    def __init__(
        self, scopes: Iterable[str], message: Optional[str] = None, claims: Optional[str] = None, **kwargs: Any
    ) -> None:
        self._scopes = scopes
        self._claims = claims
        if not message:
            message = "Interactive authentication is required to get a token. Call 'authenticate' to begin."
        super().__init__(message=message, **kwargs)

    def __reduce__(self) -> Any:
        return _rebuild_required, (type(self), self._scopes, self.message, self._claims)

    @property
    def scopes(self) -> Iterable[str]:
        """Scopes requested during the failed authentication."""
        return self._scopes

    @property
    def claims(self) -> Optional[str]:
        """Additional claims required in the next authentication."""
        return self._claims


def _rebuild_required(kind: type[Any], scopes: Iterable[str], message: str, claims: Optional[str]) -> Any:
    return kind(scopes, message, claims)


for _public in (CredentialUnavailableError, AuthenticationRequiredError):
    _public.__module__ = "azure.identity"

"""msal, through which alone the operating system's authentication broker can be reached.

Only credentials of the package azure-identity-broker use it. Its requests go through the credential's own pipeline,
and nothing of it is imported before such a credential asks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence
from urllib.parse import urlencode

from .._outside.port import run_blocking
from .._protocols.entra import Granted, whole
from .._values.messages import Request, Token

if TYPE_CHECKING:
    from .._outside.blocking import BlockingIO
    from .._values.messages import Response
    from .._values.record import AuthenticationRecord


def msal() -> Any:
    """The module. It has no types."""
    return import_module("msal")


def runtime_problem() -> Optional[str]:
    """Why the broker's runtime cannot be used on this machine; None if it was initialised.

    msal's own module for it raises ImportError when the runtime is not installed, OSError when a library it needs is
    missing, and RuntimeError when the system has no broker.
    """
    try:
        import_module("msal.broker")
    except (ImportError, OSError, RuntimeError) as error:
        from .._errors.errors import redacted

        return redacted(str(error), limit=300) or type(error).__name__
    return None


def console_window() -> Any:
    """What msal takes as the window of a console program."""
    return msal().PublicClientApplication.CONSOLE_WINDOW_HANDLE


def renewed(
    application: Any, record: AuthenticationRecord, scopes: Sequence[str], claims: Optional[str], scheme: Any = None
) -> Optional[Mapping[str, Any]]:
    """What msal can get for an account without asking the person: a result, possibly an error; None for nothing."""
    for account in application.get_accounts(username=record.username or None):
        if account.get("home_account_id") == record.home_account_id:
            result: Optional[Mapping[str, Any]] = application.acquire_token_silent_with_error(
                list(scopes), account=account, claims_challenge=claims, auth_scheme=scheme
            )
            return result
    return None


def granted(result: Mapping[str, Any], began: int) -> Optional[Granted]:
    """The token and the account in a result of msal's; None if it has no token. `began`: epoch seconds."""
    token, lifetime = result.get("access_token"), whole(result.get("expires_in"))
    if not isinstance(token, str) or not token or lifetime is None:
        return None
    kind = str(result.get("token_type") or "Bearer")
    answer = Token(
        token, began + lifetime, whole(result.get("refresh_on")), "Bearer" if kind.lower() == "bearer" else kind
    )
    return Granted(answer, {"id_token": result.get("id_token"), "client_info": result.get("client_info")})


class MsalHttp:
    """The HTTP client msal is given: sends through a credential's port."""

    def __init__(self, io: BlockingIO) -> None:
        self._io = io

    def get(self, url: str, params: Any = None, headers: Any = None, **kwargs: Any) -> MsalResponse:
        """One GET."""
        return self._send("GET", url, params, headers, None)

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **kwargs: Any) -> MsalResponse:
        """One POST of a form."""
        form = {name: str(value) for name, value in dict(data or {}).items() if value is not None}
        return self._send("POST", url, params, headers, form)

    def close(self) -> None:
        """The port belongs to the credential."""

    def _send(self, method: str, url: str, params: Any, headers: Any, form: Optional[dict[str, str]]) -> MsalResponse:
        if params:
            url += ("&" if "?" in url else "?") + urlencode(params)
        named = {name: str(value) for name, value in dict(headers or {}).items() if value is not None}
        return MsalResponse(run_blocking(self._io.send(Request(method, url, named, form))))


class MsalResponse:
    """An answer as msal wants it."""

    def __init__(self, response: Response) -> None:
        self.status_code = response.status
        self.headers = dict(response.headers)
        self.text = response.body.decode("utf-8", "replace")

    def raise_for_status(self) -> None:
        """Raise for an error status."""
        if self.status_code >= 400:
            raise OSError(f"HTTP {self.status_code}")

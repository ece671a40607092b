"""Support for the published package azure-identity-broker (1.3), whose credential is a subclass of
`InteractiveBrowserCredential`.

That class overrides `_request_token` and `_get_app`, and expects its base class to have the attributes of the published
one. It gets them from a view: an object that looks like the published base class, on which the subclass's methods are
called. What they read there is listed in `MsalView`; all else is the credential's own.
"""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Mapping, Optional
from urllib.parse import urlsplit

from .._values.messages import IN_DEFAULT_CHAIN
from .msal_bridge import MsalHttp, granted, msal, renewed
from .within_dac import within_dac

if TYPE_CHECKING:
    from .._outside.blocking import BlockingIO
    from .._protocols.entra import Granted
    from .._values.messages import TokenRequest
    from .._values.record import AuthenticationRecord


class MsalView:
    """A credential as subclasses made for the published package see it."""

    def __init__(self, credential: Any, io: BlockingIO) -> None:
        host, port, path = credential._redirect or ("", 0, "")
        self._credential = credential
        self._tenant_id = credential._tenant
        self._additionally_allowed_tenants = list(credential._allowed_tenants)
        self._authority = credential._authority.url
        self._regional_authority = None
        self._client_credential = None
        self._client = MsalHttp(io)
        self._client_applications: dict[str, Any] = {}
        self._cae_client_applications: dict[str, Any] = {}
        self._cache: Any = None
        self._cae_cache: Any = None
        self._instance_discovery = False if credential._trusted else None
        self._enable_support_logging = False
        self._parsed_url = urlsplit(f"http://{host}:{port}{path}") if host else None

    def _initialize_cache(self, is_cae: bool = False) -> Any:
        """The cache msal keeps accounts in."""
        name = "_cae_cache" if is_cae else "_cache"
        if getattr(self, name) is None:
            setattr(self, name, msal().TokenCache())
        return getattr(self, name)

    def __getattr__(self, name: str) -> Any:
        # The subclass's own methods, called on this view; and whatever its constructor kept.
        method = getattr(type(self._credential), name, None)
        if isinstance(method, FunctionType):
            return MethodType(method, self)
        return getattr(self._credential, name)


def _view(credential: Any, io: BlockingIO) -> MsalView:
    view: MsalView = credential.__dict__.get("_msal_view") or credential.__dict__.setdefault(
        "_msal_view", MsalView(credential, io)
    )
    return view


def _options(ask: TokenRequest) -> dict[str, Any]:
    given = {"claims": ask.claims, "tenant_id": ask.tenant, "enable_cae": ask.cae}
    return {**ask.extra, **given}


def request_token(credential: Any, io: BlockingIO, ask: TokenRequest, began: int) -> Optional[Granted]:
    """Let the subclass sign the person in. None: it brought no token."""
    flag = within_dac.set(ask.context == IN_DEFAULT_CHAIN)
    try:
        result: Mapping[str, Any] = _view(credential, io)._request_token(*ask.scopes, **_options(ask))
    finally:
        within_dac.reset(flag)
    return granted(result, began)


def renew(
    credential: Any, io: BlockingIO, ask: TokenRequest, record: AuthenticationRecord, began: int
) -> Optional[Granted]:
    """A token without asking the person; None if there is none to be had that way."""
    if ask.extra.get("pop"):
        return None  # what msal has cached is not bound to the request
    result = renewed(_view(credential, io)._get_app(**_options(ask)), record, ask.scopes, ask.claims)
    return granted(result, began) if result else None

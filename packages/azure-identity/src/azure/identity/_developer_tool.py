"""What credentials that ask a developer tool have in common: validated arguments, a safe way to start it, and readable
failures.

Arguments are validated before any command line is made: on Windows `az` is a batch file, so they pass through the
command interpreter.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any, Optional, Sequence

from . import _settings
from ._flow import Flow
from ._messages import IN_DEFAULT_CHAIN
from ._protocols.scopes import validate_scopes
from ._protocols.tenants import TenantNotAllowed, resolve_tenant, validate_tenant

if TYPE_CHECKING:
    from ._cache.memory import TokenKey
    from ._messages import TokenRequest

_SCOPE = re.compile(r"\A[A-Za-z0-9_.:/-]+\Z")


def validate_tool_scopes(scopes: Sequence[Any], method: str) -> tuple[str, ...]:
    """The scopes, if they are safe on a command line.

    :raises ValueError: there are none, or one has other characters than letters, digits and `_ . : / -`.
    """
    checked = validate_scopes(scopes, method)
    for scope in checked:
        if not _SCOPE.match(scope):
            raise ValueError(
                f"An invalid scope was provided: {scope!r}. Only letters, digits, underscores, periods, colons, "
                "slashes and hyphens "
                "are allowed in a scope."
            )
    return checked


def working_directory() -> str:
    """A directory that tools can be started in without picking up files a stranger may have put in the current one.

    :raises LookupError: Windows does not say where its system directory is.
    """
    if sys.platform != "win32":
        return "/bin"
    root = _settings.read(_settings.SYSTEM_ROOT)
    if root is None:
        raise LookupError(f"the environment variable {_settings.SYSTEM_ROOT} is not set")
    return root


def find_program(*names: str) -> Optional[str]:
    """The absolute path of a program on PATH. Relative entries are passed over: they depend on the current
    directory."""
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(folder)]  # noqa: PTH117
    suffixes = [""] if sys.platform != "win32" else ["", *os.environ.get("PATHEXT", ".COM;.EXE;.BAT;.CMD").split(";")]
    for name in names:
        for folder in folders:
            for suffix in suffixes:
                path = os.path.join(folder, name + suffix)  # noqa: PTH118
                if os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113
                    return path
    return None


class DeveloperToolFlow(Flow):
    """A flow that asks a tool somebody is signed in to. The tool keeps the tokens; what it says now is what counts."""

    def __init__(
        self, tenant_id: Optional[str], additionally_allowed_tenants: Optional[Sequence[str]], process_timeout: float
    ) -> None:
        if tenant_id:
            validate_tenant(tenant_id)
        if isinstance(additionally_allowed_tenants, str):
            raise TypeError(
                "additionally_allowed_tenants must be a list of tenants, such as ['contoso.onmicrosoft.com'] or ['*']."
            )
        if isinstance(process_timeout, bool) or not isinstance(process_timeout, (int, float)) or process_timeout <= 0:
            raise ValueError(f"process_timeout must be a positive number of seconds, but it is {process_timeout!r}.")
        self.tenant_id = tenant_id or ""
        self._allowed_tenants = tuple(additionally_allowed_tenants or ())
        self._process_timeout = process_timeout

    def _key(self, ask: TokenRequest) -> Optional[TokenKey]:
        return None

    def _check(self, ask: TokenRequest) -> None:
        validate_tool_scopes(ask.scopes, ask.method)
        if ask.tenant:
            validate_tenant(ask.tenant)
            self._tenant_for(ask)

    def _tenant_for(self, ask: TokenRequest) -> Optional[str]:
        try:
            return resolve_tenant(
                self.tenant_id or None,
                ask.tenant,
                self._allowed_tenants,
                multitenant_disabled=_settings.read_flag(_settings.DISABLE_MULTITENANT),
            )
        except TenantNotAllowed:
            from ._errors import AuthenticationFailedError, help_link

            raise AuthenticationFailedError(
                f"{self._who}: the current credential is not configured to acquire tokens for tenant {ask.tenant}. "
                "To enable "
                "acquiring tokens for it, add it to additionally_allowed_tenants when creating the credential, or "
                'add "*" to '
                f"allow any tenant. {help_link('tenant-not-allowed')}"
            ) from None

    def _failure(self, ask: TokenRequest, message: str) -> Exception:
        """The tool tried and failed. Within DefaultAzureCredential that is no reason to stop: the next tool may be
        signed in."""
        from ._errors import AuthenticationFailedError, CredentialUnavailableError

        if ask.context == IN_DEFAULT_CHAIN:
            return CredentialUnavailableError(message)
        return AuthenticationFailedError(message)

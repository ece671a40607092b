"""What credentials that ask a developer tool have in common: validated arguments, a safe way to start it, and readable
failures.

Arguments are validated before any command line is made: on Windows `az` is a batch file, so they pass through the
command interpreter.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence

from .._cache.memory import TokenKey
from .._errors.help import help_link
from .._protocols.scopes import canonical_scopes, validate_scopes
from .._protocols.tenants import TenantNotAllowed, resolve_tenant, tenant_list, validate_tenant
from .._values import settings
from .._values.messages import IN_DEFAULT_CHAIN, CannotRun, Command, TimedOut
from .._values.redaction import redacted
from .flow import Flow

if TYPE_CHECKING:
    from .._cache.memory import Entry
    from .._outside.port import FlowIO
    from .._values.messages import Completed, Token, TokenRequest

_LOGGER = logging.getLogger(__name__)
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
                "slashes and hyphens are allowed in a scope."
            )
    return checked


def validate_timeout(process_timeout: object) -> None:
    """Refuse what is no time to wait.

    :raises ValueError: it is not a positive number of seconds.
    """
    number = isinstance(process_timeout, (int, float)) and not isinstance(process_timeout, bool)
    if not number or not process_timeout > 0:  # type: ignore[operator]
        raise ValueError(f"process_timeout must be a positive number of seconds, but it is {process_timeout!r}.")


def working_directory() -> str:
    """A directory that tools can be started in without picking up files a stranger may have put in the current one.

    :raises LookupError: Windows does not say where its system directory is.
    """
    if sys.platform != "win32":
        return "/bin"
    root = settings.read(settings.SYSTEM_ROOT)
    if root is None:
        raise LookupError(f"the environment variable {settings.SYSTEM_ROOT} is not set")
    return root


def find_program(*names: str) -> Optional[str]:
    """The absolute path of a program on PATH. Relative entries are passed over: they depend on the current
    directory."""
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(folder)]  # noqa: PTH117
    for name in names:
        # Beside `az.cmd` lies a shell script `az`, which Windows cannot run: there a bare name needs an extension.
        bare = sys.platform == "win32" and not os.path.splitext(name)[1]  # noqa: PTH122
        suffixes = os.environ.get("PATHEXT", ".COM;.EXE;.BAT;.CMD").split(";") if bare else [""]
        for folder in folders:
            for suffix in suffixes:
                path = os.path.join(folder, name + suffix)  # noqa: PTH118
                if os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113
                    return path
    return None


def file_marks(folder: str, *names: str) -> str:
    """Something that changes when one of the files does: when each was last written, its size, and which file it is."""
    marks = [folder]
    for name in names:
        try:
            status = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118
        except OSError:
            marks.append("-")
        else:
            marks.append(f"{status.st_mtime_ns}.{status.st_size}.{status.st_ino}")
    return "|".join(marks)


class DeveloperToolFlow(Flow):
    """A flow that asks a tool somebody is signed in to.

    Tokens are kept until they are due, or until the tool's own record of who is signed in changes: `az login` or `az
    account set` in another window takes effect with the next request. That record is part of the key, so a change
    simply misses.
    """

    _tool: str
    """What messages call the tool."""
    _help: str
    """Section of the troubleshooting page."""

    def __init__(
        self, tenant_id: Optional[str], additionally_allowed_tenants: Optional[Sequence[str]], process_timeout: float
    ) -> None:
        if tenant_id:
            validate_tenant(tenant_id)
        validate_timeout(process_timeout)
        self.tenant_id = tenant_id or ""
        self._allowed_tenants = tenant_list(additionally_allowed_tenants)
        self._process_timeout = process_timeout

    def _state(self) -> str:
        """Marks of the files in which the tool records who is signed in."""
        raise NotImplementedError

    def _key(self, ask: TokenRequest) -> Optional[TokenKey]:
        # Developer tools do not tell tokens for continuous access evaluation apart: one slot serves both kinds of
        # caller.
        tenant = (self._tenant_for(ask) or "").lower()
        return TokenKey(self._tool, tenant, "", self._state(), canonical_scopes(ask.scopes), False)

    def _keep(self, key: TokenKey, token: Token, now: int) -> Entry:
        entry = super()._keep(key, token, now)
        entry.reusable = False  # the files decide, too
        return entry

    async def _run_tool(self, io: FlowIO, argv: Sequence[str], env: Mapping[str, str], hide: str = "") -> Completed:
        """Run the tool, or say why it could not be. `hide` is an argument that no log record shall show."""
        try:
            folder = working_directory()
        except LookupError as error:
            raise self._unavailable(f"{self._who}: {self._tool} cannot be started: {error}.") from None
        _LOGGER.debug("Running %s", ["..." if hide and argument == hide else argument for argument in argv])
        try:
            return await io.run(Command(tuple(argv), self._process_timeout, env, folder))
        except TimedOut as error:
            raise self._unavailable(
                f"{self._who}: Timed out waiting for {self._tool}: {error}. A cold start can take that long; create "
                f"the credential with a larger process_timeout. {help_link(self._help)}"
            ) from error
        except CannotRun as error:
            raise self._unavailable(
                f"{self._who}: Failed to execute {argv[0]}: {error}. {help_link(self._help)}"
            ) from error

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
                multitenant_disabled=settings.read_flag(settings.DISABLE_MULTITENANT),
            )
        except TenantNotAllowed:
            raise self._tenant_refused(ask) from None

    def _unexpected(self, ask: TokenRequest, why: str, stdout: str, page: str) -> Exception:
        """The tool succeeded, but printed something else than a token."""
        shown = redacted(stdout, limit=400) or "nothing"
        return self._failure(
            ask,
            f"{self._who}: Unexpected output from {self._tool}: {why}. It printed: {shown} {help_link(self._help)} "
            f"https://aka.ms/azsdk/python/identity/{page}/troubleshoot",
        )

    async def _open(self, io: FlowIO) -> None:
        """There is nothing to open, so a `with` block may be entered again."""

    async def _close(self, io: FlowIO, *exc: Any) -> None:
        """There is nothing to close."""

    def _gave_up(self, ask: TokenRequest, words: str, status: int) -> Exception:
        """The tool ended with an error nothing more is known about than its words."""
        said = f"{self._tool} failed: {words}"
        if not words:
            said = f"Failed to invoke {self._tool}: it ended with status {status} and said nothing."
        return self._failure(ask, f"{self._who}: {said} {help_link(self._help)}")

    def _failure(self, ask: TokenRequest, message: str) -> Exception:
        """The tool tried and failed. Within DefaultAzureCredential that is no reason to stop: the next tool may be
        signed in."""
        if ask.context == IN_DEFAULT_CHAIN:
            return self._unavailable(message)
        return self._failed(message)

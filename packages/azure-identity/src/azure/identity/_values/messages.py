"""The values that travel between a flow and its I/O port: frozen, cheap, and silent about secrets.

They are named tuples rather than dataclasses because `import azure.identity` must stay light: the `dataclasses`
module alone costs as much as all the modules that an import of `DefaultAzureCredential` loads.
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional

ALONE = "alone"
"""The credential was called by the program itself."""
IN_CHAIN = "chain"
"""The credential was called as a link of a `ChainedTokenCredential`."""
IN_DEFAULT_CHAIN = "default"
"""The credential was called as a link of `DefaultAzureCredential`."""


class TokenRequest(NamedTuple):
    """What a caller asks of a credential."""

    scopes: tuple[str, ...]
    tenant: Optional[str] = None
    """The tenant the caller named, if any. A flow resolves it by the tenant rules before it is used."""
    claims: Optional[str] = None
    """A claims challenge (JSON) from an earlier refusal."""
    cae: bool = False
    """Whether the caller can handle continuous access evaluation."""
    context: str = ALONE
    """Who called: ALONE, IN_CHAIN or IN_DEFAULT_CHAIN."""
    method: str = "get_token"
    """Which of the two token methods was called. Foreign credentials in a chain are asked by the same one."""
    extra: Mapping[str, Any] = {}
    """Options this library does not know; foreign credentials may."""
    patient: bool = True
    """False when a token that is still valid is at hand: nobody must wait for another through a series of retries."""

    def __repr__(self) -> str:
        claims = "set" if self.claims else "none"
        return f"TokenRequest(scopes={self.scopes!r}, tenant={self.tenant!r}, claims={claims}, cae={self.cae})"


class Token(NamedTuple):
    """An access token as an authority handed it out. Times are seconds since the epoch."""

    token: str
    expires_on: int
    refresh_on: Optional[int] = None
    token_type: str = "Bearer"

    def __repr__(self) -> str:
        return f"Token(token='***', expires_on={self.expires_on}, refresh_on={self.refresh_on})"


class RefreshToken(NamedTuple):
    """A refresh token as an authority handed it out."""

    secret: str
    client_id: str
    """The client it was issued to."""
    family_id: Optional[str] = None

    def __repr__(self) -> str:
        return f"RefreshToken(client_id={self.client_id!r}, family_id={self.family_id!r})"


class Tls(NamedTuple):
    """TLS rules of one request that differ from the pipeline's.

    They hold before anything of the request is sent. The library's own transport keeps them: one that the user gave
    carries only requests without such rules.
    """

    thumbprint: Optional[str] = None
    """Hex SHA-1 (40 digits) or SHA-256 (64) of the only certificate to accept, whatever its chain says. Stands alone,
    and implies `direct`."""
    server_name: Optional[str] = None
    """Name to send (SNI, RFC 6066) and to verify, instead of the URL's host."""
    ca_pem: Optional[str] = None
    """The only certificates to trust, PEM. None: those the pipeline trusts by default."""


class Request(NamedTuple):
    """One HTTP request."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    form: Optional[Mapping[str, str]] = None
    """Sent as application/x-www-form-urlencoded."""
    timeout: Optional[float] = None
    """Seconds to connect and, separately, to read. None: as the pipeline was configured."""
    retry: bool = True
    """Whether the pipeline's retry policy may repeat it. A flow that waits by rules of its own says False."""
    direct: bool = False
    """Never through a proxy: the host is on this machine or on its link. A transport or session that the user gave is
    used as it is, without the `proxies` option."""
    tls: Optional[Tls] = None
    """Rules that hold for this request, checked before anything of it is sent."""

    def __repr__(self) -> str:
        # Headers and forms carry secrets, and queries may: only what identifies the request is shown.
        return f"Request({self.method} {self.url.partition('?')[0]})"


class Response(NamedTuple):
    """One HTTP response, read to its end."""

    status: int
    headers: Mapping[str, str] = {}
    """Names in lower case."""
    body: bytes = b""
    raw: Any = None
    """The transport's own response object, handed on as `error.response`."""

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes)"


class Command(NamedTuple):
    """One program to run to its end, without a shell and without standard input."""

    argv: tuple[str, ...]
    timeout: float
    """Seconds until the whole process tree is killed."""
    env: Mapping[str, str] = {}
    """Variables set on top of the parent's environment."""
    cwd: Optional[str] = None

    def __repr__(self) -> str:
        return f"Command({self.argv[0]!r} and {len(self.argv) - 1} arguments)"


class Completed(NamedTuple):
    """How a program ended, and what it wrote. Text is decoded as UTF-8 with replacement."""

    returncode: int
    stdout: str = ""
    stderr: str = ""

    def __repr__(self) -> str:
        return f"Completed(returncode={self.returncode})"


class PortError(Exception):
    """The outside world failed the port. Flows turn it into an error that names the credential."""


class Unreachable(PortError):
    """No usable HTTP response arrived."""

    def __init__(self, url: str, reason: str, *, kind: str = "connection") -> None:
        super().__init__(f"{url.partition('?')[0]}: {reason}")
        self.url = url.partition("?")[0]
        self.reason = reason
        self.kind = kind
        """One of "connection", "timeout", "tls", "response"."""


class Closed(PortError):
    """The credential was closed."""


class Unreadable(PortError):
    """A file cannot be read, or is not what it should be."""


class CannotRun(PortError):
    """The program could not be started."""


class TimedOut(PortError):
    """The program did not end in time; it and its descendants were killed."""

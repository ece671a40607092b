"""A port whose world is a script: what each request and command gets, on a clock that moves only by sleeping.

    io = ScriptedIO(token("T1"), refusal("invalid_client"))
    answer = ask(credential, io, "s/.default")

1. Replies are used in order, one per request, command, or wait for a sign-in to come back. A reply is a value
   (`Response` to a request, `Completed` to a command, a mapping or None to a wait), an exception to raise, or a
   function that is given the request, command or listener and returns one. Files are read from `files`, in any order.
2. Going off the script (nothing left, or a `Completed` where a `Response` is due) fails the test at once, by an
   exception that no `except Exception` of the code under test can swallow; `finished` reports what was not used.
3. Ids count up, so whole messages can be compared. Nothing here waits: a flow that would wait for itself fails.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable, Hashable, Mapping, NamedTuple, NoReturn, Optional, Union

import pytest

from azure.identity._outside.flights import Flight, FlightTable, Waker
from azure.identity._outside.port import run_blocking
from azure.identity._values.messages import ALONE, Command, Completed, Request, Response, TokenRequest, Unreadable

if TYPE_CHECKING:
    from azure.identity._outside.port import FlowIO

NOW = 1_800_000_000
"""When every script begins: epoch seconds."""

Reply = Union[Response, Completed, Mapping[str, str], None, BaseException, Callable[[Any], Any]]


class Call(NamedTuple):
    """A call of a user's function or of a foreign credential."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Listener:
    """A redirect listener that nobody can connect to: the script says what comes back."""

    def __init__(self, host: str, port: int, path: str, state: str) -> None:
        self.host, self.port, self.path, self.state = host, port or 50_000, path, state
        self.shown: list[Optional[str]] = []
        self.closed = False

    def show(self, failure: Optional[str]) -> None:
        self.shown.append(failure)

    def close(self) -> None:
        self.closed = True


class ScriptedIO:
    """A `FlowIO` that answers from a script and remembers what it was asked."""

    def __init__(
        self, *replies: Reply, now: int = NOW, files: Optional[Mapping[str, bytes]] = None, browser: bool = True
    ) -> None:
        self.files = dict(files or {})
        self.browser = browser
        self.why_no_browser: Optional[str] = None
        self.read_files: list[str] = []
        self.listeners: list[Listener] = []
        self.opened_urls: list[str] = []
        self.requests: list[Request] = []
        self.commands: list[Command] = []
        self.slept: list[float] = []
        self.called: list[Call] = []
        self.worked: list[Call] = []
        self.entered: list[Any] = []
        self.left: list[Any] = []
        self.opened = 0
        self.closed = 0
        self._replies = list(replies)
        self._time = float(now)
        self._ids = 0
        self._randoms = 0
        self._flights = FlightTable()
        self._off_script: Optional[str] = None

    # --- for the test

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self._time += seconds

    def will(self, *replies: Reply) -> None:
        """Extend the script."""
        self._replies.extend(replies)

    def finished(self) -> None:
        """Fail unless the script was followed to its end."""
        if self._off_script is not None:
            pytest.fail(self._off_script)
        if self._replies:
            pytest.fail(f"{len(self._replies)} scripted replies were not asked for: {self._replies!r}")
        if len(self._flights):
            pytest.fail(f"{len(self._flights)} flights never landed")

    @property
    def forms(self) -> list[dict[str, str]]:
        """The forms of the requests that had one."""
        return [dict(request.form) for request in self.requests if request.form is not None]

    # --- FlowIO

    def now(self) -> int:
        return int(self._time)

    def stopwatch(self) -> float:
        return self._time

    def new_id(self) -> str:
        self._ids += 1
        return f"00000000-0000-4000-8000-{self._ids:012d}"

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        reply = self._next(request)
        if not isinstance(reply, Response):
            self._fail(f"a Response to {request!r} was due, but the script says {reply!r}")
        return reply

    async def run(self, command: Command) -> Completed:
        self.commands.append(command)
        reply = self._next(command)
        if not isinstance(reply, Completed):
            self._fail(f"the end of {command!r} was due, but the script says {reply!r}")
        return reply

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._time += seconds

    async def read(self, path: str, limit: int = 1_000_000, *, follow_links: bool = True) -> bytes:
        self.read_files.append(path)
        content = self.files.get(path)
        if content is None:
            raise Unreadable(f"{path}: No such file or directory") from FileNotFoundError(path)
        if len(content) > limit:
            raise Unreadable(f"{path}: larger than {limit} bytes")
        return content

    def random(self, size: int) -> bytes:
        self._randoms += 1
        return bytes((self._randoms + i) % 256 for i in range(size))

    async def listen(self, host: str, port: int, path: str, state: str) -> Any:
        self.listeners.append(Listener(host, port, path, state))
        return self.listeners[-1]

    async def receive(self, listener: Any, timeout: float) -> Optional[Mapping[str, str]]:
        reply: Optional[Mapping[str, str]] = self._next(listener)
        if reply is None:
            self._time += timeout
        elif not isinstance(reply, Mapping):
            self._fail(f"what came back from a sign-in was due, but the script says {reply!r}")
        return reply

    def no_browser(self) -> Optional[str]:
        return self.why_no_browser

    async def open_browser(self, url: str) -> bool:
        self.opened_urls.append(url)
        return self.browser

    async def work(self, function: Callable[..., Any], *args: Any) -> Any:
        self.worked.append(Call(function, args, {}))
        return function(*args)

    async def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self.called.append(Call(function, args, kwargs))
        result = function(*args, **kwargs)
        return await result if hasattr(result, "__await__") else result

    async def enter(self, resource: Any) -> None:
        self.entered.append(resource)
        if hasattr(resource, "__enter__"):
            resource.__enter__()

    async def leave(self, resource: Any, *exc: Any) -> None:
        self.left.append(resource)
        if hasattr(resource, "__exit__"):
            resource.__exit__(*exc)
        elif hasattr(resource, "close"):
            resource.close()

    async def open(self) -> None:
        self.opened += 1

    async def close(self, *exc: Any) -> None:
        self.closed += 1

    def single_flight(self, key: Hashable) -> Flight:
        return Flight(self._flights, key, _NoWaiting(self, key))

    # --- the script

    def _next(self, asked: Any) -> Any:
        if not self._replies:
            self._fail(f"the script has ended, but {asked!r} asks for more")
        reply = self._replies.pop(0)
        if callable(reply):
            reply = reply(asked)
        if isinstance(reply, BaseException):
            raise reply
        return reply

    def _fail(self, reason: str) -> NoReturn:
        self._off_script = self._off_script or reason
        pytest.fail(reason)


class _NoWaiting(Waker):
    """One thread follows the script, so whoever it would wait for is itself."""

    __slots__ = ("_io", "_key")

    def __init__(self, io: ScriptedIO, key: Hashable) -> None:
        self._io = io
        self._key = key

    async def wait(self, departure: Any) -> None:
        self._io._fail(f"a flow waits for its own flight {self._key!r}")

    def wake(self) -> None:
        raise AssertionError("nobody waits here")


if TYPE_CHECKING:
    _: FlowIO = ScriptedIO()


# --- asking credentials


def on(io: ScriptedIO, credential: Any) -> Any:
    """Give a credential, and the credentials it is made of, this port instead of the real one."""
    if hasattr(credential, "_port_"):
        credential._port_ = io
    for member in (*getattr(credential, "credentials", ()), getattr(credential, "_credential", None)):
        if member is not None:
            on(io, member)
    return credential


def ask(
    credential: Any,
    io: ScriptedIO,
    *scopes: Any,
    claims: Optional[str] = None,
    tenant: Optional[str] = None,
    cae: bool = False,
    context: str = ALONE,
    method: str = "get_token",
    extra: Optional[Mapping[str, Any]] = None,
) -> Any:
    """A token from a sync credential, as its shell gets one after its own look in the cache, on this port."""
    request = TokenRequest(scopes or ("s/.default",), tenant, claims, cae, context, method, extra or {})
    return on(io, credential)._token(request).token


def run(coroutine: Any) -> Any:
    """Run a flow on this thread."""
    return run_blocking(coroutine)


# --- replies


def reply(status: int, body: Any = None, **headers: str) -> Response:
    """A JSON answer. Underscores in header names stand for hyphens."""
    content = b"" if body is None else json.dumps(body).encode("utf-8")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"content-type": "application/json; charset=utf-8", **named}, content)


def token(access_token: str = "T1", *, expires_in: Any = 3599, **members: Any) -> Response:
    """A success answer of the token endpoint (RFC 6749, section 5.1)."""
    return reply(200, {"token_type": "Bearer", "expires_in": expires_in, "access_token": access_token, **members})


def refusal(error: str = "invalid_client", description: str = "", status: int = 401, **members: Any) -> Response:
    """An error answer of the token endpoint (RFC 6749, section 5.2)."""
    return reply(status, {"error": error, "error_description": description, **members})

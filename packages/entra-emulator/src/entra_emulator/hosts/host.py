"""The life of a host, and the controls every host has."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Dict, List, Mapping, MutableMapping, Optional, Sequence, Tuple, Type, TypeVar

from ..endpoints.http_face import Route
from ..endpoints.realm import Realm
from ..endpoints.server import BackgroundServer
from ..journal.request_log import RequestLog
from ..values.clock import Clock
from ..values.settings import Lifetime
from .face import HostFace, captive_portal
from .identities import Assigned, ManagedIdentity
from .listener import Listener
from .tokens import TokenSource
from .variables import Surrounding

Self = TypeVar("Self", bound="Host")


@dataclass(frozen=True)
class Site:
    """What a host is built on."""

    realm: Realm
    server: BackgroundServer
    directory: Path
    """A private directory that goes when the emulator stops."""
    authority: str
    """The emulator's, such as `https://localhost:40123`."""
    tenant_id: str
    system_identity: ManagedIdentity
    trust: Mapping[str, str]
    """The variables that make clients trust the emulator's authority, and spare them a proxy."""
    imds_address: Optional[Tuple[str, int]] = None

    def new_directory(self, purpose: str) -> Path:
        """A fresh private directory."""
        return Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=self.directory))


class Host:
    """A host that programs run on. Made by `EntraEmulator.host`; use it in a `with` or `async with` block.

    Entering changes the environment of this process: it gets the variables this host sets, and loses those that only
    other hosts set. Leaving puts back what was there before.

    :keyword identities: the user-assigned managed identities.
    :keyword system_assigned: whether it has the system-assigned one, `EntraEmulator.managed_identity`.
    :keyword environ: what to change instead of `os.environ`.
    """

    kind: ClassVar[str]
    """The name that `EntraEmulator.host` knows it by, and the name of its endpoint in the log and for faults."""

    def __init__(
        self,
        site: Site,
        *,
        identities: Sequence[ManagedIdentity] = (),
        system_assigned: bool = True,
        environ: Optional[MutableMapping[str, str]] = None,
    ) -> None:
        for identity in identities:
            if not isinstance(identity, ManagedIdentity):
                raise TypeError(f"identities: expected what add_managed_identity returns, got {identity!r}")
        self._site = site
        self._assigned = Assigned(site.system_identity if system_assigned else None, identities)
        self._surrounding = Surrounding(os.environ if environ is None else environ)
        self._open = False
        self.environment: Dict[str, str] = {}
        """The variables the host sets. Empty before it is entered."""

    # ---- life ----

    def open(self: Self) -> Self:
        """Start, and change the environment. Returns itself.

        :raises OSError: an address or a directory cannot be used.
        :raises RuntimeError: it is open already, or the emulator does not run.
        """
        if self._open:
            raise RuntimeError(f"this {self.kind} host is open already")
        try:
            self.environment = self._start()
        except BaseException:
            self._stop()
            raise
        self._surrounding.enter(self.environment)
        self._open = True
        return self

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not closed yet."""
        return self._open

    def close(self) -> None:
        """Stop, and put the environment back. Does nothing if it is not open."""
        if self._open:
            self._open = False
            self._surrounding.leave()
            self._stop()

    def __enter__(self: Self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: Optional[Type[BaseException]] = None,
        error: Optional[BaseException] = None,
        traceback: Optional[TracebackType] = None,
    ) -> None:
        self.close()

    async def __aenter__(self: Self) -> Self:
        return await asyncio.get_running_loop().run_in_executor(None, self.open)

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]] = None,
        error: Optional[BaseException] = None,
        traceback: Optional[TracebackType] = None,
    ) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.close)

    def _start(self) -> Dict[str, str]:
        """Start whatever answers; return the environment."""
        raise NotImplementedError

    def _stop(self) -> None:
        """Undo `_start`, and whatever part of it has happened."""
        raise NotImplementedError

    # ---- identities ----

    @property
    def identities(self) -> Sequence[ManagedIdentity]:
        """The user-assigned managed identities."""
        return self._assigned.user

    @property
    def system_assigned(self) -> bool:
        """Whether the host has the system-assigned identity."""
        return self._assigned.system is not None

    @system_assigned.setter
    def system_assigned(self, wanted: bool) -> None:
        self._assigned.system = self._site.system_identity if wanted else None

    def assign(self, identity: ManagedIdentity) -> None:
        """Assign one more user-assigned identity."""
        self._assigned.add(identity)

    def unassign(self, identity: ManagedIdentity) -> None:
        """Take a user-assigned identity away. :raises ValueError: the host does not have it."""
        self._assigned.remove(identity)

    @property
    def _clock(self) -> Clock:
        return self._site.realm.clock

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'open' if self._open else 'closed'})"


class HttpHost(Host):
    """A host that answers token requests at an endpoint of its own.

    :keyword token_lifetime: seconds, or a range of seconds. Default: the identity's, a day.
    """

    # How long the host repeats a token, in seconds; None: as long as it lives.
    _keeps_tokens: ClassVar[Optional[int]] = 0

    def __init__(self, site: Site, *, token_lifetime: Optional[Lifetime] = None, **common: Any) -> None:
        super().__init__(site, **common)
        self._face = HostFace(site.realm, self._routes(), self._error_body)
        self._tokens = TokenSource(site.realm, keep=self._keeps_tokens, lifetime=token_lifetime)
        self._listener: Optional[Listener] = None

    @property
    def requests(self) -> RequestLog:
        """The requests to this host alone. `EntraEmulator.requests` has them too."""
        return self._face.requests

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._listening().port

    @property
    def url(self) -> str:
        """`scheme://host:port`."""
        return f"http://localhost:{self.port}"

    # ---- what can go wrong; scripted faults (`EntraEmulator.faults`) come on top ----

    def black_hole(self) -> None:
        """Accept connections, and never answer."""
        self._face.fall_silent()

    def refuse(self) -> None:
        """Refuse connections, as when nothing listens."""
        self._listening().refuse()

    def captive_portal(self) -> None:
        """Answer everything with an HTML page, as networks do that want to be signed in to first."""
        self._face.let_answer(captive_portal)

    def recover(self) -> None:
        """End `black_hole`, `refuse`, `captive_portal` and the like. Scripted faults stay."""
        self._face.recover()
        self._listening().reopen()

    def forget_tokens(self) -> None:
        """Empty the host's token cache, as happens when it is moved to another machine."""
        self._tokens.forget()

    # ---- for the kinds ----

    def _routes(self) -> List[Route]:
        raise NotImplementedError

    def _error_body(self, status: int) -> Any:
        """The body of an answer of `status` that has no text of its own."""
        raise NotImplementedError

    def _listen(self, host: str = "localhost", port: int = 0, **more: Any) -> Listener:
        self._listener = Listener(self._site.server, self._face.application, host=host, port=port, **more)
        return self._listener

    def _stop(self) -> None:
        if self._listener is not None:
            self._face.recover()
            self._listener.close()
            self._listener = None

    def _listening(self) -> Listener:
        if self._listener is None:
            raise RuntimeError(f"this {self.kind} host is not open")
        return self._listener

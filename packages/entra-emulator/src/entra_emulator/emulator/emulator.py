"""`EntraEmulator`: an emulated Entra ID, served in the background of this process."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import (
    Callable,
    Dict,
    FrozenSet,
    List,
    Optional,
    Sequence,
    Tuple,
    Type,
    Union,
)

from ..directory.directory import (
    App,
    Resource,
    Secret,
    Tenant,
)
from ..directory.first_party import first_party_apps
from ..directory.registrations import RegisteredApp
from ..endpoints.http_face import PROTECTED_RESOURCE, HttpFace
from ..endpoints.realm import Realm
from ..endpoints.server import BackgroundServer
from ..hosts.host import Host
from ..hosts.identities import A_DAY, ManagedIdentity, machine_resource_id
from ..journal.faults import Faults
from ..journal.request_log import RequestLog
from ..keys.certificate_authority import SERVER_NAMES
from ..keys.key_store import KeyStore
from ..keys.signing import parse_signing_key
from ..tokens.federation import DEFAULT_SUBJECT
from ..values.addresses import is_loopback, is_unspecified
from ..values.clock import Clock
from ..values.settings import Lifetime, Settings
from . import environment as environments
from .hosting import Hosting
from .people import USER_NAME, USER_PASSWORD

TENANT_ID = "e0a5c0de-0000-4000-8000-000000000001"
"""The default tenant."""
TENANT_DOMAIN = "emulator.onmicrosoft.com"
"""The default tenant's domain."""
CLIENT_ID = "e0a5c0de-0000-4000-8000-00000000a001"
"""The default app."""
CLIENT_SECRET = "entra-emulator-default-secret"
"""The default app's secret. It opens nothing but emulators."""
RESOURCE_APP_ID = "e0a5c0de-0000-4000-8000-00000000b001"
"""The app id of the protected resource."""
MANAGED_IDENTITY_CLIENT_ID = "e0a5c0de-0000-4000-8000-00000000c001"
"""The client id of the system-assigned managed identity."""
_LINK_LOCAL = "169.254.169.254"


class EntraEmulator(Hosting):
    """A local Microsoft Entra ID.

    ::

        with EntraEmulator() as entra:
            os.environ.update(entra.environment())

    Serves HTTPS with a certificate of its own authority, and plain HTTP on a second port. Starts in the background of
    this process; a second `start` after `stop` takes the same ports again.

    :keyword host: where to listen. Default: `localhost`, that is 127.0.0.1 and ::1.
    :keyword allow_remote: needed for a host that other machines can reach.
    :keyword port: of HTTPS. Default: a free one.
    :keyword http_port: of plain HTTP. Default: a free one.
    :keyword names: more host names or IP addresses for the TLS certificate.
    :keyword strict: refuse unknown tenants, apps, secrets and resources. False suits quick demos only.
    :keyword token_lifetime: seconds, or a range of seconds. Default: 3600.
    :keyword cae_token_lifetime: the same for clients that can handle claims challenges. Default: 86400.
    :keyword issuer_v1: base of the issuer of v1 access tokens. Default: `https://sts.windows.net`.
    :keyword issuer_v2: base of the issuer of v2 tokens. Default: `https://login.microsoftonline.com`.
    :keyword refuse_replays: accept each assertion once only. Default: False.
    :keyword key_dir: where keys rest between runs. Default: the user's cache directory.
    :keyword seed: makes random lifetimes repeatable.
    :keyword imds_address: where `host("imds")` listens, such as `("169.254.169.254", 80)`. Default: a free port of
        127.0.0.1. The real address needs root, and an interface that has it: best a network namespace of its own.
    :raises ValueError: an argument that cannot be meant.
    """

    def __init__(
        self,
        *,
        host: str = "localhost",
        allow_remote: bool = False,
        port: int = 0,
        http_port: int = 0,
        names: Sequence[str] = (),
        strict: bool = True,
        token_lifetime: Lifetime = 3600,
        cae_token_lifetime: Lifetime = 24 * 3600,
        issuer_v1: str = "https://sts.windows.net",
        issuer_v2: str = "https://login.microsoftonline.com",
        refuse_replays: bool = False,
        key_dir: Union[str, os.PathLike[str], None] = None,
        seed: Optional[int] = None,
        imds_address: Optional[Tuple[str, int]] = None,
    ) -> None:
        if not allow_remote and not is_loopback(host):
            raise ValueError(
                f"host: {host!r} is not a loopback address; other machines could sign in. "
                "Pass allow_remote=True if that is what you want"
            )
        if imds_address is not None and not (allow_remote or _is_local_imds(imds_address[0])):
            raise ValueError(f"imds_address: expected {_LINK_LOCAL} or a loopback address, got {imds_address[0]!r}")
        if port and port == http_port:
            raise ValueError(f"http_port: expected another port than port, got {http_port} for both")
        self._host = host
        self._ports = (port, http_port)
        self._names = server_names(host, names)
        self._store = KeyStore(Path(key_dir) if key_dir is not None else None)
        settings = Settings(
            strict=strict,
            token_lifetime=token_lifetime,
            cae_token_lifetime=cae_token_lifetime,
            issuer_v1=issuer_v1.rstrip("/"),
            issuer_v2=issuer_v2.rstrip("/"),
            refuse_replays=refuse_replays,
        )
        self._realm = Realm(self._store, settings, Clock(), seed)
        self._imds_address = imds_address
        self._hosts: List[Host] = []
        self._server: Optional[BackgroundServer] = None
        self._run_dir: Optional[Path] = None
        self._lock = threading.Lock()
        self._bundle_path: Optional[Path] = None
        self.ca_file = str(self._store.write("ca.crt", self._realm.authority.certificate_pem))
        """Path of the PEM certificate that clients have to trust."""
        self.tenant = Tenant(TENANT_ID, (TENANT_DOMAIN,), "Entra emulator")
        """The default tenant."""
        self.app = self._registered(CLIENT_ID)
        """The default app: `client_id`, `secret`, `certificate_path`, ..."""
        self.managed_identity = ManagedIdentity(self._registered(MANAGED_IDENTITY_CLIENT_ID))
        """The system-assigned managed identity of the hosts: `client_id`, `object_id`, `resource_id`, `grant`."""
        self._seed_directory()

    # ---- life ----

    def start(self) -> EntraEmulator:
        """Start serving. Returns itself.

        :raises OSError: a port is taken.
        :raises RuntimeError: it is running already.
        """
        if self._server is not None:
            raise RuntimeError("this emulator is running already")
        self._run_dir = Path(tempfile.mkdtemp(prefix="entra-emulator-"))
        try:
            server = BackgroundServer(
                HttpFace(self._realm).application,
                self._realm.authority.server_context(self._names),
                self._host,
                *self._ports,
            )
            self._realm.listen_at(frozenset(self._names), frozenset((server.port, server.http_port)))
            self._server = server
            self._ports = (server.port, server.http_port)
            self._trust_own_issuer()
            server.start()
        except BaseException:
            self._server = None
            self._remove_run_dir()
            raise
        return self

    def stop(self) -> None:
        """Stop serving, close all connections and all hosts. Does nothing if it is not running."""
        if self._server is not None:
            self._close_hosts()
            self._server.stop()
            self._server = None
            self._remove_run_dir()

    def reset(self) -> None:
        """Back to the state after the start: directory, settings, faults, request log, clock.

        Hosts that are open are closed.
        """
        self._close_hosts()
        self._realm.forget()
        self._seed_directory()
        if self._server is not None:
            self._trust_own_issuer()

    def __enter__(self) -> EntraEmulator:
        return self.start()

    def __exit__(
        self,
        kind: Optional[Type[BaseException]] = None,
        error: Optional[BaseException] = None,
        traceback: Optional[TracebackType] = None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> EntraEmulator:
        return await asyncio.get_running_loop().run_in_executor(None, self.start)

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]] = None,
        error: Optional[BaseException] = None,
        traceback: Optional[TracebackType] = None,
    ) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.stop)

    # ---- addresses ----

    @property
    def port(self) -> int:
        """The port of HTTPS."""
        return self._running().port

    @property
    def http_port(self) -> int:
        """The port of plain HTTP."""
        return self._running().http_port

    @property
    def authority(self) -> str:
        """The authority, such as `https://localhost:40123`."""
        return f"https://{self._shown_host}:{self.port}"

    @property
    def http_authority(self) -> str:
        """The same over plain HTTP."""
        return f"http://{self._shown_host}:{self.http_port}"

    @property
    def resource_url(self) -> str:
        """The URL of an API that checks tokens. Everything below it answers the same."""
        return f"{self.authority}/resource"

    @property
    def resource_scope(self) -> str:
        """The scope of that API."""
        return f"{PROTECTED_RESOURCE}/.default"

    @property
    def listens_on_ipv6(self) -> bool:
        """Whether ::1 answers too."""
        return self._running().ipv6

    # ---- state ----

    @property
    def clock(self) -> Clock:
        """The clock that all tokens and checks go by."""
        return self._realm.clock

    @property
    def requests(self) -> RequestLog:
        """The requests so far."""
        return self._realm.requests

    @property
    def faults(self) -> Faults:
        """What is to go wrong."""
        return self._realm.faults

    @property
    def settings(self) -> Settings:
        """The behaviour; members can be changed while it runs, `reset` restores them."""
        return self._realm.settings

    @property
    def required_roles(self) -> FrozenSet[str]:
        """App roles that the protected resource asks for. Default: none."""
        return self._realm.settings.required_roles

    @required_roles.setter
    def required_roles(self, roles: Sequence[str]) -> None:
        self._realm.settings.required_roles = frozenset(roles)

    # ---- environment ----

    def environment(self, kind: str = "secret", *, app: Optional[RegisteredApp] = None) -> Dict[str, str]:
        """The environment variables for programs that are to authenticate here as `app`.

        :param kind: the credential: `secret`, `certificate` or `federated`.
        :keyword app: default: the default app.
        :raises ValueError: another kind.
        """
        who = app or self.app
        variables = {
            "AZURE_AUTHORITY_HOST": self.authority,
            "AZURE_TENANT_ID": who.tenant_id,
            "AZURE_CLIENT_ID": who.client_id,
        }
        if kind == "secret":
            variables["AZURE_CLIENT_SECRET"] = who.secret
        elif kind == "certificate":
            variables["AZURE_CLIENT_CERTIFICATE_PATH"] = who.certificate_path
        elif kind == "federated":
            variables["AZURE_FEDERATED_TOKEN_FILE"] = self.write_federated_token_file()
        else:
            raise ValueError(f"kind: expected secret, certificate or federated, got {kind!r}")
        for name in environments.CA_VARIABLES:
            variables[name] = self.ca_bundle_file
        return {**variables, **environments.proxy_exception(os.environ)}

    @property
    def ca_bundle_file(self) -> str:
        """Path of a PEM file with the emulator's authority and the roots that programs here trust already."""
        with self._lock:
            if self._bundle_path is None:
                target = self._store.directory / "ca-bundle.pem"
                bundle = environments.ca_bundle(self._realm.authority.certificate_pem, os.environ, without=target)
                self._bundle_path = self._store.write(target.name, bundle)
            return str(self._bundle_path)

    def write_federated_token_file(self) -> str:
        """Write a federated token of the default subject, good for a day, to a file. Returns its path."""
        path = self._running_dir() / "federated-token"
        temporary = path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.federated_token(lifetime=24 * 3600))
        temporary.replace(path)
        return str(path)

    def issue_certificate(self, *names: str) -> Tuple[str, str]:
        """A TLS certificate for another server on this machine, which clients of this emulator then trust.

        :param names: the server's host names or IP addresses. Default: localhost, 127.0.0.1 and ::1.
        :return: paths of two PEM files, the certificate and its private key. They are deleted by `stop`.
        :raises ValueError: a name is empty.
        :raises RuntimeError: the emulator is not running.
        """
        if not all(names):
            raise ValueError(f"names: expected host names or IP addresses, got {names!r}")
        directory = Path(tempfile.mkdtemp(prefix="tls-", dir=self._running_dir()))  # mode 700
        key, mark, certificate = self._realm.authority.issue(names or SERVER_NAMES).partition(b"-----BEGIN CERTIFICATE")
        for name, pem in (("certificate.pem", mark + certificate), ("key.pem", key)):
            (directory / name).write_bytes(pem)
        return str(directory / "certificate.pem"), str(directory / "key.pem")

    # ---- inside ----

    @property
    def _shown_host(self) -> str:
        host = "localhost" if is_unspecified(self._host) else self._host
        return f"[{host}]" if ":" in host else host

    def _seed_directory(self) -> None:
        directory = self._realm.directory
        directory.clear()
        directory.add_tenant(self.tenant)
        directory.put_app(
            App(
                CLIENT_ID,
                TENANT_ID,
                "Default app",
                secrets=(Secret(CLIENT_SECRET),),
                redirect_uris=("http://localhost",),
                consented=True,
            )
        )
        # The default app is an API as well, whose callers it can act for.
        directory.add_resource(
            Resource(CLIENT_ID, (f"api://{CLIENT_ID}",), token_version=2, display_name="Default app")
        )
        for first_party in first_party_apps():
            directory.put_app(first_party)
        self.add_user(USER_NAME, USER_PASSWORD, display_name="Emulator User")
        directory.put_app(
            App(
                MANAGED_IDENTITY_CLIENT_ID,
                TENANT_ID,
                "entra-emulator-vm",
                token_lifetime=A_DAY,
                managed_resource_id=machine_resource_id(self.tenant, "entra-emulator-vm"),
            )
        )
        directory.add_resource(Resource(RESOURCE_APP_ID, (PROTECTED_RESOURCE,), display_name="Protected resource"))
        # A client may still hold the certificate of an earlier run.
        kept = self._store.peek(_certificate_name(CLIENT_ID), parse_signing_key)
        if kept is not None:
            self.app.certificate_path  # noqa: B018 - registers it

    def _port_of(self, scheme: str) -> int:
        return self.port if scheme == "https" else self.http_port

    def _close_hosts(self) -> None:
        for host in reversed(self._hosts):
            host.close()
        self._hosts = []

    def _trust_own_issuer(self) -> None:
        self.app.add_federated_credential(self.federation_issuer(), DEFAULT_SUBJECT)

    def _registered(self, client_id: str) -> RegisteredApp:
        return RegisteredApp(self._realm.directory, client_id, self._certificate_file)

    def _certificate_file(self, client_id: str, create: Callable[[], bytes]) -> Path:
        """The default app's certificate outlives a run, that of others does not."""
        if client_id == CLIENT_ID:
            self._store.load_or_create(_certificate_name(client_id), parse_signing_key, create)
            return self._store.directory / _certificate_name(client_id)
        path = self._running_dir() / _certificate_name(client_id)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(create())
        return path

    def _running(self) -> BackgroundServer:
        if self._server is None:
            raise RuntimeError("this emulator is not running")
        return self._server

    def _running_dir(self) -> Path:
        if self._run_dir is None:
            raise RuntimeError("this emulator is not running")
        return self._run_dir

    def _remove_run_dir(self) -> None:
        if self._run_dir is not None:
            shutil.rmtree(self._run_dir, ignore_errors=True)
            self._run_dir = None

    def __repr__(self) -> str:
        return f"EntraEmulator({self.authority if self._server is not None else 'not running'})"


def server_names(host: str, names: Sequence[str]) -> Tuple[str, ...]:
    """What the TLS certificate is for: the loopback names, `host`, and `names`, each once."""
    own = [] if is_unspecified(host) else [host.strip("[]")]
    return tuple(dict.fromkeys(name.lower() for name in (*SERVER_NAMES, *own, *names)))


def _is_local_imds(host: str) -> bool:
    """Whether only this machine (or network namespace) can reach an IMDS at `host`."""
    return host == _LINK_LOCAL or is_loopback(host)


def _certificate_name(client_id: str) -> str:
    return f"client-{client_id}.pem"

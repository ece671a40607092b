"""The command `entra-emulator`: serve until told to stop, or while another command runs.

Standard output carries nothing but the environment, so that it can be redirected; all else goes to standard error.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .. import __version__
from ..emulator import environment as environments
from ..emulator.emulator import EntraEmulator
from ..hosts.host import Host
from ..hosts.identities import ManagedIdentity
from ..hosts.registry import HOSTS
from ..values.settings import Lifetime

HTTPS_PORT = 8443
HTTP_PORT = 8444
IMDS_ADDRESS = ("169.254.169.254", 80)
"""Where programs look for IMDS."""

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_NOT_FOUND = 127
"""As shells have it: the command to run does not exist."""

# How often a federated token file is written anew; its tokens live a day.
_RENEW = 3600.0
# On Windows, waiting for an event holds back Ctrl-C; so wait in short pieces.
_WAIT = 0.5 if os.name == "nt" else _RENEW

_EPILOG = """\
examples:
  entra-emulator                                serve on https://localhost:8443 and print the environment to set
  entra-emulator --env-file .env                write that environment to a file as well
  entra-emulator --credential certificate       ... for an app that signs in with a certificate
  entra-emulator --platform app-service         ... for an app in App Service with a managed identity
  entra-emulator -- python app.py               serve while `python app.py` runs, in that environment
"""


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command. Returns its exit code: 0, 1 if it could not serve, 2 for bad usage, or the command's own."""
    arguments = _parser().parse_args(argv)
    if arguments.verbose:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        emulator = _emulator(arguments)
    except (OSError, ValueError) as error:
        return _fail(error)
    with _Stop() as stop:
        try:
            with emulator:
                return _serve(emulator, arguments, stop)
        except OSError as error:  # a port is taken, a file cannot be written
            return _fail(error)


def _emulator(arguments: argparse.Namespace) -> EntraEmulator:
    return EntraEmulator(
        host=arguments.host,
        allow_remote=arguments.allow_remote,
        port=arguments.port,
        http_port=arguments.http_port,
        names=arguments.name,
        strict=not arguments.permissive,
        token_lifetime=arguments.token_lifetime,
        issuer_v1=arguments.issuer,
        key_dir=arguments.key_dir,
        imds_address=arguments.imds_address,
    )


def _serve(emulator: EntraEmulator, arguments: argparse.Namespace, stop: _Stop) -> int:
    if arguments.platform is None:
        return _offer(emulator, emulator.environment(arguments.credential), (), arguments, stop)
    with _platform(emulator, arguments) as host:
        trust = dict.fromkeys(environments.CA_VARIABLES, emulator.ca_bundle_file)
        own = [emulator.managed_identity] if host.system_assigned else []
        return _offer(emulator, {**trust, **host.environment}, [*own, *host.identities], arguments, stop)


def _platform(emulator: EntraEmulator, arguments: argparse.Namespace) -> Host:
    """The host that the environment is to imitate. This process's own environment stays as it is."""
    identities = [emulator.add_managed_identity(name) for name in arguments.identity]
    options: Dict[str, Any] = {}
    if arguments.platform == "imds" and arguments.imds_address != IMDS_ADDRESS:
        options["via"] = "pod-identity"  # programs would not find it by themselves
    if arguments.platform == "arc":
        options["key_directory"] = arguments.arc_key_directory
    kind: str = arguments.platform
    return emulator.host(
        kind, identities=identities, system_assigned=not arguments.no_system_assigned, environ={}, **options
    )


def _offer(
    emulator: EntraEmulator,
    variables: Mapping[str, str],
    identities: Sequence[ManagedIdentity],
    arguments: argparse.Namespace,
    stop: _Stop,
) -> int:
    if arguments.env_file:
        _write_private(arguments.env_file, environments.render(variables, "dotenv"))
    if arguments.command:
        return _run(arguments.command, variables, stop)
    if not arguments.quiet:
        _say(_banner(emulator, arguments.permissive, identities))
    _print(environments.render(variables, arguments.shell or environments.detect_shell(os.environ)))
    while not stop.event.wait(_WAIT):
        if arguments.platform is None and arguments.credential == "federated":
            emulator.write_federated_token_file()
    if not arguments.quiet:
        _say("Stopped.")
    return EXIT_OK


class _Stop:
    """Turns SIGINT and SIGTERM into an event, and passes SIGTERM on to the command that runs."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.child: Optional[subprocess.Popen[bytes]] = None
        self._before: Dict[signal.Signals, object] = {}

    def __enter__(self) -> _Stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, _: Optional[FrameType]) -> None:
        self.event.set()
        # A terminal sends Ctrl-C to the command as well.
        if number == signal.SIGTERM and self.child is not None:
            self.child.terminate()


def _run(command: List[str], variables: Mapping[str, str], stop: _Stop) -> int:
    kept = {name: value for name, value in os.environ.items() if not environments.is_azure_variable(name)}
    try:
        stop.child = subprocess.Popen(command, env={**kept, **variables})  # noqa: S603 - the user's own command
    except FileNotFoundError:
        _say(f"entra-emulator: {command[0]}: command not found")
        return EXIT_NOT_FOUND
    except OSError as error:
        _say(f"entra-emulator: {command[0]}: {error.strerror}")
        return EXIT_FAILED
    if stop.event.is_set():  # a signal between start and assignment
        stop.child.terminate()
    code = stop.child.wait()
    return code if code >= 0 else 128 - code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="entra-emulator",
        description="A local Microsoft Entra ID for tests, demos and offline work.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="*", metavar="-- COMMAND", help="run COMMAND, and stop when it ends")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")

    serving = parser.add_argument_group("serving")
    serving.add_argument("--host", default="localhost", help="where to listen (default: localhost, IPv4 and IPv6)")
    serving.add_argument("--allow-remote", action="store_true", help="allow a host that other machines can reach")
    serving.add_argument(
        "--port", type=_port, default=HTTPS_PORT, help="of HTTPS; 0: a free one (default: %(default)s)"
    )
    serving.add_argument(
        "--http-port", type=_port, default=HTTP_PORT, help="of plain HTTP; 0: a free one (default: %(default)s)"
    )
    serving.add_argument(
        "--name", action="append", default=[], metavar="NAME", help="one more name for the TLS certificate (repeatable)"
    )
    serving.add_argument("--key-dir", metavar="DIR", help="where keys rest between runs (default: the user's cache)")

    behaviour = parser.add_argument_group("behaviour")
    strictness = behaviour.add_mutually_exclusive_group()
    strictness.add_argument("--strict", action="store_true", help="refuse what is not registered (default)")
    strictness.add_argument(
        "--permissive", action="store_true", help="accept unknown tenants, apps, secrets and resources"
    )
    behaviour.add_argument(
        "--token-lifetime",
        type=_lifetime,
        default=3600,
        metavar="SECONDS",
        help="or LOW-HIGH for a random one (default: %(default)s)",
    )
    behaviour.add_argument(
        "--issuer", default="https://sts.windows.net", help="base of the issuer of v1 tokens (default: %(default)s)"
    )

    platform = parser.add_argument_group("platform", "imitate a host of Azure that gives its programs an identity")
    platform.add_argument(
        "--platform",
        choices=tuple(HOSTS),
        help="print the environment of this host, not that of an app with a credential",
    )
    platform.add_argument(
        "--identity",
        action="append",
        default=[],
        metavar="NAME",
        help="assign a user-assigned managed identity (repeatable)",
    )
    platform.add_argument("--no-system-assigned", action="store_true", help="the host has no system-assigned identity")
    platform.add_argument(
        "--imds-address",
        type=_address,
        metavar="HOST:PORT",
        help="where IMDS answers, such as 169.254.169.254:80 (default: a free port of 127.0.0.1)",
    )

    platform.add_argument(
        "--arc-key-directory",
        type=Path,
        metavar="DIR",
        help="where Azure Arc's key files appear; clients accept /var/opt/azcmagent/tokens alone (default: a temporary "
        "directory)",
    )

    output = parser.add_argument_group("output")
    output.add_argument(
        "--credential",
        choices=("secret", "certificate", "federated"),
        default="secret",
        help="what the environment authenticates with (default: %(default)s)",
    )
    output.add_argument("--shell", choices=environments.SHELLS, help="syntax of the environment (default: detected)")
    output.add_argument("--env-file", type=Path, metavar="FILE", help="also write the environment there, as dotenv")
    output.add_argument("--quiet", action="store_true", help="print the environment only")
    output.add_argument("--verbose", action="store_true", help="print each request")
    return parser


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def _address(text: str) -> Tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host):
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}")
    return host.strip("[]"), _port(port)


def _lifetime(text: str) -> Lifetime:
    low, dash, high = text.partition("-")
    parts = [low, high] if dash else [low]
    if not all(part.isdecimal() for part in parts) or not 0 < int(low) <= int(parts[-1]):
        raise argparse.ArgumentTypeError(f"expected SECONDS or LOW-HIGH, got {text!r}")
    return (int(low), int(high)) if dash else int(low)


def _banner(emulator: EntraEmulator, permissive: bool, identities: Sequence[ManagedIdentity]) -> str:
    lines = [
        f"entra-emulator {__version__}, a local Microsoft Entra ID" + (" (permissive)" if permissive else ""),
        f"  authority   {emulator.authority}   ({emulator.http_authority} without TLS)",
        f"  tenant      {emulator.tenant.id}   {emulator.tenant.domain}",
        f"  app         {emulator.app.client_id}",
        f"  user        {emulator.user.username}   password {emulator.user.password}",
        f"  API         {emulator.resource_url}   scope {emulator.resource_scope}",
        f"  trust       {emulator.ca_file}",
        *(f"  identity    {one.client_id}   {one.name}" for one in identities),
        "Set this environment in the program that is to sign in. Ctrl-C stops the emulator.",
    ]
    return "\n".join(lines)


def _write_private(path: Path, lines: Sequence[str]) -> None:
    """Write `lines` to `path` in one step, readable by the user alone: there is a secret in them."""
    descriptor, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    Path(temporary).replace(path)


def _fail(error: Exception) -> int:
    _say(f"entra-emulator: {error}")
    return EXIT_FAILED


def _print(lines: Sequence[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()

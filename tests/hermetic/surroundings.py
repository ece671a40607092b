"""What programs find around them: variables, files, the address 169.254.169.254, an Azure CLI, a person.

`SURROUNDINGS` has them by name. Each is a context manager, given the cloud and the program's home directory.
"""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Callable, ContextManager, Dict, Iterator, Optional
from urllib.parse import urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import load_pem_x509_certificate

from azure.identity import AuthorizationCodeCredential
from hermetic import pipelines
from hermetic.person import Person
from hermetic.places import AUTHORITY, RESOURCE_NAME
from partners.azurite import ACCOUNT

if TYPE_CHECKING:
    from entra_emulator import EntraEmulator
    from hermetic.cloud import Cloud

_METADATA = "169.254.169.254/32"
"""The address of the instance metadata service (IMDS)."""
_PASSWORD = "the password of the file"


@dataclass
class Surroundings:
    """What is around one program."""

    variables: Dict[str, str] = field(default_factory=dict)
    """Environment variables."""
    placeholders: Dict[str, str] = field(default_factory=dict)
    """What stands in its text for values that only its user knows, and those values."""
    names: Dict[str, str] = field(default_factory=dict)
    """More values that reports show by a name."""
    person: Optional[Person] = None
    status: int = -1
    """The exit status."""

    def read(self, line: str) -> None:
        """A line appears on the screen."""
        if self.person is not None:
            self.person.read(line)

    def check(self) -> None:
        """:raises Exception: what the person could not do."""
        if self.person is not None and self.person.problems:
            raise self.person.problems[0]


def _accounts() -> Dict[str, str]:
    return {"<account>": ACCOUNT, "<resource>": RESOURCE_NAME}


def _app(entra: EntraEmulator) -> Dict[str, str]:
    return {
        **_accounts(),
        "<tenant-id>": entra.tenant.id,
        "<client-id>": entra.app.client_id,
        "<client-secret>": entra.app.secret,
    }


# ---- a service principal ----


@contextlib.contextmanager
def nothing(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """No credential of any kind, and no way to the metadata service's address."""
    yield Surroundings(placeholders=_accounts())


@contextlib.contextmanager
def secret(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """The variables of a service principal with a secret. It may sign in to a second tenant, too."""
    entra = cloud.entra
    other = entra.add_tenant("fabrikam.onmicrosoft.com")
    app = entra.add_app("Everywhere", multi_tenant=True)
    placeholders = {
        **_app(entra),
        "<client-id>": app.client_id,
        "<client-secret>": app.secret,
        "<other-tenant-id>": other.id,
    }
    yield Surroundings(_variables(entra.environment(app=app)), placeholders)


@contextlib.contextmanager
def certificate(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """The same with a certificate. Its password and a PKCS#12 file are the other way to have one."""
    entra = cloud.entra
    key = serialization.load_pem_private_key(entra.app.certificate_pem, None)
    one = load_pem_x509_certificate(entra.app.certificate_pem)
    encryption = serialization.BestAvailableEncryption(_PASSWORD.encode())
    container = home / "cert.pfx"
    container.write_bytes(pkcs12.serialize_key_and_certificates(None, key, one, None, encryption))  # type: ignore[arg-type]
    locked = home / "locked.pem"
    locked.write_bytes(
        one.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    placeholders = {
        **_app(entra),
        "/path/to/cert.pem": entra.app.certificate_path,
        "/path/to/cert.pfx": str(container),
        "<password>": _PASSWORD,
    }
    yield Surroundings(_variables(entra.environment("certificate")), placeholders, {"<locked>": str(locked)})


@contextlib.contextmanager
def locked_certificate(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """The same, and the file needs a password."""
    with certificate(cloud, home) as around:
        around.variables["AZURE_CLIENT_CERTIFICATE_PATH"] = around.names["<locked>"]
        around.variables["AZURE_CLIENT_CERTIFICATE_PASSWORD"] = _PASSWORD
        yield around


@contextlib.contextmanager
def pod(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """Kubernetes with workload identity: the variables that its webhook sets, and a projected token."""
    with cloud.entra.host("workload-identity", environ={}) as host:
        placeholders = {
            **_accounts(),
            "<tenant-id>": cloud.entra.tenant.id,
            "<client-id>": host.environment["AZURE_CLIENT_ID"],
            "/var/run/secrets/azure/tokens/azure-identity-token": str(host.token_file),
        }
        yield Surroundings({**host.environment, "AZURE_AUTHORITY_HOST": f"https://{AUTHORITY}/"}, placeholders)


@contextlib.contextmanager
def pipeline(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """Azure Pipelines, in a task with a service connection."""
    variables = {"SYSTEM_ACCESSTOKEN": pipelines.ACCESS_TOKEN, "SYSTEM_OIDCREQUESTURI": pipelines.REQUEST_URI}
    placeholders = {**_app(cloud.entra), "<service-connection-id>": pipelines.SERVICE_CONNECTION}
    yield Surroundings(variables, placeholders)


@contextlib.contextmanager
def web_api(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """A web API that a signed-in user's program has just called."""
    placeholders = {**_app(cloud.entra), "<incoming-user-jwt>": _users_token(cloud.entra)}
    yield Surroundings({}, placeholders, {"<user>": cloud.entra.user.username})


def _users_token(entra: EntraEmulator) -> str:
    """A token for the web API, as a web application gets it when its user signs in."""
    scope, redirect = f"api://{entra.app.client_id}/.default", "http://localhost"
    front = entra.add_app("Front end", redirect_uris=[redirect])
    query = {"client_id": front.client_id, "response_type": "code", "redirect_uri": redirect, "scope": scope}
    url = f"{entra.authority}/{entra.tenant.id}/oauth2/v2.0/authorize?{urlencode(query)}"
    code = entra.sign_in(url, deliver=False).fields["code"]
    with AuthorizationCodeCredential(
        entra.tenant.id,
        front.client_id,
        code,
        redirect,
        client_secret=front.secret,
        authority=entra.authority,
        disable_instance_discovery=True,
    ) as credential:
        return credential.get_token(scope).token


# ---- machines ----


@contextlib.contextmanager
def virtual_machine(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """IMDS at its address, with the system-assigned identity and two others."""
    entra = cloud.entra
    mine, other = entra.add_managed_identity("mine"), entra.add_managed_identity("other")
    placeholders = {
        **_accounts(),
        "<tenant-id>": entra.tenant.id,
        "<client-id>": mine.client_id,
        "<object-id>": mine.object_id,
        "<resource-id>": mine.resource_id,
    }
    names = {"<system-assigned>": entra.managed_identity.client_id}
    with _network("address", _METADATA), entra.host("imds", identities=[mine, other], environ={}):
        yield Surroundings({}, placeholders, names)


@contextlib.contextmanager
def no_service(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """Something else has IMDS's address, and refuses connections."""
    with _network("address", _METADATA):
        yield Surroundings(placeholders=_accounts())


@contextlib.contextmanager
def mute_service(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """Something else has IMDS's address: it accepts connections, and never answers."""
    with _network("address", _METADATA), cloud.entra.host("imds", environ={}) as host:
        host.black_hole()
        yield Surroundings(placeholders=_accounts())


@contextlib.contextmanager
def silence(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """The usual case away from Azure: packets to IMDS's address vanish."""
    # Loopback takes them, finds that this machine does not have the address, and does not forward.
    with _network("route", _METADATA):
        yield Surroundings(placeholders=_accounts())


@contextlib.contextmanager
def _network(kind: str, value: str) -> Iterator[None]:
    """An address or route of the loopback interface (ip-address(8), ip-route(8))."""
    subprocess.run(["ip", kind, "add", value, "dev", "lo"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", kind, "del", value, "dev", "lo"], check=True)


# ---- people ----


@contextlib.contextmanager
def desk(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """A person with a browser, who reads what the program prints."""
    entra = cloud.entra
    entra.settings.device_code_interval = 1
    app = entra.add_app("Desk", public=True, multi_tenant=True, redirect_uris=["http://localhost"])
    placeholders = {**_accounts(), "<tenant-id>": entra.tenant.id, "<client-id>": app.client_id}
    with Person(entra, home) as person:
        names = {"<user>": entra.user.username}
        yield Surroundings({"BROWSER": person.browser}, placeholders, names, person)


@contextlib.contextmanager
def developer(cloud: Cloud, home: Path) -> Iterator[Surroundings]:
    """An Azure CLI that is signed in, away from Azure."""
    with silence(cloud, home):
        yield Surroundings(cloud.azure_cli().environment, _app(cloud.entra))


def _variables(environment: Dict[str, str]) -> Dict[str, str]:
    """A service principal; not where the authority is."""
    return {name: value for name, value in environment.items() if name != "AZURE_AUTHORITY_HOST"}


SURROUNDINGS: Dict[str, Callable[[Cloud, Path], ContextManager[Surroundings]]] = {
    one.__name__: one
    for one in (
        *(nothing, secret, certificate, locked_certificate, pod, pipeline, web_api),
        *(virtual_machine, no_service, mute_service, silence, desk, developer),
    )
}

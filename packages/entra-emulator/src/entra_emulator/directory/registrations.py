"""An app registration from its owner's side: the public part is in the directory, the private parts are here."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Callable, Optional

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .directory import (
    TOKEN_EXCHANGE_AUDIENCE,
    App,
    Certificate,
    Directory,
    FederatedCredential,
    Secret,
    SubjectNameIssuer,
)

CertificateStore = Callable[[str, Callable[[], bytes]], Path]
"""Keeps the PEM file of a client id, made by the function if there is none, and returns its path."""


class RegisteredApp:
    """An app with its secret and certificate. Made by `EntraEmulator.add_app`."""

    def __init__(self, directory: Directory, client_id: str, certificates: CertificateStore) -> None:
        self._directory = directory
        self._certificates = certificates
        self._lock = threading.Lock()
        self._certificate_path: Optional[Path] = None
        self.client_id = client_id
        """The application id, a GUID."""

    @property
    def registration(self) -> App:
        """What the directory holds. :raises LookupError: the directory was reset."""
        app = self._directory.app(self.client_id)
        if app is None:
            raise LookupError(f"the app {self.client_id} is not registered any more")
        return app

    @property
    def tenant_id(self) -> str:
        """The id of the home tenant."""
        return self.registration.tenant_id

    @property
    def display_name(self) -> str:
        """The name in the directory."""
        return self.registration.display_name

    @property
    def object_id(self) -> str:
        """The id of the service principal in the home tenant: `oid` in tokens."""
        tenant = self._directory.tenant(self.tenant_id)
        assert tenant is not None
        return self.registration.object_id(tenant)

    @property
    def secret(self) -> str:
        """The first client secret. :raises LookupError: there is none."""
        secrets = self.registration.secrets
        if not secrets:
            raise LookupError(f"the app {self.client_id} has no secret")
        return secrets[0].value

    @property
    def certificate_path(self) -> str:
        """A PEM file with a private key and its certificate, which is registered. Made when first asked for."""
        with self._lock:
            if self._certificate_path is None:
                self._certificate_path = self._certificates(self.client_id, _new_client_certificate)
        self.add_certificate(self._certificate_path.read_bytes())
        return str(self._certificate_path)

    @property
    def certificate_pem(self) -> bytes:
        """The contents of `certificate_path`."""
        return Path(self.certificate_path).read_bytes()

    def add_secret(self, value: str, *, expires_on: Optional[int] = None) -> Secret:
        """Register one more client secret. :keyword expires_on: epoch seconds; default never."""
        secret = Secret(value, expires_on)
        self._change(secrets=(*self.registration.secrets, secret))
        return secret

    def add_certificate(self, pem: bytes) -> Certificate:
        """Register the first certificate in `pem` (a private key beside it is ignored).

        :raises ValueError: there is none.
        """
        parsed = x509.load_pem_x509_certificate(pem)
        certificate = Certificate.from_der(parsed.public_bytes(serialization.Encoding.DER))
        registered = self.registration.certificates
        if certificate not in registered:
            self._change(certificates=(*registered, certificate))
        return certificate

    def add_federated_credential(
        self, issuer: str, subject: str, audience: str = TOKEN_EXCHANGE_AUDIENCE
    ) -> FederatedCredential:
        """Trust tokens of `issuer` for `subject`. All three are compared exactly."""
        credential = FederatedCredential(issuer, subject, audience)
        registered = self.registration.federated_credentials
        if credential not in registered:
            self._change(federated_credentials=(*registered, credential))
        return credential

    def add_subject_name_issuer(self, subject: str, issuer_pem: bytes) -> SubjectNameIssuer:
        """Trust every certificate of `subject` that the authority in `issuer_pem` has issued.

        :param subject: the distinguished name as RFC 4514 text, such as `CN=app.example.com`.
        """
        der = x509.load_pem_x509_certificate(issuer_pem).public_bytes(serialization.Encoding.DER)
        trust = SubjectNameIssuer(subject, der)
        self._change(subject_name_issuers=(*self.registration.subject_name_issuers, trust))
        return trust

    def grant(self, resource: str, *roles: str) -> None:
        """Grant app roles on `resource` (an app id or identifier URI).

        :raises LookupError: the resource is unknown.
        """
        found = self._directory.resource(resource)
        if found is None:
            raise LookupError(f"the resource {resource} is not registered")
        granted = self.registration.roles
        merged = tuple(dict.fromkeys((*granted.get(found.app_id, ()), *roles)))
        self._change(roles={**granted, found.app_id: merged})

    def _change(self, **changes: object) -> None:
        self._directory.put_app(dataclasses.replace(self.registration, **changes))  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"RegisteredApp(client_id={self.client_id!r})"


def _new_client_certificate() -> bytes:
    from ..keys.signing import new_signing_key

    return new_signing_key("entra-emulator client")

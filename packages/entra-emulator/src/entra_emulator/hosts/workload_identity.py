"""Pods of AKS with workload identity: a service account's token in a file, which Entra takes for a managed identity.

"Use Microsoft Entra Workload ID with Azure Kubernetes Service". What the pod asks is the emulator's ordinary token
endpoint.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from ..directory.directory import TOKEN_EXCHANGE_AUDIENCE
from ..tokens.federation import issuer_url, sign_federated_token
from .host import Host, Site
from .identities import ManagedIdentity
from .projected_volume import ProjectedVolume

CLUSTER = "aks-cluster"
"""The issuer the emulator hosts for the cluster."""
DEFAULT_SUBJECT = "system:serviceaccount:default:workload"

_FILE = "azure-identity-token"
_SHORTEST, _LONGEST = 3600, 24 * 3600
"""Seconds: what the annotation `service-account-token-expiration` allows."""
_RENEW_AT = 0.8
"""Kubelet writes a new token when this part of the old one's life is over."""
_LOOK = 10.0
"""Seconds between two looks of kubelet's at a clock that nobody moves."""


class ServiceAccountToken:
    """The token file of a pod, written anew in good time: by the emulator's clock, like everything it issues.

    :param audience: what the token is for.
    :param lifetime: seconds.
    """

    def __init__(self, site: Site, *, subject: str, audience: str, lifetime: int) -> None:
        self._site = site
        self._subject = subject
        self._audience = audience
        self._lifetime = lifetime
        self._volume: Optional[ProjectedVolume] = None
        self._written_at: float = 0
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._kubelet: Optional[threading.Thread] = None
        self._unwatch: Callable[[], None] = lambda: None
        self.path = Path()
        """Where the token is."""

    @property
    def issuer(self) -> str:
        """The issuer of the cluster's tokens."""
        return issuer_url(self._site.authority, CLUSTER)

    def start(self) -> None:
        """Write the first token, and keep it fresh."""
        directory = self._site.new_directory("serviceaccount")
        self._volume = ProjectedVolume(directory)
        self.path = directory / _FILE
        self.rotate()
        self._unwatch = self._site.realm.clock.watch(self._keep_fresh)
        self._kubelet = threading.Thread(target=self._run, name="entra-emulator:kubelet", daemon=True)
        self._kubelet.start()

    def stop(self) -> None:
        """Stop writing."""
        self._unwatch()
        self._stopping.set()
        if self._kubelet is not None:
            self._kubelet.join()

    def rotate(self) -> str:
        """Write a new token now. Returns it."""
        with self._lock:
            return self._rotate()

    def _rotate(self) -> str:
        now = self._site.realm.clock.now()
        token = sign_federated_token(
            self._site.realm.federation.key,
            issuer=self.issuer,
            subject=self._subject,
            audience=self._audience,
            now=now,
            lifetime=self._lifetime,
            claims={},
        )
        self.write(token)
        self._written_at = now
        return token

    def write(self, text: str) -> None:
        """Let the file hold `text`, until the next rotation."""
        with self._lock:
            if self._volume is None:
                raise RuntimeError("this host is not open")
            self._volume.write({_FILE: text.encode()})

    def _keep_fresh(self) -> None:
        with self._lock:
            age = self._site.realm.clock.now() - self._written_at
            if not 0 <= age < _RENEW_AT * self._lifetime:  # negative: the clock was moved back
                self.rotate()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK):
            self._keep_fresh()


class PodHost(Host):
    """A pod with the token of a service account.

    :keyword identities: at most one, the identity that the service account is annotated with. Default: the emulator's
        system-assigned one, which has to do for an identity that nobody has made.
    :keyword subject: the service account, as tokens name it.
    :keyword token_lifetime: of the service account's token, in seconds, from 3600 to 86400.
    :keyword client_id_variable: whether AZURE_CLIENT_ID is set; it is not for a service account without the annotation.
    """

    _audience = TOKEN_EXCHANGE_AUDIENCE

    def __init__(
        self,
        site: Site,
        *,
        subject: str = DEFAULT_SUBJECT,
        token_lifetime: int = _SHORTEST,
        client_id_variable: bool = True,
        **common: Any,
    ) -> None:
        if not _SHORTEST <= token_lifetime <= _LONGEST:
            raise ValueError(f"token_lifetime: expected {_SHORTEST} to {_LONGEST} seconds, got {token_lifetime!r}")
        super().__init__(site, **common)
        self.subject = subject
        """The service account, as tokens name it."""
        self._client_id_variable = client_id_variable
        self._token = ServiceAccountToken(site, subject=subject, audience=self._audience, lifetime=token_lifetime)

    @property
    def identity(self) -> ManagedIdentity:
        """The identity the service account is annotated with."""
        return next(iter(self._assigned.user), self._site.system_identity)

    @property
    def issuer(self) -> str:
        """The issuer of the cluster's tokens."""
        return self._token.issuer

    @property
    def token_file(self) -> str:
        """Where the token is: AZURE_FEDERATED_TOKEN_FILE."""
        return str(self._token.path)

    def rotate_token(self) -> str:
        """Write a new token, as kubelet does when 80 % of the old one's life is over. Returns it."""
        return self._token.rotate()

    def write_token(self, text: str) -> None:
        """Let the token file hold `text`, until the next rotation."""
        self._token.write(text)

    def _trust(self) -> None:
        """Let Entra take this cluster's tokens."""
        self.identity.add_federated_credential(self.issuer, self.subject)

    def _start(self) -> Dict[str, str]:
        self._trust()
        self._token.start()
        identity = self.identity
        return {
            "AZURE_AUTHORITY_HOST": f"{self._site.authority}/",
            "AZURE_TENANT_ID": identity.tenant_id,
            **({"AZURE_CLIENT_ID": identity.client_id} if self._client_id_variable else {}),
            "AZURE_FEDERATED_TOKEN_FILE": self.token_file,
            **self._site.trust,
        }

    def _stop(self) -> None:
        self._token.stop()


class WorkloadIdentityHost(PodHost):
    """A pod with workload identity."""

    kind = "workload-identity"

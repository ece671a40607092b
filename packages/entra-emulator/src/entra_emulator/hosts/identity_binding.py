"""Pods of AKS with an identity binding: a proxy in the cluster exchanges the pod's token, and pods need no way out.

"Identity bindings in Azure Kubernetes Service". The proxy shares the address of the API server; TLS clients say by the
server name (SNI) which of the two they mean. Tokens for the proxy are for nobody else: Entra does not take them.
"""

from __future__ import annotations

import ssl
import weakref
from typing import Any, Dict, List, Optional

from aiohttp import web

from ..directory.directory import TOKEN_EXCHANGE_AUDIENCE, App, FederatedCredential, Tenant, derived_id
from ..endpoints.forms import duplicates, parse_form
from ..endpoints.http_face import Route
from ..journal.request_log import RequestLog
from ..keys.certificate_authority import CertificateAuthority, new_authority
from ..tokens.client_authentication import JWT_BEARER
from ..tokens.federation import issuer_url, sign_federated_token
from ..tokens.token_request import TokenRequest
from ..values.errors import aadsts
from .face import HostFace, Refusal
from .host import Site
from .listener import Listener
from .projected_volume import ProjectedVolume
from .workload_identity import PodHost

AUDIENCE = "api://AKSIdentityBinding"
FEDERATED_CREDENTIAL = "aks-identity-binding"
"""The one federated credential that all clusters share; here also the name of its issuer."""
CLUSTER_ROLE_VERB = "use-managed-identity"

_CA_FILE = "ca.crt"
_EXCHANGE_LIFETIME = 600
_API_SERVER_NAMES = ("localhost", "127.0.0.1", "::1", "kubernetes.default.svc")


class _Explaining(ssl.SSLObject):
    """The server's end of a connection that tells the client why a handshake has failed.

    asyncio drops the connection at once, and with it the alert that OpenSSL has just written. Here the handshake seems
    to wait for more, so that the alert goes out; what comes next is the client's good-bye.
    """

    _failure: Optional[ssl.SSLError] = None

    def do_handshake(self) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self._failure = error
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the alert goes out first") from error


class IdentityBindingHost(PodHost):
    """A pod with an identity binding.

    :keyword ca_data: whether the proxy's authority is in a variable, not in a file. Default: False.
    :keyword path: the path of the proxy's URL, such as `/binding`. Default: none.
    """

    kind = "identity-binding"
    _audience = AUDIENCE

    def __init__(self, site: Site, *, ca_data: bool = False, path: str = "", **pod: Any) -> None:
        if path and not (path.startswith("/") and path != "/"):
            raise ValueError(f"path: expected something like /binding, got {path!r}")
        super().__init__(site, **pod)
        self._ca_data = ca_data
        self._path = path.rstrip("/")
        self.sni_name = f"{derived_id('cluster', site.tenant_id).replace('-', '')[:16]}.ests.aks"
        """The server name of the proxy: AZURE_KUBERNETES_SNI_NAME."""
        self.server_names: List[Optional[str]] = []
        """The server names of all TLS handshakes, also of those that failed. None: the client sent none."""
        self._names: weakref.WeakKeyDictionary[ssl.SSLObject, Optional[str]] = weakref.WeakKeyDictionary()
        self._face = HostFace(site.realm, self._routes(), _status)
        self._listener: Optional[Listener] = None
        self._volume: Optional[ProjectedVolume] = None
        self._authority: Optional[CertificateAuthority] = None
        self._proxy_tls: Optional[ssl.SSLContext] = None
        self.ca_file = ""
        """Where the proxy's authority is: AZURE_KUBERNETES_CA_FILE."""

    @property
    def requests(self) -> RequestLog:
        """The requests to this host alone."""
        return self._face.requests

    @property
    def url(self) -> str:
        """The proxy's URL: AZURE_KUBERNETES_TOKEN_PROXY."""
        if self._listener is None:
            raise RuntimeError("this identity-binding host is not open")
        return f"https://127.0.0.1:{self._listener.port}{self._path}"

    @property
    def ca_pem(self) -> bytes:
        """The proxy's present authority as PEM text."""
        if self._authority is None:
            raise RuntimeError("this identity-binding host is not open")
        return self._authority.certificate_pem

    def rotate_ca(self, *, write: bool = True) -> bytes:
        """Give the proxy a certificate of a new authority, from the next handshake on.

        :keyword write: also write the new authority to `ca_file`; without, `write_ca_file` can do that later.
        :return: the new authority as PEM text.
        """
        self._authority = CertificateAuthority(new_authority())
        self._proxy_tls = self._authority.server_context([self.sni_name])
        if write:
            self.write_ca_file(self.ca_pem)
        return self.ca_pem

    def write_ca_file(self, data: bytes) -> None:
        """Let `ca_file` hold `data`: nothing, half a certificate, two authorities."""
        if self._volume is None:
            raise RuntimeError("this identity-binding host is not open")
        self._volume.write({_CA_FILE: data})

    def black_hole(self) -> None:
        """Accept connections, and never answer."""
        self._face.fall_silent()

    def recover(self) -> None:
        """End `black_hole`. Scripted faults stay."""
        self._face.recover()

    # ---- inside ----

    def _trust(self) -> None:
        self.identity.add_federated_credential(self._exchange_issuer, self._exchange_subject)

    @property
    def _exchange_issuer(self) -> str:
        return issuer_url(self._site.authority, FEDERATED_CREDENTIAL)

    @property
    def _exchange_subject(self) -> str:
        return f"/{self.identity.tenant_id}/{self.identity.client_id}"

    def _start(self) -> Dict[str, str]:
        directory = self._site.new_directory("identity-binding")
        self._volume = ProjectedVolume(directory)
        self.ca_file = str(directory / _CA_FILE)
        self.rotate_ca()
        # The API server has an authority of its own: a client that sends no name, or the wrong one, cannot get through.
        api_server_tls = CertificateAuthority(new_authority()).server_context(_API_SERVER_NAMES)
        api_server_tls.sslobject_class = _Explaining
        api_server_tls.sni_callback = self._choose
        self._listener = Listener(self._site.server, self._face.application, host="127.0.0.1", tls=api_server_tls)
        trust = (
            {"AZURE_KUBERNETES_CA_DATA": self.ca_pem.decode()}
            if self._ca_data
            else {"AZURE_KUBERNETES_CA_FILE": self.ca_file}
        )
        return {
            **super()._start(),
            "AZURE_KUBERNETES_TOKEN_PROXY": self.url,
            "AZURE_KUBERNETES_SNI_NAME": self.sni_name,
            **trust,
        }

    def _stop(self) -> None:
        super()._stop()
        if self._listener is not None:
            self._face.recover()
            self._listener.close()
            self._listener = None

    def _choose(self, connection: ssl.SSLObject, name: Optional[str], _: ssl.SSLContext) -> Optional[int]:
        """Pick the certificate by the server name; refuse names that nobody has here (RFC 6066, section 3)."""
        self.server_names.append(name)
        self._names[connection] = name
        if name == self.sni_name:
            assert self._proxy_tls is not None
            connection.context = self._proxy_tls
            return None
        return None if name is None or name in _API_SERVER_NAMES else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    def _routes(self) -> List[Route]:
        return [Route("identity-binding", "POST", f"{self._path}/{{tenant}}/oauth2/v2.0/token", self._exchange)]

    async def _exchange(self, request: web.Request) -> web.Response:
        if not self._means_proxy(request):
            raise Refusal(404, _status(404, "the server could not find the requested resource"))
        fields = parse_form(await request.read())
        for name in duplicates(fields):
            raise aadsts(9000411, name=name)
        asked = self._request(request.match_info["tenant"], dict(fields))
        tenant = self._site.realm.tokens.tenant(asked.tenant_name)
        await self._check_pod(asked, tenant)
        identity = self.identity
        if asked.client_id.lower() != identity.client_id.lower():
            raise Refusal(403, _status(403, f"{self.subject} cannot {CLUSTER_ROLE_VERB} {asked.client_id}"))
        assertion = sign_federated_token(
            self._site.realm.federation.key,
            issuer=self._exchange_issuer,
            subject=self._exchange_subject,
            audience=TOKEN_EXCHANGE_AUDIENCE,
            now=self._clock.now(),
            lifetime=_EXCHANGE_LIFETIME,
            claims={},
        )
        form = {**asked.form, "client_assertion": assertion}
        return web.json_response(await self._site.realm.tokens.answer(self._request(asked.tenant_name, form)))

    async def _check_pod(self, asked: TokenRequest, tenant: Tenant) -> None:
        """:raises EntraError: the assertion is not a token of this cluster, for this service account and the proxy."""
        if asked.required("client_assertion_type") != JWT_BEARER:
            raise aadsts(9002313, reason=f"Expected 'client_assertion_type' to be '{JWT_BEARER}'.")
        pod = App(
            asked.client_id,
            tenant.id,
            federated_credentials=(FederatedCredential(self.issuer, self.subject, AUDIENCE),),
        )
        await self._site.realm.authenticator.authenticate(asked, tenant, pod)

    def _request(self, tenant_name: str, form: Dict[str, str]) -> TokenRequest:
        return TokenRequest(tenant_name, 2, form, base=self._site.authority)

    def _means_proxy(self, request: web.Request) -> bool:
        connection = request.transport.get_extra_info("ssl_object") if request.transport else None
        return connection is not None and self._names.get(connection) == self.sni_name


def _status(status: int, message: str = "the request failed") -> Dict[str, Any]:
    """An error of the API server."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "code": status,
    }

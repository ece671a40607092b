"""Virtual machines, scale sets, Container Instances and AKS nodes: the instance metadata service (IMDS).

On the wire: one GET to 169.254.169.254. Inside a chain, until IMDS has shown itself in this process, first the same
without its required header, which IMDS refuses at once: where nobody answers within a second the chain goes on.

IMDS is known to be away for up to 70 seconds while it is updated, so a program that relies on it waits that long.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Mapping, Optional, Union

from .._protocols.identities import CLIENT_ID, OBJECT_ID, RESOURCE_ID
from .._protocols.retries import TRANSIENT, Retries
from .._values.messages import ALONE, Response, Token, Unreachable
from .host import Host, Probe

if TYPE_CHECKING:
    from .._outside.port import FlowIO
    from .._protocols.managed_identity import Refusal
    from .._values.messages import Request, TokenRequest
    from .host import Errand

_LOGGER = logging.getLogger(__name__)

CONNECT_TIMEOUT = 2
"""Seconds: the address is on this machine's link."""
READ_TIMEOUT = 20
"""Seconds: a token that IMDS does not have yet comes from Microsoft Entra ID."""
ABSENT_FOR = 60
"""Seconds for which a chain takes the absence of IMDS for granted before it looks again."""
UPDATE_FACTOR = 2.5
"""Pauses after a 410 add up to 75 seconds: IMDS is back within 70 ("Retry guidance")."""
GATEWAY = (502, 504)
"""Statuses that only something in between sends."""


class ImdsHost(Host):
    """The instance metadata service."""

    kind = "imds"
    label = "IMDS"
    name = "the instance metadata service (IMDS)"
    ids: Mapping[str, str] = {CLIENT_ID: "client_id", OBJECT_ID: "object_id", RESOURCE_ID: "msi_res_id"}
    retries: Mapping[str, Any] = {
        "total": 5,
        "status": 5,
        "longest": 60,
        "statuses": TRANSIENT | {404, 410} | frozenset(range(500, 600)),
    }
    pipeline_defaults: Mapping[str, Any] = {"connection_timeout": CONNECT_TIMEOUT, "read_timeout": READ_TIMEOUT}
    next_step = "Check the scope, and that the identity may be used on this machine."

    def __init__(
        self, who: str, pod_identity_host: Optional[str], options: Mapping[str, Any], probe: Optional[bool]
    ) -> None:
        from .._protocols.imds import token_endpoint

        super().__init__(who, token_endpoint(pod_identity_host or ""), options)
        self._probe = False if pod_identity_host else probe

    def probes(self, ask: TokenRequest) -> bool:
        """Whether this request finds out first whether IMDS is there: in a chain, which has others to ask."""
        return ask.context != ALONE if self._probe is None else self._probe

    def request(self, errand: Errand) -> Request:
        from .._protocols.imds import token_request
        from .._protocols.managed_identity import selector

        return token_request(self.endpoint, errand.resource, selector(errand.identity, self.ids))

    async def acquire(self, io: FlowIO, errand: Errand) -> Token:
        from .._errors.errors import AuthenticationFailedError, CredentialUnavailableError
        from .._protocols.imds import ABSENT, DOUBTFUL, PRESENT

        self.check(errand.identity)
        retries, timeout, proven = self._retries, None, True
        if self.probes(errand.ask):
            found = await self._look(io, errand)
            if isinstance(found, Token):
                return found
            if found.verdict == ABSENT:
                raise self.unavailable(found.reason)
            proven = found.verdict == PRESENT
            if found.verdict == DOUBTFUL:
                retries, timeout = retries._replace(total=0), CONNECT_TIMEOUT
        try:
            token = await self._ask(io, errand, retries, timeout)
        except (AuthenticationFailedError, CredentialUnavailableError) as error:
            if proven:
                raise
            if timeout is not None:
                errand.findings.probes[self.endpoint] = Probe(ABSENT, io.now(), _reason(error.message, self._who))
            # Nothing has shown yet that this is IMDS, so the chain goes on.
            raise CredentialUnavailableError(error.message, error.response) from error
        errand.findings.probes[self.endpoint] = Probe(PRESENT, io.now())
        return token

    async def _ask(self, io: FlowIO, errand: Errand, retries: Retries, timeout: Optional[float]) -> Token:
        request = self.request(errand)._replace(timeout=timeout)
        response, sent_at = await self.answer(io, errand, lambda seconds: self.send(io, request, seconds), retries)
        return self.read(errand, response, sent_at)

    async def _look(self, io: FlowIO, errand: Errand) -> Union[Probe, Token]:
        """Whether IMDS is there, as far as one short question can tell; or the token, if it answers with that."""
        from .._protocols.imds import ABSENT, PRESENT, probe_request, verdict
        from .._protocols.managed_identity import selector

        known = errand.findings.probes.get(self.endpoint)
        if known is not None and known.verdict == PRESENT:
            return known
        if known is not None and 0 <= io.now() - known.at < ABSENT_FOR:
            ago = f"(Found out {io.now() - known.at} seconds ago; looked for again {ABSENT_FOR} seconds after that.)"
            return known._replace(reason=f"{known.reason} {ago}")
        async with io.single_flight(("IMDS probe", self.endpoint)) as flight:
            if flight.shared:
                shared: Probe = flight.result
                return shared
            request = probe_request(self.endpoint, errand.resource, selector(errand.identity, self.ids))
            try:
                response = await io.send(request)
            except Unreachable as error:
                found = Probe(ABSENT, io.now(), self._silence(error))
            else:
                if 200 <= response.status < 300:
                    token = self._unasked(errand, response, io.now())
                    if token is not None:
                        errand.findings.probes[self.endpoint] = flight.result = Probe(PRESENT, io.now())
                        return token
                found = Probe(verdict(response), io.now(), f"IMDS is not reachable: {self._words(response)}.")
            if found.verdict in (ABSENT, PRESENT):
                errand.findings.probes[self.endpoint] = found
            flight.result = found
            return found

    def _unasked(self, errand: Errand, response: Response, sent_at: int) -> Optional[Token]:
        """The token of a service that does not insist on the header."""
        from .._protocols.managed_identity import NoJson, NoToken, body_of, parse_token

        try:
            token = parse_token(response, sent_at)
        except (NoJson, NoToken):
            return None
        self.confirm(errand.identity, body_of(response), token, response)
        return token

    def _factor(self, outcome: Union[Response, Unreachable]) -> Optional[float]:
        return UPDATE_FACTOR if isinstance(outcome, Response) and outcome.status == 410 else None

    # --- words

    def refusal_error(self, errand: Errand, response: Response, refusal: Refusal) -> Exception:
        from .._protocols.imds import is_impostor

        if is_impostor(response):
            return self.unavailable(f"IMDS is not reachable: {self._words(response)}.", response)
        text = self.refusal_text(errand, response, refusal)
        if response.status == 400:
            return self.unavailable(text, response)
        if response.status in GATEWAY:
            return self.unavailable(f"{text} A gateway or proxy answers in place of IMDS.", response)
        return self.failed(text, response, refusal)

    def unreachable(self, error: Unreachable) -> Exception:
        return self.unavailable(self._silence(error))

    def _silence(self, error: Unreachable) -> str:
        return (
            f"no response from the IMDS endpoint ({error.url}): {error.reason}. It answers on Azure only, on virtual "
            "machines and what runs on them."
        )

    def _words(self, response: Response) -> str:
        from .._protocols.managed_identity import parse_refusal

        refusal = parse_refusal(response)
        return f"HTTP {response.status}: {self.clean(str(refusal))}" if refusal is not None else self.excerpt(response)


def _reason(message: str, who: str) -> str:
    """The middle of one of our messages, to be said again later."""
    for start in (f"{who} authentication unavailable: ", f"{who}: "):
        if message.startswith(start):
            message = message[len(start) :]
    return message.rpartition(" Help: ")[0] or message


ImdsCredential = ImdsHost
"""The name under which programs have come to look for it."""

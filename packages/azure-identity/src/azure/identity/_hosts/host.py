"""What the hosts of managed identities have in common: one question, asked again while that makes sense, and an answer
read with distrust.

A host's own file (`_credentials/imds.py`, `app_service.py`, ...) says what goes over the wire, and in which order. What
it says is read here, and put into the same words and the same two kinds of error for all of them:

- nothing answers at the endpoint, or what answers does not speak JSON: *could not try* (CredentialUnavailableError);
- the host answers, but not with a token for the identity that was asked for: *tried and refused*
  (ClientAuthenticationError). IMDS has its own view of some answers.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Mapping, NamedTuple, Optional, Union

from .._errors.help import help_link
from .._protocols.identities import EITHER_ID, Identity
from .._protocols.retries import CONNECT, JITTER, READ, STATUS, configured
from .._values.messages import Response, Unreachable
from .._values.redaction import redacted

if TYPE_CHECKING:
    from .._errors.errors import AuthenticationFailedError, CredentialUnavailableError
    from .._outside.port import FlowIO
    from .._protocols.managed_identity import Refusal
    from .._protocols.retries import Retries
    from .._values.messages import Request, Token, TokenRequest

_LOGGER = logging.getLogger(__name__)
_OWN_RETRIES = ("retry_policy", "retry_policy_class", "policies")


class Probe(NamedTuple):
    """What a question to an address showed."""

    verdict: str
    at: int
    """Epoch seconds."""
    reason: str = ""


class Findings:
    """What was found out about hosts. It holds as long as the process, for all credentials that share a cache."""

    def __init__(self) -> None:
        self.probes: dict[str, Probe] = {}
        """By endpoint: whether IMDS is there."""
        self.kinds: dict[tuple[str, str], str] = {}
        """By host and GUID: what kind of id it turned out to be."""


class Errand(NamedTuple):
    """One acquisition: what a host is asked for."""

    ask: TokenRequest
    resource: str
    identity: Identity
    findings: Findings
    rejected: Optional[str] = None
    """The token a resource has just refused to accept, if the caller brings a claims challenge."""

    def __repr__(self) -> str:
        return f"Errand({self.resource!r}, {self.identity})"


class NoSuchIdentity(Exception):
    """The host does not have the identity; `error` says so to the user, unless another id is tried."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Host:
    """Where managed identity tokens come from. Subclasses say what to send."""

    kind: str
    """Tells it from other hosts in keys."""
    label: str
    """What the log says is used."""
    name: str
    """What messages call it."""
    ids: Mapping[str, str] = {}
    """What it calls each kind of id; a kind it does not know is not in here."""
    retries: Mapping[str, Any] = {}
    """How its retries differ from the usual."""
    pipeline_defaults: Mapping[str, Any] = {}
    capabilities = False
    """Whether it is told about continuous access evaluation, so that tokens differ by it."""
    next_step = ""
    """What to look at when it refuses."""

    def __init__(self, who: str, endpoint: str, options: Mapping[str, Any], secret: str = "") -> None:
        self._who = who
        self.endpoint = endpoint
        self.secret = secret
        self._retries = configured(options, **self.retries)
        self._users_retries = any(options.get(name) is not None for name in _OWN_RETRIES)
        self._longest_attempt = _longest_attempt({**self.pipeline_defaults, **options})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.endpoint!r})"

    def settle(self, identity: Identity, in_default_chain: bool) -> Identity:
        """The identity that will be asked for, given the one the program names. For constructors.

        :raises ValueError: the program names one, and here there is no choice.
        """
        return identity

    def check(self, identity: Identity) -> None:
        """Refuse, before any request, what the host does not do."""
        if not self.endpoint.lower().startswith(("http://", "https://")):
            raise self.failed(f"the environment says that {self.name} is at {self.endpoint!r}, which is not a URL.")
        if any(ord(character) < 32 or ord(character) > 126 for character in self.secret):
            raise self.failed(f"the secret of {self.name} in the environment has characters no header may have.")
        if identity.kind and identity.kind not in self.ids:
            kinds = " or ".join(kind.replace("_", " ") for kind in self.ids)
            advice = f"It can choose one by {kinds} only." if kinds else "It has one identity only."
            raise self.failed(f"{self.name} cannot choose an identity by {identity.kind.replace('_', ' ')}. {advice}")

    def request(self, errand: Errand) -> Request:
        """The question."""
        raise NotImplementedError

    async def acquire(self, io: FlowIO, errand: Errand) -> Token:
        """Ask for a token."""
        self.check(errand.identity)
        request = self.request(errand)
        response, sent_at = await self.answer(
            io, errand, lambda seconds: self.send(io, request, seconds), self._retries
        )
        return self.read(errand, response, sent_at)

    # --- asking

    async def send(self, io: FlowIO, request: Request, seconds: Optional[float]) -> Response:
        """Send once; the repetitions are ours to make, unless the user brought a retry policy."""
        return await io.send(request._replace(timeout=seconds or request.timeout, retry=self._users_retries))

    async def answer(
        self,
        io: FlowIO,
        errand: Errand,
        attempt: Callable[[Optional[float]], Awaitable[Response]],
        retries: Retries,
    ) -> tuple[Response, int]:
        """The first answer that repeating the attempt would not change, and when its attempt began.

        :raises Unreachable: the last attempt brought no answer.
        """
        left: Optional[Retries] = retries if errand.ask.patient else retries.hurried()
        started = io.stopwatch()
        n = 0
        while True:
            sent_at = io.now()
            outcome: Union[Response, Unreachable]
            try:
                outcome = await attempt(self._time_for_attempt(retries, io.stopwatch() - started))
            except Unreachable as error:
                outcome = error
            n += 1
            trouble = None if self._users_retries else self._trouble(outcome)
            left = left.after(trouble) if left is not None and trouble is not None else None
            pause = self._pause(errand, outcome, n, left, io) if left is not None else None
            elapsed = io.stopwatch() - started
            if pause is None or (retries.deadline is not None and elapsed + pause >= retries.deadline):
                if isinstance(outcome, Unreachable):
                    raise self.unreachable(outcome) from outcome
                return outcome, sent_at
            _LOGGER.debug("%s: %s: %r; attempt %d in %.1f seconds", self._who, self.name, outcome, n + 1, pause)
            if pause:
                await io.sleep(pause)

    def _time_for_attempt(self, retries: Retries, spent: float) -> Optional[float]:
        """What the deadline leaves for an attempt; None where the attempt's own limits are tighter."""
        if retries.deadline is None or retries.deadline - spent >= self._longest_attempt:
            return None
        # A timeout of zero would mean none.
        return max(retries.deadline - spent, 0.001)

    def _trouble(self, outcome: Union[Response, Unreachable]) -> Optional[str]:
        if isinstance(outcome, Response):
            return STATUS if self._retries.repeats(outcome.status) else None
        if outcome.kind == "tls":
            return None
        return CONNECT if outcome.kind == "connection" else READ

    def _pause(
        self, errand: Errand, outcome: Union[Response, Unreachable], n: int, left: Retries, io: FlowIO
    ) -> Optional[float]:
        """Seconds until the n-th repetition; None if it is not worth waiting for."""
        if isinstance(outcome, Response):
            from .._protocols.managed_identity import wait_asked

            asked = wait_asked(outcome, io.now())
            if asked is not None:
                return asked if asked <= (left.longest if errand.ask.patient else 0) else None
            if outcome.status == 429 and not errand.ask.patient:
                return None
        pause = left.pause(n, self._factor(outcome))
        return pause * (1 + JITTER * int(io.new_id()[:8], 16) / 0xFFFFFFFF) if pause else 0.0

    def _factor(self, outcome: Union[Response, Unreachable]) -> Optional[float]:
        """A factor for the pauses after this outcome, if it is not the usual one."""
        return None

    # --- reading

    def read(self, errand: Errand, response: Response, sent_at: int) -> Token:
        """The token in an answer, if it is for the identity that was asked for."""
        from .._protocols.managed_identity import NoJson, NoToken, body_of, parse_refusal, parse_token

        if not 200 <= response.status < 300:
            raise self.refused(errand, response)
        try:
            token = parse_token(response, sent_at)
        except NoJson:
            raise self.no_json(response) from None
        except NoToken as reason:
            if parse_refusal(response) is not None:
                raise self.refused(errand, response) from None
            raise self.failed(f"{self.name} gave no usable answer: {reason}.", response) from None
        self.confirm(errand.identity, body_of(response), token, response)
        return token

    def confirm(self, identity: Identity, body: Mapping[str, Any], token: Token, response: Response) -> None:
        """Refuse a token that the answer says is another identity's."""
        from .._protocols.managed_identity import same_id, shown_identity

        shown = shown_identity(body, identity.kind) if identity.kind else None
        if shown is not None and not same_id(shown, identity.value):
            raise self.failed(
                f"{self.name} answered with a token of another identity than {identity}: of the one with "
                f"{identity.kind.replace('_', ' ')} {self.clean(shown, limit=200)!r}. The token is not used.",
                response,
            )

    # --- saying what went wrong

    def refused(self, errand: Errand, response: Response) -> Exception:
        """The error for an answer that is a refusal."""
        from .._protocols.entra import content_type
        from .._protocols.managed_identity import parse_refusal, says_no_such_identity

        refusal = parse_refusal(response)
        if refusal is None:
            from .._protocols.managed_identity import NoJson, NoToken, body_of

            try:
                body_of(response)
            except NoJson:
                return self.no_json(response)
            except NoToken:
                pass
            refusal = _nameless(content_type(response))
        error = self.refusal_error(errand, response, refusal)
        return NoSuchIdentity(error) if says_no_such_identity(response) else error

    def refusal_error(self, errand: Errand, response: Response, refusal: Refusal) -> Exception:
        """What users see of a refusal."""
        return self.failed(self.refusal_text(errand, response, refusal), response, refusal)

    def refusal_text(self, errand: Errand, response: Response, refusal: Refusal) -> str:
        """What was asked, what came back, and what to do."""
        from .._protocols.managed_identity import says_no_such_identity

        said = self.clean(str(refusal))
        ids = f" (correlation id: {self.clean(refusal.correlation_id)})" if refusal.correlation_id else ""
        return (
            f"{self.name} refused a token for {errand.resource} ({errand.identity}): HTTP {response.status}: "
            f"{said}{ids}"
            f"{'' if said.endswith('.') and not ids else '.'} "
            + (_unknown_identity(errand.identity) if says_no_such_identity(response) else self._advice(response))
        ).rstrip()

    def _advice(self, response: Response) -> str:
        if response.status == 429:
            return "The host limits requests: use fewer credentials and processes, or try again later."
        if response.status >= 500:
            return f"The host has trouble, or does not know the resource. {self.next_step}"
        return self.next_step

    def no_json(self, response: Response) -> CredentialUnavailableError:
        """The error for an answer that is not JSON."""
        return self.unavailable(
            f"what answers at {self.endpoint} is not {self.name}: it does not send JSON, but {self.excerpt(response)}.",
            response,
        )

    def unreachable(self, error: Unreachable) -> Exception:
        """The error for no answer."""
        if error.kind == "connection":
            return self.unavailable(f"{self.name} cannot be reached: {error.url}: {error.reason}.")
        return self.failed(f"{self.name} does not answer: {error.url}: {error.reason}.")

    def unavailable(self, text: str, response: Optional[Response] = None) -> CredentialUnavailableError:
        """*Could not try*."""
        from .._errors.errors import CredentialUnavailableError

        return CredentialUnavailableError(
            f"{self._who} authentication unavailable: {text} {help_link('managed-identity')}",
            response.raw if response is not None else None,
        )

    def failed(
        self, text: str, response: Optional[Response] = None, refusal: Optional[Refusal] = None
    ) -> AuthenticationFailedError:
        """*Tried and refused*."""
        from .._errors.errors import AuthenticationFailedError

        return AuthenticationFailedError(
            f"{self._who}: {text} {help_link('managed-identity')}",
            response.raw if response is not None else None,
            error_code=(refusal.code or None) if refusal is not None else None,
            correlation_id=refusal.correlation_id if refusal is not None else None,
        )

    def clean(self, text: str, limit: int = 1000) -> str:
        """What a host said, fit for a message."""
        return redacted(text, self.secret, limit=limit)

    def excerpt(self, response: Response) -> str:
        """An answer that is not JSON, in short."""
        from .._protocols.entra import content_type

        kind = content_type(response)
        if not kind.startswith("text/"):
            return f"HTTP {response.status} ({kind}, {len(response.body)} bytes)"
        text = self.clean(" ".join(response.body[:2000].decode("utf-8", "replace").split()), limit=300)
        return f"HTTP {response.status} ({kind}): {text or 'nothing'}"


def _longest_attempt(options: Mapping[str, Any]) -> float:
    """Seconds to connect and to read together, as the pipeline is configured."""
    limits = (options.get("connection_timeout", 20), options.get("read_timeout", 60))
    return sum(limit for limit in limits if isinstance(limit, (int, float)))


def _unknown_identity(identity: Identity) -> str:
    if not identity.kind:
        return "This host has no system-assigned identity, or several others: assign it one, or name one by client_id."
    kind = "client_id, object_id" if identity.kind == EITHER_ID else identity.kind
    return f"Check that the identity is assigned to this host, and that its id is the right kind of id ({kind})."


def _nameless(kind: str) -> Refusal:
    from .._protocols.managed_identity import Refusal

    return Refusal("", f"no reason given ({kind})")

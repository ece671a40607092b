"""What users read when it goes wrong: who failed, at what, what came back, what to do. The same text in both worlds.

`FAILURES` is the table: how to make it fail, and what the message must say. It grows by a line.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import certificates
import credentials
import loopback
import pytest
from azure.core.exceptions import ClientAuthenticationError
from leak_watch import planted
from worlds import WORLDS, World, without_ids

from azure.identity import CredentialUnavailableError
from entra_emulator import EntraEmulator, Secret

SCOPE = "https://vault.azure.net/.default"


class Here(NamedTuple):
    """What a failure may be set up with."""

    world: World
    entra: EntraEmulator
    folder: Path
    environment: pytest.MonkeyPatch
    clock: Any

    def make(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A credential of the default app, unless `kwargs` say otherwise."""
        given = {
            "tenant_id": self.entra.tenant.id,
            "client_id": self.entra.app.client_id,
            "authority": self.entra.authority,
            **kwargs,
        }
        tenant, client = given.pop("tenant_id"), given.pop("client_id")
        return self.world.make(name, tenant, client, *args, **given)

    def secret(self, secret: str = credentials.SECRET, **kwargs: Any) -> Any:
        return self.make("ClientSecretCredential", secret, **kwargs)

    def certificate(self, content: bytes, **kwargs: Any) -> Any:
        path = self.folder / "certificate.pem"
        path.write_bytes(content)
        return self.make("CertificateCredential", str(path), **kwargs)

    def answering(self, make: Callable[[], Any], **fault: Any) -> Any:
        """A credential, and an authority that answers as the fault says."""
        self.entra.faults.add("token", **fault)
        return make()


def expired_secret(here: Here) -> Any:
    old = Secret(planted("expired"), here.entra.clock.now() - 10)
    app = here.entra.add_app("old", secrets=[old])  # type: ignore[list-item]
    return here.secret(planted("expired"), client_id=app.client_id)


def wrong_clock(here: Here) -> Any:
    here.clock.put_wrong_by(7200)
    here.entra.app.add_certificate(certificates.leaf_pem())
    return here.certificate(certificates.usable_pem())


def default_chain(here: Here) -> Any:
    for name, value in here.entra.environment().items():
        here.environment.setenv(name, value)
    here.environment.setenv("AZURE_CLIENT_SECRET", planted("wrong"))
    here.environment.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    return here.world.make("DefaultAzureCredential")


def chain_of_the_unavailable(here: Here) -> Any:
    here.environment.setenv("PATH", str(here.folder))
    return here.world.make(
        "ChainedTokenCredential",
        here.world.make("EnvironmentCredential"),
        here.world.make("AzureCliCredential"),
    )


def chain_that_stops(here: Here) -> Any:
    return here.world.make("ChainedTokenCredential", here.secret(planted("wrong")), here.secret())


class Failure(NamedTuple):
    """One way to fail, and what must be said about it."""

    credential: Callable[[Here], Any]
    says: tuple[str, ...]
    """Parts of the text, each of which must occur."""
    help: str
    """The section of the troubleshooting page."""
    who: str = "ClientSecretCredential: "
    """How the text begins."""
    kind: type[Exception] = ClientAuthenticationError
    requests: Optional[int] = None
    """How many token requests it took, where that is worth a word."""


AUTHENTICATION = (
    "Microsoft Entra ID refused a token for https://vault.azure.net/.default (application {client}, tenant "
)

FAILURES: dict[str, Failure] = {
    # what the authority refuses
    "wrong secret": Failure(
        lambda here: here.secret(planted("wrong")),
        (
            AUTHENTICATION,
            "Authentication failed: (invalid_client) AADSTS7000215",
            "Correlation ID: ID",
            "Trace ID: ID",
            "The client secret is wrong.",
        ),
        "wrong-secret",
        requests=1,
    ),
    "expired secret": Failure(expired_secret, ("AADSTS7000222", "has expired. Create a new one"), "wrong-secret"),
    "unknown application": Failure(
        lambda here: here.secret(client_id="e0a5c0de-0000-4000-8000-00000000ffff"),
        ("AADSTS700016", "The application does not exist in this tenant."),
        "unknown-application",
    ),
    "unknown tenant": Failure(
        lambda here: here.secret(tenant_id="nobody.onmicrosoft.com"),
        ("AADSTS90002", "The tenant does not exist."),
        "unknown-tenant",
    ),
    "unregistered certificate": Failure(
        lambda here: here.certificate(certificates.usable_pem()),
        ("AADSTS700027", "The certificate is not registered"),
        "certificate-refused",
        who="CertificateCredential: ",
    ),
    "subject nobody trusts": Failure(
        lambda here: here.make("ClientAssertionCredential", lambda: here.entra.federated_token(subject="stranger")),
        ("AADSTS700213", "No federated credential of the application matches"),
        "federated-credential",
        who="ClientAssertionCredential: ",
    ),
    "wrong clock": Failure(
        wrong_clock,
        ("AADSTS700024", "This machine's clock is", "seconds ahead of the server's: correct it."),
        "clock-skew",
        who="CertificateCredential: ",
    ),
    # what the authority cannot say
    "nobody there": Failure(
        lambda here: here.secret(authority="http://127.0.0.1:1"),
        (
            "http://127.0.0.1:1/",
            "cannot be reached: the connection was refused.",
            "HTTPS_PROXY",
            "AZURE_AUTHORITY_HOST",
        ),
        "no-connection",
    ),
    "certificate nobody trusts": Failure(
        lambda here: here.secret(use_env_settings=False),
        ("cannot be reached: the server's certificate is not trusted", "REQUESTS_CA_BUNDLE"),
        "no-connection",
    ),
    "reset": Failure(
        lambda here: here.answering(here.secret, reset=True),
        ("cannot be reached: the connection was cut before the answer was complete.",),
        "no-connection",
        requests=4,
    ),
    "torn": Failure(
        lambda here: here.answering(here.secret, torn=True),
        ("cannot be reached: the connection was cut before the answer was complete.",),
        "no-connection",
        requests=4,
    ),
    "not JSON": Failure(
        lambda here: here.answering(here.secret, body="<html>Sign in to the Wi-Fi</html>", content_type="text/html"),
        ("gave no usable answer", "(HTTP 200, text/html) is not a JSON object", "a proxy, a sign-in page"),
        "unusable-answer",
        requests=1,
    ),
    "no token in the answer": Failure(
        lambda here: here.answering(here.secret, drop="access_token"),
        ("gave no usable answer", "has no 'access_token'; its members: expires_in, ext_expires_in, token_type"),
        "unusable-answer",
    ),
    "a number that is none": Failure(
        lambda here: here.answering(here.secret, replace={"expires_in": "soon"}),
        ("gave no usable answer", "neither 'expires_on' nor 'expires_in' as a number"),
        "unusable-answer",
    ),
    "down": Failure(
        lambda here: here.answering(here.secret, status=502, body="<h1>Bad gateway</h1>", content_type="text/html"),
        ("gave no usable answer: HTTP 502 (text/html): <h1>Bad gateway</h1>",),
        "unusable-answer",
        requests=4,
    ),
    "too many requests": Failure(
        lambda here: here.answering(
            here.secret, status=429, headers={"Retry-After": "60"}, body="slow", content_type="text/plain"
        ),
        ("the service is limiting requests and asks to wait 60 seconds",),
        "unusable-answer",
        requests=1,
    ),
    "trouble that says to come back": Failure(
        lambda here: here.answering(here.secret, status=503),
        ("AADSTS90033", "The service had a temporary problem. Try again in a while."),
        "service-trouble",
        requests=4,
    ),
    # an authority, or something before it, that sends back what it was sent
    "echo in the description": Failure(
        lambda here: here.answering(
            here.secret,
            status=401,
            body={"error": "invalid_client", "error_description": f"AADSTS7000215: not {credentials.SECRET}"},
        ),
        ("Authentication failed: (invalid_client) AADSTS7000215: not ***",),
        "wrong-secret",
    ),
    "echo on a page": Failure(
        lambda here: here.answering(
            here.secret, status=400, body=f"<p>You sent {credentials.SECRET}</p>", content_type="text/html"
        ),
        ("HTTP 400 (text/html): <p>You sent ***",),
        "unusable-answer",
    ),
    "echo of an assertion": Failure(
        lambda here: here.answering(
            lambda: here.make("ClientAssertionCredential", here.entra.federated_token),
            status=400,
            body={"error": "invalid_request", "error_description": f"bad {here.entra.federated_token()}"},
        ),
        ("Authentication failed: (invalid_request) bad ***",),
        "refused",
        who="ClientAssertionCredential: ",
    ),
    # what is wrong on this side
    "tenant not allowed": Failure(
        lambda here: _asking(here.secret(), tenant_id="other.onmicrosoft.com"),
        ("not configured to acquire tokens for tenant other.onmicrosoft.com", "additionally_allowed_tenants"),
        "tenant-not-allowed",
        requests=0,
    ),
    "callback without assertion": Failure(
        lambda here: here.make("ClientAssertionCredential", lambda: None),
        ("the callback 'func' must return the assertion as a non-empty str, but it returned NoneType",),
        "assertion-callback",
        who="ClientAssertionCredential: ",
        requests=0,
    ),
    "damaged certificate": Failure(
        lambda here: here.certificate(b"\x30\x82damaged"),
        ("certificate_path ", "neither PEM nor PKCS#12"),
        "certificate-file",
        who="CertificateCredential: ",
        kind=ValueError,
    ),
    "wrong password": Failure(
        lambda here: here.certificate(certificates.pkcs12_data(b"right"), password=planted("wrong")),
        ("certificate_path ", "the password is wrong"),
        "certificate-file",
        who="CertificateCredential: ",
        kind=ValueError,
    ),
    "no password": Failure(
        lambda here: here.certificate(certificates.key_pem(password=b"right") + certificates.leaf_pem()),
        ("The private key is encrypted: give its password",),
        "certificate-file",
        who="CertificateCredential: ",
        kind=ValueError,
    ),
    "certificate without key": Failure(
        lambda here: here.certificate(certificates.leaf_pem()),
        ("contains no private key",),
        "certificate-file",
        who="CertificateCredential: ",
        kind=ValueError,
    ),
    "elliptic curve": Failure(
        lambda here: here.certificate(certificates.key_pem("ec") + certificates.leaf_pem("ec")),
        ("must be an RSA key", "PS256"),
        "certificate-file",
        who="CertificateCredential: ",
        kind=ValueError,
    ),
    "no certificate file": Failure(
        lambda here: here.make("CertificateCredential", str(here.folder / "missing.pem")),
        ("CertificateCredential: the certificate cannot be read: No such file or directory", "missing.pem"),
        "certificate-file",
        who="",
        kind=FileNotFoundError,
    ),
    # chains
    "default chain": Failure(
        default_chain,
        (
            "Attempted credentials:\n\tEnvironmentCredential: ClientSecretCredential: Microsoft Entra ID refused",
            "AADSTS7000215",
            "[tried and failed, TIME]",
            "Next: correct what EnvironmentCredential reports",
        ),
        "chain-failed",
        who="DefaultAzureCredential failed to retrieve a token from the included credentials.",
    ),
    "chain that stops": Failure(
        chain_that_stops,
        ("Not asked, because the last one above was refused: ClientSecretCredential.",),
        "chain-failed",
        who="ChainedTokenCredential failed to retrieve a token from the included credentials.",
        requests=1,
    ),
    "chain of the unavailable": Failure(
        chain_of_the_unavailable,
        (
            "\tEnvironmentCredential: Environment variables are not fully configured.",
            "AzureCliCredential: Azure CLI not found on path.",
            "[could not try, TIME]",
            "Next: no credential could even try.",
        ),
        "chain-unavailable",
        who="ChainedTokenCredential failed to retrieve a token from the included credentials.",
        kind=CredentialUnavailableError,
        requests=0,
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_says_all_that_helps(
    name: str,
    entra: EntraEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clock: Any,
    pauses: list[float],
    no_transient_pause: None,
) -> None:
    """It names the credential, what came back and the next step, in the same words in both worlds."""
    failure = FAILURES[name]
    told: list[str] = []
    for kind in WORLDS:
        world = kind()
        entra.requests.clear()
        try:
            with monkeypatch.context() as environment, pytest.raises(failure.kind) as caught:
                credential = failure.credential(Here(world, entra, tmp_path, environment, clock))
                world.ask(credential if callable(credential) else _asking(credential))
        finally:
            world.end()
            entra.faults.clear()
            clock.__init__(entra)
        told.append(without_ids(str(caught.value)))

        assert type(caught.value).__module__.startswith(("azure.identity", "builtins"))
        assert failure.requests in (None, entra.requests.count("token"))

    assert told[0] == told[1]
    assert told[0].startswith(failure.who)
    client = entra.app.client_id if "ID" in told[0] else ""
    for part in failure.says:
        assert without_ids(part.format(client=client) if "{client}" in part else part) in told[0]
    assert f"Help: docs/troubleshooting.md#{failure.help}" in told[0]


@pytest.mark.parametrize("authority", ["http://login.example.com", "http://10.0.0.1", "ftp://localhost", "http://"])
def test_plain_http_is_for_this_machine_only(world: World, authority: str) -> None:
    with pytest.raises(ValueError, match=r"authority must be a host .* or an https URL"):
        world.make("ClientSecretCredential", "t", "c", "s", authority=authority)


def test_an_error_carries_what_came_back(world: World, entra: EntraEmulator) -> None:
    """As attributes, for programs; with the response, as azure-core's errors have it; also through a pickle."""
    credential = Here(world, entra, Path(), None, None).secret(planted("wrong"))  # type: ignore[arg-type]
    with pytest.raises(ClientAuthenticationError) as caught:
        world.ask(credential.get_token, SCOPE)
    error: Any = caught.value
    again = pickle.loads(pickle.dumps(error))
    request = entra.requests.last("token")

    for one in (error, again):
        assert (one.error_code, one.error_codes) == ("invalid_client", (7000215,))
        assert (one.correlation_id, one.trace_id) == (request.correlation_id, request.trace_id)
        assert str(one) == one.message
    assert (error.status_code, error.response.status_code) == (401, 401)
    assert request.correlation_id == request.headers["client-request-id"]


def test_the_cause_is_chained(world: World) -> None:
    """What the transport said is there for those who need it."""
    credential = world.make(
        "ClientSecretCredential", "t", "c", planted("s"), authority=loopback.refusing_url()[:-6], retry_total=0
    )
    with pytest.raises(ClientAuthenticationError) as caught:
        world.ask(credential.get_token, SCOPE)
    chain: list[str] = []
    error: Optional[BaseException] = caught.value
    while error is not None:
        chain.append(type(error).__name__)
        error = error.__cause__

    assert chain[:3] == ["AuthenticationFailedError", "Unreachable", "ServiceRequestError"]


# --- what goes well in the end


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 429, "headers": {"Retry-After": "1"}},
        {"status": 500, "body": "oops", "content_type": "text/plain"},
        {"reset": True},
        {"torn": True},
    ],
    ids=["503", "429", "500", "reset", "torn"],
)
@pytest.mark.parametrize("times", [1, 2])
def test_a_passing_trouble_is_not_noticed(
    world: World, entra: EntraEmulator, pauses: list[float], fault: dict[str, Any], times: int
) -> None:
    entra.faults.add("token", times=times, **fault)
    credential = Here(world, entra, Path(), None, None).secret()  # type: ignore[arg-type]

    assert world.ask(credential.get_token, SCOPE).token
    assert entra.requests.count("token") == times + 1


def test_a_transient_answer_is_repeated_once(world: World, entra: EntraEmulator, no_transient_pause: None) -> None:
    """AADSTS90033 asks to try again; the flow does, where the retry policy does not."""
    entra.faults.add("token", times=1, status=400, body={"error": "server_error", "error_codes": [90033]})
    credential = Here(world, entra, Path(), None, None).secret()  # type: ignore[arg-type]

    assert world.ask(credential.get_token, SCOPE).token
    assert entra.requests.count("token") == 2


def test_an_odd_but_usable_answer_is_used(world: World, entra: EntraEmulator) -> None:
    """Numbers as text, and no token type: some gateways send that."""
    entra.faults.add("token", replace={"expires_in": "3599"}, drop="token_type")
    credential = Here(world, entra, Path(), None, None).secret()  # type: ignore[arg-type]
    info = world.ask(credential.get_token_info, SCOPE)

    assert info.token_type == "Bearer"
    assert abs(info.expires_on - entra.clock.now() - 3599) <= 2


def _asking(credential: Any, **options: Any) -> Callable[[], Any]:
    return lambda: credential.get_token(SCOPE, **options)

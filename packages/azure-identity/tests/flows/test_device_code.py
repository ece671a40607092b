"""A person who signs in on another device: what they are told, and how the credential waits."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from people import ADA, DEVICE_CODE, URI, device_code
from scripted import NOW, ScriptedIO, refusal, reply

from azure.identity import CredentialUnavailableError
from azure.identity._values.messages import Unreachable

VAULT = "https://vault.azure.net/.default"
PENDING = refusal("authorization_pending", "AADSTS70016: Pending.", 400)
SLOW_DOWN = refusal("slow_down", "AADSTS90055: Slow down.", 400)
DOWN = Unreachable("https://login.microsoftonline.com/x", "down")
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.name))


class Heard:
    """A prompt callback."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, *args: Any) -> None:
        self.calls.append(args)


def device(face: Face = FACES[0], **options: Any) -> Any:
    return face.package.DeviceCodeCredential(**{"prompt_callback": Heard(), **options})


@each_face
def test_a_sign_in_on_another_device(face: Face) -> None:
    """A request for a code, then for a token until the person is done; the first after the interval."""
    io, heard = ScriptedIO(device_code(), PENDING, PENDING, ADA.token("T1")), Heard()

    found = face.ask(device(face, client_id="cid", tenant_id="tid", prompt_callback=heard), io, VAULT)

    assert found.token == "T1"
    assert [request.url.partition("/tid/")[2] for request in io.requests] == [
        "oauth2/v2.0/devicecode",
        *["oauth2/v2.0/token"] * 3,
    ]
    assert io.forms[0] == {"client_id": "cid", "scope": f"{VAULT} offline_access openid profile"}
    assert (
        io.forms[1:]
        == [
            {
                "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
                "client_id": "cid",
                "device_code": DEVICE_CODE,
                "client_info": "1",
            }
        ]
        * 3
    )
    assert io.slept == [5, 5, 5]
    assert heard.calls == [(URI, "ABCD", datetime.fromtimestamp(NOW + 900, timezone.utc))]
    io.finished()


def test_the_interval_grows_when_the_service_says_so() -> None:
    """By 5 seconds each time, for good (RFC 8628, section 3.5)."""
    io = ScriptedIO(device_code(), PENDING, SLOW_DOWN, PENDING, SLOW_DOWN, ADA.token("T1"))

    FACES[0].ask(device(), io, VAULT)

    assert io.slept == [5, 5, 10, 10, 15]


@pytest.mark.parametrize(("interval", "slept"), [(1, 1), (0, 1), ("7", 7), (None, 5), ("x", 5)])
def test_the_interval_of_the_answer(interval: Any, slept: int) -> None:
    """At least a second."""
    io = ScriptedIO(device_code(interval), ADA.token("T1"))

    FACES[0].ask(device(), io, VAULT)

    assert io.slept == [slept]


@pytest.mark.parametrize(
    ("expires_in", "timeout", "polls", "limit"),
    [(60, 12, 2, 12), (12, None, 2, 12), (12, 900, 2, 12), (900, 3, 1, 3), (900, 0.5, 1, 0.5), (20, 20, 3, 20)],
)
def test_nobody_enters_the_code(expires_in: int, timeout: Any, polls: int, limit: float) -> None:
    """The wait ends with the code, or with `timeout`, whichever comes first.

    However short a timeout, there is one look; a code that has expired is not asked about any more.
    """
    io = ScriptedIO(device_code(expires_in=expires_in), *[PENDING] * polls)

    with pytest.raises(ClientAuthenticationError) as caught:
        FACES[0].ask(device(timeout=timeout), io, VAULT)

    assert str(caught.value) == (
        "DeviceCodeCredential: Timed out waiting for user to authenticate: nobody finished signing in with the code "
        f"within {limit:g} seconds. Help: docs/troubleshooting.md#sign-in"
    )
    assert not isinstance(caught.value, CredentialUnavailableError)
    assert sum(io.slept) <= limit
    io.finished()


@pytest.mark.parametrize(
    ("error", "step"),
    [
        ("authorization_declined", "The person declined."),
        ("access_denied", "The person declined."),
        ("expired_token", "Ask for another."),
        ("bad_verification_code", "Ask for another."),
        ("invalid_client", "not accepted"),
    ],
)
def test_a_sign_in_that_is_over(error: str, step: str) -> None:
    """One request, and the reason. Nobody is asked for more."""
    code = {"expired_token": "70020", "bad_verification_code": "70018"}.get(error, "70000")
    io = ScriptedIO(device_code(), refusal(error, f"AADSTS{code}: Because.", 400))

    with pytest.raises(ClientAuthenticationError, match=f"AADSTS{code}: Because") as caught:
        FACES[0].ask(device(), io, VAULT)

    assert step in str(caught.value)
    assert DEVICE_CODE not in str(caught.value)
    io.finished()


def test_a_network_that_is_down_for_a_while() -> None:
    """The person may be typing all the while. The pauses double, up to a minute (RFC 8628, section 3.5)."""
    io = ScriptedIO(device_code(), DOWN, DOWN, DOWN, DOWN, DOWN, PENDING, ADA.token("T1"))

    assert FACES[0].ask(device(), io, VAULT).token == "T1"

    assert io.slept == [5, 10, 20, 40, 60, 60, 60]


def test_a_network_that_stays_down_is_the_reason() -> None:
    """When the code has expired."""
    io = ScriptedIO(device_code(expires_in=20), DOWN, DOWN)

    with pytest.raises(ClientAuthenticationError, match="cannot be reached"):
        FACES[0].ask(device(), io, VAULT)


def test_trouble_with_certificates_does_not_pass() -> None:
    """It ends the wait at once."""
    io = ScriptedIO(device_code(), Unreachable("https://x", "self-signed", kind="tls"))

    with pytest.raises(ClientAuthenticationError, match="self-signed"):
        FACES[0].ask(device(), io, VAULT)
    io.finished()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (refusal("unauthorized_client", "AADSTS700016: Unknown.", 400), "AADSTS700016"),
        (reply(200, {"device_code": "D"}), "has no device code"),
        (reply(200, []), "has no device code"),
        (reply(404, None), "has no device code"),
        (DOWN, "cannot be reached"),
    ],
    ids=["refused", "half an answer", "no object", "not found", "network"],
)
def test_no_device_code(answer: Any, text: str) -> None:
    """Nobody is told anything."""
    io, heard = ScriptedIO(answer), Heard()

    with pytest.raises(ClientAuthenticationError, match=text):
        FACES[0].ask(device(prompt_callback=heard), io, VAULT)
    assert heard.calls == []


def test_by_default_the_services_message_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """To standard output, at once."""
    io = ScriptedIO(device_code(), ADA.token("T1"))

    FACES[0].ask(device(prompt_callback=None), io, VAULT)

    assert capsys.readouterr().out == f"Go to {URI}.\n"


def test_a_callback_may_be_a_coroutine_function() -> None:
    """In `azure.identity.aio`."""
    heard: list[tuple[Any, ...]] = []

    async def prompt(*args: Any) -> None:
        heard.append(args)

    io = ScriptedIO(device_code(), ADA.token("T1"))
    FACES[1].ask(device(FACES[1], prompt_callback=prompt), io, VAULT)

    assert [call[:2] for call in heard] == [(URI, "ABCD")]


def test_what_a_callback_raises_reaches_the_caller() -> None:
    """Unchanged, and nothing is waited for."""

    def prompt(*_: Any) -> None:
        raise LookupError("no screen")

    io = ScriptedIO(device_code())
    with pytest.raises(LookupError, match="no screen"):
        FACES[0].ask(device(prompt_callback=prompt), io, VAULT)
    io.finished()


@pytest.mark.parametrize("callback", ["print", 5, object()])
def test_a_callback_can_be_called(callback: Any) -> None:
    with pytest.raises(TypeError, match="prompt_callback must be a function"):
        device(prompt_callback=callback)


@pytest.mark.parametrize("timeout", [0, -1, "5", True, float("nan")])
def test_a_timeout_is_a_positive_number(timeout: Any) -> None:
    with pytest.raises(ValueError, match="timeout must be a positive number of seconds"):
        device(timeout=timeout)


def test_the_first_argument_is_the_client() -> None:
    """As positional. Default: a Microsoft application for developers."""
    from azure.identity import DeviceCodeCredential

    assert DeviceCodeCredential("cid")._client_id == "cid"
    assert DeviceCodeCredential()._client_id == "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


def test_an_adfs_server_has_its_own_endpoints() -> None:
    """No version, no tenant."""
    io = ScriptedIO(device_code(), ADA.token("T1"))

    FACES[0].ask(device(tenant_id="adfs", authority="fs.contoso.example"), io, VAULT)

    assert [request.url for request in io.requests] == [
        "https://fs.contoso.example/adfs/oauth2/devicecode",
        "https://fs.contoso.example/adfs/oauth2/token",
    ]


def test_an_interrupted_wait_ends() -> None:
    """By Ctrl-C, say."""
    io = ScriptedIO(device_code(), KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        FACES[0].ask(device(), io, VAULT)
    io.finished()

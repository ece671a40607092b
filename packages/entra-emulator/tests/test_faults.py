from __future__ import annotations

import socket
import time
from typing import Any, Callable, Dict, List

import pytest
import requests

from entra_emulator import EntraEmulator
from entra_emulator.journal.faults import Faults
from entra_emulator.journal.request_log import Fields, LoggedRequest

Ask = Callable[..., requests.Response]


def request(endpoint: str = "token", **form: str) -> LoggedRequest:
    return LoggedRequest(
        endpoint,
        "POST",
        "/",
        Fields(),
        Fields(),
        Fields(form.items()),
        peer_port=1,
        started=0.0,
        trace_id="",
        correlation_id="",
    )


def statuses(faults: Faults, *requests: LoggedRequest) -> List[Any]:
    taken = [faults.take(one) for one in requests]
    return [fault and fault.status for fault in taken]


# ---- which request ----


def test_nth():
    """`nth` picks requests to the endpoint by position, counted from the moment the fault was added."""
    faults = Faults()
    faults.add("token", nth=2, status=503)
    faults.add("token", nth=[1, 4], status=429)

    assert statuses(faults, *[request()] * 5) == [429, 503, None, 429, None]


def test_times_queue_up():
    """Faults with `times` happen one after the other."""
    faults = Faults()
    faults.add("token", times=2, status=503)
    faults.add("token", times=1, status=429)

    assert statuses(faults, *[request()] * 4) == [503, 503, 429, None]


def test_always_until_cleared():
    """Without a count, a fault happens until all are cleared."""
    faults = Faults()
    faults.add("token", status=500)

    assert statuses(faults, *[request()] * 3) == [500, 500, 500]
    assert len(faults) == 1
    faults.clear()
    assert statuses(faults, request()) == [None]


def test_other_endpoints_do_not_count():
    """A fault neither concerns nor counts requests to other endpoints; `*` means any."""
    faults = Faults()
    faults.add("keys", nth=2, status=500)
    faults.add("*", nth=3, status=503)

    assert statuses(faults, request("keys"), request("token"), request("keys")) == [None, None, 500]


def test_where():
    """A fault can be limited to some requests."""
    faults = Faults()
    faults.add("token", where=lambda one: one.form.get("client_id") == "a", times=1, status=500)

    assert statuses(faults, request(client_id="b"), request(client_id="a"), request(client_id="a")) == [None, 500, None]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"endpoint": "tokens", "status": 500}, "endpoint: expected one of"),
        ({"endpoint": "token"}, "say what goes wrong"),
        ({"endpoint": "token", "status": 99}, "status"),
        ({"endpoint": "token", "status": 500, "nth": 0}, "nth"),
        ({"endpoint": "token", "status": 500, "nth": []}, "nth"),
        ({"endpoint": "token", "status": 500, "times": 0}, "times"),
        ({"endpoint": "token", "latency": -1}, "latency"),
    ],
)
def test_bad_arguments(arguments: Dict[str, Any], match: str):
    """A fault that cannot be meant is refused at once."""
    with pytest.raises(ValueError, match=match):
        Faults().add(**arguments)


def test_repr():
    """Faults describe themselves."""
    faults = Faults()
    faults.add("token", status=503, latency=0.5, torn=True)
    faults.add("keys", drop=["keys", "x"], replace={"y": 1})
    faults.add("chat", reset=True)

    assert repr(faults) == (
        "Faults({'token': 'latency 0.5 s, status 503, torn', 'keys': 'without keys, x, with other y', 'chat': 'reset'})"
    )


# ---- what happens ----


def test_status_with_headers(entra: EntraEmulator, ask: Ask):
    """A busy service says so in Entra's format, with the scripted headers; then it recovers."""
    entra.faults.add("token", nth=1, status=503, headers={"Retry-After": "7"})
    busy, fine = ask(), ask()

    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "7")
    assert (busy.json()["error"], busy.json()["error_codes"]) == ("temporarily_unavailable", [90033])
    assert fine.status_code == 200
    assert [one.status for one in entra.requests.to("token")] == [503, 200]
    assert [one.fault for one in entra.requests.to("token")] == ["status 503", None]


@pytest.mark.parametrize(
    ("fault", "status", "body", "content_type"),
    [
        ({"status": 404, "content_type": "text/plain"}, 404, b"", "text/plain"),
        ({"status": 500, "body": {"a": 1}}, 500, b'{"a": 1}', "application/json; charset=utf-8"),
        ({"body": b"\xff"}, 200, b"\xff", "application/json"),
        ({"body": "<html>", "content_type": "text/html"}, 200, b"<html>", "text/html"),
        ({"status": 302, "headers": {"Location": "https://x.example"}, "body": ""}, 302, b"", "application/json"),
    ],
)
def test_bodies(
    entra: EntraEmulator,
    client: requests.Session,
    token_url: str,
    fault: Dict[str, Any],
    status: int,
    body: bytes,
    content_type: str,
):
    """Any body can be sent, under any content type."""
    entra.faults.add("token", **fault)
    answer = client.post(token_url, timeout=10, allow_redirects=False)

    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (status, body, content_type)


def test_members(entra: EntraEmulator, ask: Ask):
    """Members of the real answer can be dropped and replaced."""
    entra.faults.add("token", drop="access_token", replace={"expires_in": "3599"})
    answer = ask()

    assert answer.status_code == 200
    assert answer.json() == {"token_type": "Bearer", "expires_in": "3599", "ext_expires_in": 3600}


def test_headers_alone(entra: EntraEmulator, ask: Ask):
    """Headers can be added to the real answer."""
    entra.faults.add("token", headers={"Retry-After": "1"})
    answer = ask()

    assert (answer.status_code, answer.headers["Retry-After"]) == (200, "1")


@pytest.mark.parametrize("body", [None, "0123456789"])
def test_torn(entra: EntraEmulator, ask: Ask, body: Any):
    """A torn answer announces more than it sends."""
    entra.faults.add("token", times=1, torn=True, body=body)

    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        ask()
    assert ask().status_code == 200
    assert entra.requests.to("token")[0].fault == ("torn" if body is None else "status 200, torn")


def test_reset(entra: EntraEmulator):
    """A reset connection ends with a TCP RST, not with an end of file."""
    entra.faults.add("unknown", reset=True)
    with socket.create_connection(("127.0.0.1", entra.http_port), timeout=10) as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert (entra.requests.last().status, entra.requests.last().fault) == (None, "reset")


def test_reset_under_tls(entra: EntraEmulator, ask: Ask):
    """Over TLS the client sees a broken connection, and can come again."""
    entra.faults.add("token", times=1, reset=True)

    with pytest.raises(requests.exceptions.ConnectionError):
        ask()
    assert ask().status_code == 200


def test_latency(entra: EntraEmulator, ask: Ask):
    """A slow answer is the real one, later; a client that does not wait is not waited for."""
    entra.faults.add("token", times=1, latency=0.2)
    start = time.monotonic()
    answer = ask()

    assert answer.status_code == 200
    assert time.monotonic() - start >= 0.2


def test_client_that_leaves(entra: EntraEmulator, ask: Ask, client: requests.Session, token_url: str):
    """A client that gives up does not disturb the next one."""
    entra.faults.add("token", times=1, latency=30)
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.post(token_url, timeout=0.1)

    assert ask().status_code == 200


def test_stop_does_not_wait_for_slow_answers(key_dir: Any, wait_for: Any):
    """Stopping ends requests in progress."""
    with EntraEmulator(key_dir=key_dir) as emulator:
        emulator.faults.add("*", latency=60)
        with socket.create_connection(("127.0.0.1", emulator.http_port)) as connection:
            connection.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_for(lambda: len(emulator.requests) == 1)
            start = time.monotonic()
            emulator.stop()

            assert time.monotonic() - start < 5

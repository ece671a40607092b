from __future__ import annotations

import logging
from typing import Any, Callable

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from entra_emulator import EntraEmulator
from entra_emulator.journal.request_log import Fields, LoggedRequest, RequestLog

Ask = Callable[..., requests.Response]


def entry(endpoint: str, port: int = 1) -> LoggedRequest:
    return LoggedRequest(
        endpoint,
        "GET",
        "/",
        Fields(),
        Fields(),
        Fields(),
        peer_port=port,
        started=0.0,
        trace_id="",
        correlation_id="",
    )


def test_what_is_logged(entra: EntraEmulator, ask: Ask):
    """A request is there with its parts, and what became of it."""
    ask(headers={"X-Custom": "1"}, client_secret="wrong")
    logged = entra.requests.last("token")

    assert (logged.endpoint, logged.method, logged.status, logged.fault) == ("token", "POST", 401, None)
    assert logged.path == f"/{entra.tenant.id}/oauth2/v2.0/token"
    assert logged.headers["x-custom"] == "1"
    assert logged.form["client_secret"] == "wrong"
    assert logged.form["grant_type"] == "client_credentials"
    assert logged.peer_port > 0
    assert logged.duplicates == ()


def test_queries_are_logged(entra: EntraEmulator, client: requests.Session):
    """The query is there too."""
    client.get(f"{entra.authority}/common/discovery/instance?api-version=1.1", timeout=10)

    assert entra.requests.last("instance").query["api-version"] == "1.1"


def test_counting(entra: EntraEmulator, ask: Ask, client: requests.Session):
    """Requests can be counted and listed by endpoint, and forgotten."""
    ask()
    client.get(f"{entra.authority}/common/discovery/keys", timeout=10)
    ask()

    assert (entra.requests.count("token"), entra.requests.count("keys"), entra.requests.count()) == (2, 1, 3)
    assert [one.endpoint for one in entra.requests] == ["token", "keys", "token"]
    assert entra.requests[1].endpoint == "keys"
    assert [one.endpoint for one in entra.requests[1:]] == ["keys", "token"]
    assert entra.requests.connections("token") == 1
    entra.requests.clear()
    assert len(entra.requests) == 0


def test_connections(entra: EntraEmulator, ask: Ask, token_url: str):
    """New connections can be told from kept ones."""
    ask()
    ask(headers={"Connection": "close"})
    ask()

    assert entra.requests.connections() == 2


def test_no_such_request(entra: EntraEmulator):
    """Asking for a request that never came is an error that says so."""
    with pytest.raises(LookupError, match="no request to token"):
        entra.requests.last("token")


def test_old_requests_are_dropped():
    """The log is bounded."""
    log = RequestLog(keep=2)
    for name in "abc":
        log.add(entry(name))

    assert [one.endpoint for one in log] == ["b", "c"]


SECRETS = {
    "client_secret": "s1-hush",
    "client_assertion": "s2-hush",
    "assertion": "s3-hush",
    "password": "s4-hush",
    "refresh_token": "s5-hush",
    "code": "s6-hush",
    "code_verifier": "s7-hush",
    "device_code": "s8-hush",
}


def test_nothing_secret_in_a_repr(entra: EntraEmulator, ask: Ask):
    """Secrets stay out of reprs, so that a failing assertion does not print them."""
    ask(headers={"Authorization": "Bearer t-hush", "Cookie": "c-hush"}, **SECRETS)
    logged = entra.requests.last("token")

    shown = repr(logged) + repr(entra.requests) + repr(logged.form) + str(logged.headers) + f"{logged.query}"
    assert "hush" not in shown
    assert "'client_secret': '[redacted]'" in shown
    assert {name: logged.form[name] for name in SECRETS} == SECRETS
    assert logged.headers["authorization"] == "Bearer t-hush"


def test_nothing_secret_is_logged(
    entra: EntraEmulator, ask: Ask, make_assertion: Any, with_assertion: Any, caplog: pytest.LogCaptureFixture
):
    """No log record has a secret, an assertion or a token in it, at any level, whatever happens."""
    caplog.set_level(logging.DEBUG)
    good = ask()
    assertion, federated = make_assertion(), entra.federated_token()
    with_assertion(assertion)
    with_assertion(federated)
    ask(client_secret="wrong-hush")
    ask(scope="User.Read")
    entra.faults.add("token", status=500)
    ask()

    emulator = [record.getMessage() for record in caplog.records if record.name.startswith("entra_emulator")]
    assert f"POST /{entra.tenant.id}/oauth2/v2.0/token 200" in emulator
    for secret in (entra.app.secret, "wrong-hush", assertion, federated, good.json()["access_token"]):
        assert secret not in caplog.text


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_fields_are_a_mapping(items: Any):
    """Fields hold what they were given; names compare without case."""
    fields = Fields(items.items())

    assert all(name in fields for name in items)
    assert len(fields) == len({name.lower() for name in items}) == len(list(fields))
    assert all(fields[name] == dict(fields)[name] for name in fields)
    assert 1 not in fields

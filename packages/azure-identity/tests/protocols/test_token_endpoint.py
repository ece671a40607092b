"""What is sent to the token endpoint, and how its answers read."""

from __future__ import annotations

import json
import sys
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import NOW, refusal, reply, token

from azure.identity._protocols.entra import (
    Unusable,
    assertion_proof,
    client_credentials,
    content_type,
    json_object,
    parse_refusal,
    parse_token,
    retry_after,
    secret_proof,
    server_time,
    token_request,
    whole,
)
from azure.identity._values.messages import Response, Token
from azure.identity._version import VERSION

URL = "https://login.microsoftonline.com/tid/oauth2/v2.0/token"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = (
    "access_token",
    "expires_in",
    "expires_on",
    "refresh_in",
    "token_type",
    "error",
    "error_description",
    "error_codes",
    "suberror",
    "claims",
    "correlation_id",
    "trace_id",
)
ANSWERS = st.dictionaries(st.sampled_from(MEMBERS), JSON).map(lambda body: json.dumps(body).encode()) | st.binary()
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "date", "retry-after", "client-request-id", "x-ms-request-id"]), st.text()
)


def test_a_secret_grant_is_one_form_without_authorization_header() -> None:
    """Client id and secret are in the body: Entra ID knows no other place."""
    form = client_credentials("c", ["x/.default"], secret_proof("s"))

    request = token_request(URL, form, claims=None, cae=False, correlation_id="id")

    assert (request.method, request.url) == ("POST", URL)
    assert request.form == {
        "grant_type": "client_credentials",
        "client_id": "c",
        "scope": "x/.default",
        "client_secret": "s",
    }
    assert request.headers == {
        "Accept": "application/json",
        "client-request-id": "id",
        "return-client-request-id": "true",
        "x-client-sku": "azure-identity-python",
        "x-client-ver": VERSION,
        "x-client-os": sys.platform,
    }


def test_an_assertion_grant_names_the_kind_of_assertion() -> None:
    """RFC 7523, section 2.2."""
    assert assertion_proof("a.b.c") == {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "a.b.c",
    }


def test_claims_and_capability_are_one_field() -> None:
    """A challenge and the capability to handle the next one travel together."""
    request = token_request(URL, {"a": "b"}, claims='{"access_token":{"x":1}}', cae=True, correlation_id="id")

    assert request.form is not None
    assert json.loads(request.form["claims"]) == {"access_token": {"x": 1, "xms_cc": {"values": ["CP1"]}}}


def test_empty_fields_are_left_out() -> None:
    """An empty field is an error to some servers and means nothing to the others."""
    request = token_request(URL, {"a": "b", "c": ""}, claims="", cae=False, correlation_id="id")

    assert request.form == {"a": "b"}


@pytest.mark.parametrize(
    ("members", "expires_on", "refresh_on"),
    [
        pytest.param({"expires_in": 3599}, NOW + 3599, None, id="a number of seconds"),
        pytest.param({"expires_in": "3599"}, NOW + 3599, None, id="a number in quotes"),
        pytest.param({"expires_in": 3599.9}, NOW + 3599, None, id="a fraction"),
        pytest.param(
            {"expires_on": str(NOW + 100), "expires_in": 50}, NOW + 100, None, id="a time comes before a span"
        ),
        pytest.param({"expires_on": "soon", "expires_in": 50}, NOW + 50, None, id="an unreadable time is passed over"),
        pytest.param({"expires_in": 7200}, NOW + 7200, NOW + 3600, id="long-lived"),
        pytest.param({"expires_in": 7199}, NOW + 7199, None, id="short-lived"),
        pytest.param({"expires_in": 86400, "refresh_in": 43200}, NOW + 86400, NOW + 43200, id="the issuer says when"),
        pytest.param({"expires_in": 3599, "refresh_in": "1800"}, NOW + 3599, NOW + 1800, id="the same in quotes"),
        pytest.param({"expires_in": 3599, "refresh_in": "later"}, NOW + 3599, None, id="an unreadable refresh time"),
    ],
)
def test_times_of_a_token(members: dict[str, Any], expires_on: int, refresh_on: Optional[int]) -> None:
    """Times count from when the request was sent."""
    assert parse_token(reply(200, {"access_token": "T", **members}), NOW) == Token("T", expires_on, refresh_on)


@pytest.mark.parametrize(("given_type", "read"), [("pop", "pop"), (None, "Bearer"), ("", "Bearer"), (5, "Bearer")])
def test_the_type_of_a_token_is_bearer_unless_it_says_otherwise(given_type: Any, read: str) -> None:
    """A missing or meaningless `token_type` is no reason to refuse a token."""
    assert parse_token(token(token_type=given_type), NOW).token_type == read


@pytest.mark.parametrize(
    ("response", "text"),
    [
        pytest.param(
            Response(200, {"content-type": "text/html; charset=utf-8"}, b"<html>SECRET"),
            "the answer (HTTP 200, text/html) is not a JSON object",
            id="a web page",
        ),
        pytest.param(Response(200), "the answer (HTTP 200, no content type) is not a JSON object", id="nothing"),
        pytest.param(reply(200, ["SECRET"]), "application/json) is not a JSON object", id="a list"),
        pytest.param(
            reply(200, {"id_token": "SECRET", "foo": 1}),
            "the answer (HTTP 200) has no 'access_token'; its members: foo, id_token",
            id="no token",
        ),
        pytest.param(reply(200, {"access_token": 5}), "has no 'access_token'", id="a number for a token"),
        pytest.param(reply(200, {"access_token": ""}), "has no 'access_token'", id="an empty token"),
        pytest.param(
            reply(200, {"access_token": "SECRET", "expires_in": "soon"}),
            "the answer has a token, but neither 'expires_on' nor 'expires_in' as a number",
            id="no lifetime",
        ),
        pytest.param(
            reply(200, {"access_token": "SECRET", "expires_in": True}), "neither 'expires_on'", id="true is no number"
        ),
    ],
)
def test_what_is_no_token_is_said_without_its_values(response: Response, text: str) -> None:
    """A proxy's page or half an answer may hold secrets."""
    with pytest.raises(Unusable) as caught:
        parse_token(response, NOW)

    assert text in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_a_refusal_is_read_with_all_it_says() -> None:
    """Error, description, AADSTS codes, sub-error, claims challenge, and the two ids support asks for."""
    response = refusal(
        "interaction_required",
        "AADSTS50076: Use another factor. AADSTS900144 too.\r\nTrace ID: t\r\nCorrelation ID: c",
        400,
        error_codes=[50076, "53003"],
        suberror="basic_action",
        claims='{"access_token":{}}',
        trace_id="t",
        correlation_id="c",
    )

    found = parse_refusal(response)

    assert found is not None
    assert (found.status, found.error) == (400, "interaction_required")
    assert found.codes == (50076, 53003, 900144)
    assert (
        found.suberror,
        found.claims,
        found.correlation_id,
        found.trace_id,
    ) == ("basic_action", '{"access_token":{}}', "c", "t")
    assert found.has(1, 53003)
    assert not found.has(1, 2)


def test_ids_come_from_the_headers_when_the_body_has_none() -> None:
    """Entra ID returns the client's correlation id and its own request id in every answer."""
    found = parse_refusal(reply(400, {"error": "x"}, client_request_id="c", x_ms_request_id="t"))

    assert found is not None
    assert (found.correlation_id, found.trace_id) == ("c", "t")


def test_the_code_in_a_description_is_enough() -> None:
    """Some answers have no `error_codes`."""
    found = parse_refusal(refusal("invalid_client", "AADSTS7000215: Invalid client secret provided."))

    assert found is not None
    assert found.has(7000215)


def test_an_odata_error_is_read_too() -> None:
    """Gateways and some hosts answer in OData's form."""
    found = parse_refusal(reply(403, {"error": {"code": "Forbidden", "message": "no"}}))

    assert found is not None
    assert (found.error, found.description) == ("Forbidden", "no")


@pytest.mark.parametrize(
    "response",
    [Response(500, {}, b"<html>"), reply(500, []), reply(400, {}), reply(400, {"error": 5}), reply(400, {"error": ""})],
    ids=["a web page", "a list", "no error", "a number", "an empty error"],
)
def test_what_is_no_error_is_no_refusal(response: Response) -> None:
    """Then the caller says what came instead."""
    assert parse_refusal(response) is None


@given(ANSWERS, HEADERS)
def test_any_answer_is_a_token_or_unusable(body: bytes, headers: dict[str, str]) -> None:
    """Nothing else is raised, and a token has the text and times an SDK client expects."""
    response = Response(200, headers, body)
    try:
        found = parse_token(response, NOW)
    except Unusable:
        return

    assert found.token
    assert isinstance(found.expires_on, int)
    assert found.refresh_on is None or isinstance(found.refresh_on, int)
    assert isinstance(found.token_type, str)


@given(ANSWERS, HEADERS)
def test_any_answer_is_a_refusal_or_none(body: bytes, headers: dict[str, str]) -> None:
    """Nothing is raised; what is read has the documented types."""
    found = parse_refusal(Response(400, headers, body))

    if found is not None:
        assert found.error
        assert all(isinstance(code, int) for code in found.codes)
        for value in (found.suberror, found.claims, found.correlation_id, found.trace_id):
            assert value is None or isinstance(value, str)


@given(st.text(min_size=1), st.integers(min_value=0, max_value=10**6), st.none() | st.integers(0, 10**6))
def test_a_token_survives_the_way_through_json(text: str, expires_in: int, refresh_in: Optional[int]) -> None:
    """What the issuer wrote is what is read."""
    found = parse_token(token(text, expires_in=expires_in, refresh_in=refresh_in), NOW)

    assert (text, NOW + expires_in) == (found.token, found.expires_on)
    if refresh_in is not None:
        assert found.refresh_on == NOW + refresh_in


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b"[]", None),
        (b"null", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b"<html>", None),
        (b"[" * 100_000, None),
    ],
    ids=["object", "byte order mark", "list", "null", "nothing", "no UTF-8", "HTML", "too deep"],
)
def test_only_an_object_is_an_object(body: bytes, expected: Any) -> None:
    """Everything else is None, whatever it does to the parser."""
    assert json_object(body) == expected


def test_a_number_too_long_to_convert_is_no_time() -> None:
    """Later Pythons refuse to convert numbers of thousands of digits, in the middle of a document or not."""
    body = b'{"access_token": "T", "expires_in": ' + b"9" * 10_000 + b"}"

    with pytest.raises(Unusable):
        parse_token(Response(200, {}, body), NOW)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_body_is_an_object_or_none(body: bytes) -> None:
    """Nothing is raised."""
    found = json_object(body)

    assert found is None or isinstance(found, dict)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3599, 3599),
        (3599.9, 3599),
        ("3599", 3599),
        ("3599.0", 3599),
        (" 3599 ", 3599),
        (True, None),
        (None, None),
        ("", None),
        ("soon", None),
        ([], None),
        ({}, None),
        (float("nan"), None),
        (float("inf"), None),
        ("1e400", None),
        (10**12, None),
        ("9" * 10_000, None),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_number_of_seconds_however_it_is_spelt(value: Any, expected: Optional[int]) -> None:
    """Issuers, hosts and tools differ; what cannot be a time is none."""
    assert whole(value) == expected


@given(JSON)
def test_any_value_is_a_number_of_seconds_or_none(value: Any) -> None:
    """Nothing is raised, and the number is one that clocks can take."""
    found = whole(value)

    assert found is None or -(10**12) < found < 10**12


@pytest.mark.parametrize(
    ("value", "expected"),
    [("7", 7), ("0", 0), ("-5", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("", None), ("nan", None)],
    ids=["seconds", "at once", "less than nothing", "a date", "empty", "no number"],
)
def test_how_long_to_wait(value: str, expected: Optional[int]) -> None:
    """Only a number of seconds is repeated to the user (RFC 9110, section 10.2.3)."""
    assert retry_after(Response(429, {"retry-after": value})) == expected


@given(st.text())
def test_any_retry_after_is_seconds_or_none(value: str) -> None:
    """Nothing is raised, and nobody is told to wait less than nothing."""
    found = retry_after(Response(429, {"retry-after": value}))

    assert found is None or found >= 0


def test_the_servers_clock() -> None:
    """From the Date header (RFC 9110, section 6.6.1)."""
    assert server_time(Response(200, {"date": "Fri, 15 Jan 2027 08:00:00 GMT"})) == NOW
    assert server_time(Response(200)) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{0,5} [0-9:]{0,9} ?[A-Z+0-9-]{0,6}"))
def test_any_date_is_a_time_or_none(value: str) -> None:
    """Nothing is raised."""
    found = server_time(Response(200, {"date": value}))

    assert found is None or isinstance(found, int)


def test_the_media_type_is_shown_without_parameters() -> None:
    """For messages."""
    assert content_type(Response(200, {"content-type": "text/html; charset=utf-8"})) == "text/html"
    assert content_type(Response(200)) == "no content type"

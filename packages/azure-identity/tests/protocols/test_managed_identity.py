"""What the hosts of managed identities are sent, and how their answers read."""

from __future__ import annotations

import calendar
import json
from datetime import datetime
from typing import Any, Optional
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leak_watch import planted
from scripted import NOW, reply

from azure.identity._protocols import app_service, azure_ml, cloud_shell, imds, service_fabric
from azure.identity._protocols.identities import (
    CLIENT_ID,
    EITHER_ID,
    OBJECT_ID,
    RESOURCE_ID,
    SYSTEM_ASSIGNED,
    Identity,
    configured_identity,
    identity_of_any_kind,
    is_guid,
)
from azure.identity._protocols.managed_identity import (
    NoJson,
    NoToken,
    Refusal,
    expiry,
    parse_refusal,
    parse_token,
    query_url,
    same_id,
    says_no_such_identity,
    selector,
    shown_identity,
    wait_asked,
)
from azure.identity._values.messages import Response

GUID = "0f8b1c4e-7a2d-4e1b-9c3f-5d6e7f8a9b0c"
RESOURCE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
LINK_LOCAL = imds.ADDRESS


# --- naming an identity


@pytest.mark.parametrize(
    ("arguments", "identity"),
    [
        ({}, SYSTEM_ASSIGNED),
        ({"client_id": ""}, SYSTEM_ASSIGNED),
        ({"client_id": "  "}, SYSTEM_ASSIGNED),
        ({"config": {}}, SYSTEM_ASSIGNED),
        ({"config": {"object_id": ""}}, SYSTEM_ASSIGNED),
        ({"client_id": "c"}, Identity(CLIENT_ID, "c")),
        ({"client_id": " c\n"}, Identity(CLIENT_ID, "c")),
        ({"object_id": "o"}, Identity(OBJECT_ID, "o")),
        ({"resource_id": "/r"}, Identity(RESOURCE_ID, "/r")),
        ({"config": {"client_id": "c"}}, Identity(CLIENT_ID, "c")),
        ({"config": {"clientid": "c"}}, Identity(CLIENT_ID, "c")),
        ({"config": {"object_id": "o"}}, Identity(OBJECT_ID, "o")),
        ({"config": {"principal_id": "o"}}, Identity(OBJECT_ID, "o")),
        ({"config": {"resource_id": "/r"}}, Identity(RESOURCE_ID, "/r")),
        ({"config": {"mi_res_id": "/r"}}, Identity(RESOURCE_ID, "/r")),
        ({"config": {"msi_res_id": "/r"}}, Identity(RESOURCE_ID, "/r")),
        ({"config": {"foo": "bar"}}, Identity("", "", (("foo", "bar"),))),
        ({"client_id": "c", "config": {"foo": "bar"}}, Identity(CLIENT_ID, "c", (("foo", "bar"),))),
    ],
)
def test_an_identity_is_named_by_keyword_or_mapping(arguments: dict[str, Any], identity: Identity) -> None:
    """Each kind of id has one keyword, and in the mapping also the names that hosts use."""
    assert identity == named(**arguments)


def named(**arguments: Any) -> Identity:
    return configured_identity(*(arguments.get(name) for name in ("client_id", "object_id", "resource_id", "config")))


@pytest.mark.parametrize(
    "arguments",
    [
        {"client_id": "a", "object_id": "b"},
        {"object_id": "a", "resource_id": "b"},
        {"client_id": "a", "config": {"object_id": "b"}},
        {"client_id": "a", "config": {"client_id": "a"}},
        {"client_id": "a", "config": {"client_id": ""}},
        {"object_id": "a", "config": {"mi_res_id": "b"}},
        {"config": {"object_id": "a", "resource_id": "b"}},
        {"config": {"object_id": None, "resource_id": None}},
        {"config": {"client_id": "a", "clientid": "a"}},
    ],
)
def test_two_names_for_an_identity_are_refused(arguments: dict[str, Any]) -> None:
    """Which of them is meant must not be guessed, not even when they agree."""
    with pytest.raises(ValueError, match="exactly one of client_id, object_id and resource_id"):
        named(**arguments)


def test_a_resource_id_given_as_another_id_is_refused() -> None:
    """It would be looked for among ids it cannot be one of."""
    with pytest.raises(ValueError, match="give it as resource_id"):
        named(client_id=RESOURCE)
    with pytest.raises(ValueError, match="give it as resource_id"):
        named(config={"object_id": RESOURCE.upper()})


@pytest.mark.parametrize("name", ["resource", "api-version", "Resource", 7])
def test_the_mapping_cannot_replace_fields_of_the_request(name: Any) -> None:
    """A second `resource` would be a request for another one."""
    with pytest.raises(ValueError, match="every request has a field of that name"):
        named(config={name: "x"})


def test_ids_are_strings() -> None:
    """A GUID object or a list is no id, and says so."""
    with pytest.raises(TypeError, match="client_id must be a string, but it is a int"):
        named(client_id=5)
    with pytest.raises(TypeError, match=r"identity_config\['object_id'\] must be a string"):
        named(config={"object_id": ["o"]})
    with pytest.raises(TypeError, match="identity_config must be a mapping"):
        named(config="client_id=c")


@pytest.mark.parametrize(
    ("value", "identity"),
    [
        (None, SYSTEM_ASSIGNED),
        ("", SYSTEM_ASSIGNED),
        ("app", Identity(CLIENT_ID, "app")),
        (GUID, Identity(EITHER_ID, GUID)),
        (GUID.upper(), Identity(EITHER_ID, GUID.upper())),
        (RESOURCE, Identity(RESOURCE_ID, RESOURCE)),
        (RESOURCE.upper(), Identity(RESOURCE_ID, RESOURCE.upper())),
    ],
)
def test_one_id_tells_its_kind_by_its_form(value: Optional[str], identity: Identity) -> None:
    """A resource id begins with /subscriptions/; a GUID may be a client id or an object id."""
    assert identity == identity_of_any_kind(value)


def test_keys_of_identities_differ_when_they_do() -> None:
    """Case does not matter in an id; its kind and further fields do."""
    keys = [named(**a).key for a in ({}, {"client_id": "a"}, {"object_id": "a"}, {"config": {"foo": "a"}})]

    assert len(set(keys)) == 4
    assert named(client_id=GUID).key == named(config={"client_id": GUID.upper()}).key


def test_guids_are_recognised() -> None:
    """Eight, four, four, four and twelve hexadecimal digits, and nothing else."""
    assert is_guid(GUID) and is_guid(GUID.upper())
    for text in ("", "clientid", GUID[:-1], GUID + "0", GUID.replace("0", "g"), f"{{{GUID}}}"):
        assert not is_guid(text)


# --- questions


def query(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1, max_size=5))
def test_values_cannot_become_fields(fields: list[tuple[str, str]]) -> None:
    """Whatever a scope or an id contains, it arrives as that value, and as nothing more."""
    encodable = [(n, v) for n, v in fields if not _surrogates(n + v)]
    if encodable:
        url = query_url("http://h/t", encodable)

        assert encodable == query(url)
        assert url.isascii() and " " not in url and "#" not in url


def _surrogates(text: str) -> bool:
    return any(0xD800 <= ord(character) <= 0xDFFF for character in text)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://h/t", "http://h/t?a=b%2Fc"),
        ("http://h/t?", "http://h/t?a=b%2Fc"),
        ("http://h/t?x=1", "http://h/t?x=1&a=b%2Fc"),
        ("http://h/t?x=1&", "http://h/t?x=1&a=b%2Fc"),
        ("http://h/t#f", "http://h/t?a=b%2Fc"),
    ],
)
def test_an_endpoint_keeps_its_own_query(endpoint: str, url: str) -> None:
    """The fields are added to what the environment says."""
    assert url == query_url(endpoint, [("a", "b/c")])


def test_the_question_to_imds() -> None:
    """GET, with the header that keeps others from making a program ask; never through a proxy."""
    request = imds.token_request(imds.token_endpoint(""), "https://vault.azure.net", [("msi_res_id", "/r")])

    assert (request.method, dict(request.headers)) == ("GET", {"Metadata": "true"})
    assert request.url.startswith(f"{imds.ADDRESS}/metadata/identity/oauth2/token?")
    assert query(request.url) == [
        ("api-version", "2018-02-01"),
        ("resource", "https://vault.azure.net"),
        ("msi_res_id", "/r"),
    ]
    assert (request.direct, request.timeout, request.retry) == (True, None, False)


def test_the_address_of_imds_is_the_documented_one() -> None:
    """Link-local, plain http."""
    assert LINK_LOCAL == "http://169.254.169.254"


def test_the_probe_is_the_question_without_its_header() -> None:
    """IMDS refuses it at once, and nothing can be got by it."""
    endpoint = imds.token_endpoint("")
    probe, question = imds.probe_request(endpoint, "r", []), imds.token_request(endpoint, "r", [])

    assert (question.url, {}) == (probe.url, dict(probe.headers))
    assert (probe.timeout, probe.retry, probe.direct) == (1.0, False, True)


@pytest.mark.parametrize("host", ["https://h/", "https://h", "/https://h/"])
def test_pod_identity_names_another_host(host: str) -> None:
    """Slashes around it do not matter."""
    assert imds.token_endpoint(host) == "https://h/metadata/identity/oauth2/token"
    assert imds.token_endpoint("127.0.0.1:2579") == "http://127.0.0.1:2579/metadata/identity/oauth2/token"


def test_the_question_to_app_service() -> None:
    """The secret is in a header of its own; Automation wants `Metadata` too."""
    request = app_service.token_request("http://h/t", planted("header"), "r", [("mi_res_id", "/r")])

    assert {"X-IDENTITY-HEADER": planted("header"), "Metadata": "true"} == dict(request.headers)
    assert query(request.url) == [("api-version", "2019-08-01"), ("resource", "r"), ("mi_res_id", "/r")]
    assert request.direct


def test_the_question_to_azure_machine_learning() -> None:
    """The wire format of App Service before 2019."""
    request = azure_ml.token_request("http://h/t", planted("secret"), "r", [("clientid", "c")])

    assert planted("secret") == request.headers["secret"]
    assert query(request.url) == [("api-version", "2017-09-01"), ("resource", "r"), ("clientid", "c")]


def test_the_question_to_cloud_shell() -> None:
    """The only one that is a POST."""
    request = cloud_shell.token_request("http://h/t", "https://vault.azure.net", [("foo", "bar")])

    assert (request.method, request.url) == ("POST", "http://h/t")
    assert dict(request.form or {}) == {"resource": "https://vault.azure.net", "foo": "bar"}
    assert dict(request.headers) == {"Metadata": "true"}


def test_the_question_to_service_fabric() -> None:
    """The certificate is pinned, the secret in its header, and a rejected token named by its hash."""
    request = service_fabric.token_request(
        "https://h/t", planted("header"), "ab" * 20, "r", [], rejected="tok", cae=True
    )

    assert {"Secret": planted("header")} == dict(request.headers)
    assert request.tls is not None and request.tls.thumbprint == "ab" * 20
    assert query(request.url) == [
        ("api-version", "2019-07-01-preview"),
        ("resource", "r"),
        ("token_sha256_to_refresh", "1a7674eb4ee78df7e1ac439a93c3fa8e3c945784d4dec9fd8e3011738b2f1d62"),
        ("xms_cc", "cp1"),
    ]


def test_a_request_shows_no_secret() -> None:
    """Its repr is for logs."""
    request = app_service.token_request("http://h/t", planted("header"), "r", [("client_id", "c")])

    assert repr(request) == "Request(GET http://h/t)"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("ab" * 20, "ab" * 20),
        ("AB:" * 19 + "AB", "ab" * 20),
        (" AB CD" * 10, "abcd" * 10),
        ("AB" * 32, "ab" * 32),
        ("", None),
        ("thumbprint", None),
        ("ab" * 16, None),
        ("gh" * 20, None),
        ("ab" * 19 + "é0", None),
    ],
)
def test_thumbprints_are_normalised(text: str, normal: Optional[str]) -> None:
    """SHA-1 or SHA-256 in hexadecimal, with or without separators."""
    assert normal == service_fabric.normal_thumbprint(text)


def test_selectors_use_the_names_of_the_host() -> None:
    """Fields this library does not know follow as they are."""
    names = {CLIENT_ID: "clientid"}

    assert selector(Identity(CLIENT_ID, "c", (("foo", "bar"),)), names) == [("clientid", "c"), ("foo", "bar")]
    assert selector(SYSTEM_ASSIGNED, names) == []


# --- tokens

FULL = {
    "access_token": "tok",
    "expires_in": "86399",
    "expires_on": str(NOW + 86399),
    "resource": "https://management.azure.com",
    "token_type": "Bearer",
}


def without(*names: str, **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**FULL, **changes}.items() if name not in names}


@pytest.mark.parametrize(
    ("body", "expires_in", "refresh_in"),
    [
        (FULL, 86399, 43199),
        (without("resource"), 86399, 43199),
        (without("token_type"), 86399, 43199),
        (without("expires_in", expires_on=str(NOW + 3600)), 3600, None),
        (without("expires_in", expires_on=NOW + 3600), 3600, None),
        (without("expires_on", expires_in="3600"), 3600, None),
        (without("expires_on", expires_in=7200), 7200, 3600),
        (without("expires_on", expires_in=7199), 7199, None),
        (without("expires_on", expires_in="86399.5"), 86399, 43199),
        (without(refresh_in="43000"), 86399, 43000),
        (without(refresh_in=43000), 86399, 43000),
        (without(expires_on="", expires_in="3600"), 3600, None),
        (without(expires_on="soon", expires_in="3600"), 3600, None),
        (without(expires_on=0, expires_in="3600"), 3600, None),
        (without(expires_on=str(NOW + 50), expires_in="3600"), 50, None),
    ],
)
def test_the_lifetime_of_a_token(body: dict[str, Any], expires_in: int, refresh_in: Optional[int]) -> None:
    """`expires_on` if it can be read, else `expires_in`; renewed when the host says, else at half of a long life."""
    token = parse_token(reply(200, body), NOW)

    assert ("tok", "Bearer", NOW + expires_in) == (token.token, token.token_type, token.expires_on)
    assert (NOW + refresh_in if refresh_in is not None else None) == token.refresh_on


def test_an_expired_token_is_an_answer() -> None:
    """The host's clock may differ; who gets the token will see. Small numbers are times, not lifetimes."""
    assert parse_token(reply(200, without(expires_on=42)), NOW).expires_on == 42


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1565244611, 1565244611),
        ("1586984735", 1586984735),
        (" 1586984735 ", 1586984735),
        (1586984735.9, 1586984735),
        ("06/20/2019 02:57:58 +00:00", 1560999478),
        ("6/20/2030 2:57:58 AM +00:00", 1908154678),
        ("06/20/2030 02:57:58 +00:00", 1908154678),
        ("1/16/2020 5:24:12 AM +00:00", 1579152252),
        ("1/16/2020 12:24:12 AM +00:00", 1579134252),
        ("1/1/1970 12:0:12 PM +00:00", 43212),
        ("06/20/2019 04:57:58 +02:00", 1560999478),
        ("06/19/2019 21:57:58 -0500", 1560999478),
        ("2024-10-18T19:51:37.0000000+00:00", 1729281097),
        ("2030-06-20T02:57:58Z", 1908154678),
        ("2030-06-20 02:57:58", 1908154678),
        ("2030-06-20T04:57:58+02:00", 1908154678),
        ("2030-06-20t02:57:58z", 1908154678),
        ("", None),
        ("tomorrow", None),
        ("13/40/2019 02:57:58 +00:00", None),
        ("6/20/2030 13:57:58 PM +00:00", None),
        ("2030-13-20T02:57:58Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        (-5, None),
        (None, None),
        (True, None),
        ([1], None),
        ({"a": 1}, None),
    ],
)
def test_every_form_of_expires_on(value: Any, seconds: Optional[int]) -> None:
    """A number, a number as text, a US date of either platform, or ISO 8601; anything else cannot be read."""
    assert seconds == expiry(value)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans(), st.lists(st.integers())))
def test_reading_a_time_never_fails(value: Any) -> None:
    """Nothing a host sends raises."""
    seconds = expiry(value)

    assert seconds is None or seconds >= 0


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2999, 1, 1)))
def test_dates_are_read_back(moment: datetime) -> None:
    """What a host writes is the second it means."""
    seconds = calendar.timegm(moment.timetuple())
    half = moment.hour % 12 or 12

    assert seconds == expiry(moment.strftime("%Y-%m-%dT%H:%M:%S.1234567+00:00"))
    assert seconds == expiry(moment.strftime("%m/%d/%Y %H:%M:%S +00:00"))
    clock = f"{half}:{moment.minute}:{moment.second} {'AM' if moment.hour < 12 else 'PM'}"
    assert seconds == expiry(f"{moment.month}/{moment.day}/{moment.year} {clock} +00:00")


@pytest.mark.parametrize(
    "content", [b"<html>Sign in</html>", b"", b"Received invalid token", b"{not json", b"\xff\xfe"]
)
def test_what_is_not_json_is_not_from_the_host(content: bytes) -> None:
    """Whatever its content type says."""
    with pytest.raises(NoJson):
        parse_token(Response(200, {"content-type": "application/json"}, content), NOW)


@pytest.mark.parametrize(
    "body", [{}, None, [], ["x"], 5, "text", {"access_token": ""}, {"access_token": 5}, {"access_token": None}]
)
def test_json_without_a_token_is_no_answer(body: Any) -> None:
    """It is the host's, but of no use."""
    with pytest.raises(NoToken):
        parse_token(Response(200, {}, json.dumps(body).encode()), NOW)


def test_a_body_without_its_lifetime_is_not_shown() -> None:
    """The token it has must not reach an error."""
    with pytest.raises(NoToken) as caught:
        parse_token(reply(200, {"access_token": planted("token"), "resource": "r"}), NOW)

    assert "no 'expires_on' or 'expires_in'" in str(caught.value)


@pytest.mark.parametrize("kind", ["text/plain", "", "application/json"])
def test_json_is_read_whatever_the_content_type(kind: str) -> None:
    """Hosts are careless there; some begin with a byte order mark."""
    body = b"\xef\xbb\xbf" + json.dumps(FULL).encode()

    assert parse_token(Response(200, {"content-type": kind}, body), NOW).token == "tok"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_members = st.sampled_from(["access_token", "expires_on", "expires_in", "refresh_in", "token_type", "error", "message"])


@given(st.one_of(st.binary(max_size=200), st.dictionaries(_members, _json).map(lambda d: json.dumps(d).encode())))
def test_reading_answers_never_fails_otherwise(content: bytes) -> None:
    """Only the two documented exceptions leave the parser, and refusals are read or are not."""
    response = Response(200, {}, content)
    try:
        token = parse_token(response, NOW)
        assert token.token and isinstance(token.expires_on, int)
    except (NoJson, NoToken):
        pass
    parse_refusal(response)
    says_no_such_identity(response._replace(status=400))


# --- who an answer is about


@pytest.mark.parametrize(
    ("body", "kind", "shown"),
    [
        ({"client_id": "A"}, CLIENT_ID, "A"),
        ({"client_id": ""}, CLIENT_ID, None),
        ({"client_id": 5}, CLIENT_ID, None),
        ({"object_id": "o"}, CLIENT_ID, None),
        ({"object_id": "o"}, OBJECT_ID, "o"),
        ({"principal_id": "o"}, OBJECT_ID, "o"),
        ({"msi_res_id": "/r", "mi_res_id": "/x"}, RESOURCE_ID, "/r"),
        ({"mi_res_id": "/r"}, RESOURCE_ID, "/r"),
        ({"client_id": "A"}, "", None),
    ],
)
def test_answers_say_whose_token_it_is(body: dict[str, Any], kind: str, shown: Optional[str]) -> None:
    """By the kind of id that was asked for."""
    assert shown == shown_identity(body, kind)


def test_ids_are_compared_without_case() -> None:
    """Hosts answer in upper case, and with or without the slash of a resource id."""
    assert same_id(GUID, GUID.upper()) and same_id(RESOURCE, RESOURCE.lower().strip("/"))
    assert not same_id(GUID, GUID.replace("0", "1"))


# --- refusals


NEEDS_VERSION = "Bad request. api-version is missing"


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"error": "invalid_request", "error_description": "Why"}, Refusal("invalid_request", "Why")),
        ({"error": {"code": "AudienceNotSupported", "message": "m"}}, Refusal("AudienceNotSupported", "m")),
        ({"error": {"code": "E", "message": "m", "correlationId": "id"}}, Refusal("E", "m", "id")),
        ({"statusCode": 400, "message": "No identity", "correlationId": "id"}, Refusal("", "No identity", "id")),
        ({"error": NEEDS_VERSION, "newest-versions": ["x"]}, Refusal("", NEEDS_VERSION)),
        ({"Message": "m"}, Refusal("", "m")),
        ({"error": {}}, Refusal("", "no text")),
    ],
)
def test_refusals_in_every_form(body: Any, refusal: Refusal) -> None:
    """OAuth's, OData's, App Service's, and a bare text."""
    assert refusal == parse_refusal(reply(400, body))


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"{}", b'{"error": ""}', b'{"error": 5}'])
def test_no_refusal_can_be_read(content: bytes) -> None:
    """Then there is none."""
    assert parse_refusal(Response(500, {}, content)) is None


def oauth(error: str, description: str) -> dict[str, str]:
    return {"error": error, "error_description": description}


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (400, oauth("invalid_request", "Identity not found"), True),
        (400, oauth("invalid_request", "The requested identity isn't assigned to this resource."), True),
        (400, {"message": "No User Assigned or Delegated Managed Identity found for specified ClientId/..."}, True),
        (404, {"error": {"code": "ManagedIdentityNotFound", "message": "Managed identity not found."}}, True),
        (400, oauth("invalid_resource", "AADSTS500011: The resource principal was not found."), False),
        (400, oauth("bad_request_102", "Required metadata header not specified"), False),
        (500, oauth("x", "Identity not found"), False),
        (400, {}, False),
    ],
)
def test_a_missing_identity_is_told_from_other_refusals(status: int, body: Any, says: bool) -> None:
    """Only then is another kind of id worth trying."""
    assert says == says_no_such_identity(reply(status, body))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7),
        ({"retry_after": "-1"}, 0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30),
        ({"retry_after": "Fri, 15 Jan 2021 08:00:30 GMT"}, 0),
        ({"retry_after_ms": "1500"}, 1.5),
        ({"x_ms_retry_after_ms": "250"}, 0.25),
        ({"retry_after": "2", "retry_after_ms": "9000"}, 2),
    ],
)
def test_how_long_a_host_asks_to_wait(headers: dict[str, str], seconds: Optional[float]) -> None:
    """In seconds, as a date, or in milliseconds."""
    assert seconds == wait_asked(reply(429, None, **headers), NOW)


# --- whether IMDS is there

UNREACHABLE = "connecting to 169.254.169.254:80: A socket operation was attempted to an unreachable network."


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        (reply(400, {"error": "bad_request_102"}), imds.PRESENT),
        (reply(403, {"error": UNREACHABLE}), imds.ABSENT),
        (Response(403, {"content-type": "text/plain"}, UNREACHABLE.encode()), imds.ABSENT),
        (reply(403, {"error": "forbidden"}), imds.PLAUSIBLE),
        (reply(500, {"error": "x"}), imds.PLAUSIBLE),
        (reply(200, {"error": "x"}), imds.PLAUSIBLE),
        (Response(410), imds.PLAUSIBLE),
        (Response(429), imds.PLAUSIBLE),
        (Response(404, {"content-type": "text/html"}, b"<html>"), imds.DOUBTFUL),
        (Response(200, {"content-type": "text/html"}, b"<html>"), imds.DOUBTFUL),
        (Response(502, {"content-type": "text/html"}, b"<html>"), imds.DOUBTFUL),
        (Response(400, {"content-type": "text/html"}, b"<html>"), imds.PLAUSIBLE),
    ],
)
def test_what_answers_a_probe(response: Response, verdict: str) -> None:
    """IMDS insists on its header; a host that says it has no route is not IMDS; the rest has to be asked properly."""
    assert verdict == imds.verdict(response)

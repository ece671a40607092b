"""Instance discovery, and the region a machine is in."""

from __future__ import annotations

from typing import Any, Optional
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import reply

from azure.identity._protocols.authority import parse_authority, valid_region
from azure.identity._protocols.discovery import instance_request, parse_instance, parse_region, region_request
from azure.identity._values.messages import Response


def test_the_public_cloud_is_asked_about_a_host() -> None:
    """It knows all clouds, and it is never the stranger itself that is asked."""
    request = instance_request(parse_authority("contoso.example:8443"), "tid", "id")

    parts = urlsplit(request.url)
    assert (
        request.method,
        parts.netloc,
        parts.path,
    ) == ("GET", "login.microsoftonline.com", "/common/discovery/instance")
    assert parse_qs(parts.query) == {
        "api-version": ["1.1"],
        "authorization_endpoint": ["https://contoso.example:8443/tid/oauth2/v2.0/authorize"],
    }


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(reply(200, {"tenant_discovery_endpoint": "https://x"}), True, id="known"),
        pytest.param(reply(400, {"error": "invalid_instance"}), False, id="unknown"),
        pytest.param(reply(400, {"error": "invalid_tenant"}), None, id="another error"),
        pytest.param(reply(500), None, id="no body"),
        pytest.param(Response(200, {}, b"<html>"), None, id="a web page"),
        pytest.param(reply(200, {"tenant_discovery_endpoint": None}), None, id="null"),
    ],
)
def test_what_the_public_cloud_says(response: Response, expected: Optional[bool]) -> None:
    """Only a clear answer counts; anything else confirms nothing."""
    assert parse_instance(response) is expected


def test_the_metadata_service_is_asked_briefly_and_once() -> None:
    """Off Azure nobody answers there, and a flow must not wait for that long or often."""
    request = region_request()

    assert request.url == "http://169.254.169.254/metadata/instance/compute?api-version=2021-02-01"
    assert dict(request.headers) == {"Metadata": "true"}
    assert (request.timeout, request.retry) == (2.0, False)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param(reply(200, {"location": "westus2"}), "westus2", id="a region"),
        pytest.param(reply(200, {"location": "West US 2"}), None, id="a display name"),
        pytest.param(reply(200, {"location": "westus2\n"}), None, id="a line break"),
        pytest.param(reply(200, {"location": "evil.com/x"}), None, id="a host"),
        pytest.param(reply(200, {"location": 5}), None, id="a number"),
        pytest.param(reply(200, {}), None, id="no location"),
        pytest.param(reply(404, {"location": "westus2"}), None, id="an error"),
        pytest.param(Response(200, {}, b"\xff"), None, id="no text"),
    ],
)
def test_the_region_a_machine_is_in(response: Response, expected: Optional[str]) -> None:
    """Only what can be part of a host name is taken."""
    assert parse_region(response) == expected


@given(st.one_of(st.text(), st.integers(), st.none()), st.binary())
def test_any_answer_is_a_region_or_none(location: Any, garbage: bytes) -> None:
    """Nothing is raised."""
    for response in (reply(200, {"location": location}), Response(200, {}, garbage)):
        found = parse_region(response)
        assert found is None or valid_region(found)
        assert parse_instance(response) in (True, False, None)

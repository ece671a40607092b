"""Regional token endpoints: `AZURE_REGIONAL_AUTHORITY_NAME`."""

from __future__ import annotations

from typing import Optional

import pytest
from scripted import ScriptedIO, ask, reply, token

from azure.identity import ClientAssertionCredential, ClientSecretCredential
from azure.identity._values.messages import Response, Unreachable

PUBLIC = "login.microsoftonline.com"


def credential(authority: str = PUBLIC, tenant: str = "tid") -> ClientSecretCredential:
    return ClientSecretCredential(tenant, "cid", "s3cret", authority=authority)


def hosts(io: ScriptedIO) -> list[str]:
    return [request.url.split("/")[2] for request in io.requests]


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        (PUBLIC, "westus2.login.microsoft.com"),
        ("sts.windows.net", "westus2.login.microsoft.com"),
        ("login.microsoftonline.us", "westus2.login.microsoftonline.us"),
        ("localhost:8443", "localhost:8443"),
    ],
    ids=["public cloud", "its alias", "government", "not a cloud"],
)
def test_a_named_region_is_used_with_the_clouds(monkeypatch: pytest.MonkeyPatch, authority: str, host: str) -> None:
    """Without asking anybody."""
    monkeypatch.setenv("AZURE_REGIONAL_AUTHORITY_NAME", "westus2")
    io = ScriptedIO(token())

    ask(credential(authority), io)

    assert hosts(io) == [host]
    io.finished()


def test_an_assertion_may_go_to_a_region_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """As all grants of service principals."""
    monkeypatch.setenv("AZURE_REGIONAL_AUTHORITY_NAME", "westus2")
    io = ScriptedIO(token())

    ask(ClientAssertionCredential("tid", "cid", lambda: "a"), io)

    assert hosts(io) == ["westus2.login.microsoft.com"]


@pytest.mark.parametrize("value", ["WestUS2", "evil.com/x", "west us", "-"])
def test_what_is_no_region_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """It would become part of a host name."""
    monkeypatch.setenv("AZURE_REGIONAL_AUTHORITY_NAME", value)

    with pytest.raises(ValueError, match="AZURE_REGIONAL_AUTHORITY_NAME must be a region in lower case"):
        ask(credential(), ScriptedIO())


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_blank_variable_means_the_central_endpoint(monkeypatch: pytest.MonkeyPatch, value: Optional[str]) -> None:
    """As if it was not set."""
    if value is not None:
        monkeypatch.setenv("AZURE_REGIONAL_AUTHORITY_NAME", value)
    io = ScriptedIO(token())

    ask(credential(), io)

    assert hosts(io) == [PUBLIC]


@pytest.mark.parametrize("value", ["tryautodetect", "TryAutoDetect", "true", "True"])
@pytest.mark.parametrize(
    ("here", "host"),
    [("uksouth", "uksouth.login.microsoft.com"), ("UK South", "uksouth.login.microsoft.com"), ("evil.com/x", PUBLIC)],
    ids=["its name", "its display name", "no region"],
)
def test_app_service_says_where_it_is(monkeypatch: pytest.MonkeyPatch, value: str, here: str, host: str) -> None:
    """`REGION_NAME`; then the metadata service is not asked."""
    monkeypatch.setenv("AZURE_REGIONAL_AUTHORITY_NAME", value)
    monkeypatch.setenv("REGION_NAME", here)
    io = ScriptedIO(token())

    ask(credential(), io)

    assert hosts(io) == [host]
    io.finished()


def test_else_the_metadata_service_is_asked_once_per_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """By whichever credential comes first."""
    monkeypatch.setenv("AZURE_REGIONAL_AUTHORITY_NAME", "tryautodetect")
    io = ScriptedIO(reply(200, {"location": "uksouth"}), token(), token())

    ask(credential(), io)
    ask(credential(), io)

    assert hosts(io) == ["169.254.169.254", *["uksouth.login.microsoft.com"] * 2]
    assert io.requests[0].headers == {"Metadata": "true"}
    assert io.requests[0].retry is False
    io.finished()


@pytest.mark.parametrize(
    "answer",
    [
        Unreachable("http://169.254.169.254/metadata/instance/compute", "timed out", kind="timeout"),
        reply(404),
        reply(200, {"location": "not a region"}),
        Response(200, {}, b"<html>"),
    ],
    ids=["nobody there", "not found", "no region", "a web page"],
)
def test_a_region_not_found_means_the_central_endpoint(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    """Once looked for in vain, it is not looked for again."""
    monkeypatch.setenv("AZURE_REGIONAL_AUTHORITY_NAME", "tryautodetect")
    io = ScriptedIO(answer, token(), token())  # type: ignore[arg-type]

    ask(credential(), io)
    ask(credential(), io)

    assert hosts(io) == ["169.254.169.254", PUBLIC, PUBLIC]
    io.finished()


def test_neither_adfs_nor_a_private_cloud_has_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the metadata service is not asked."""
    monkeypatch.setenv("AZURE_REGIONAL_AUTHORITY_NAME", "tryautodetect")
    io = ScriptedIO(token(), token())

    ask(credential("fs.contoso.example", "adfs"), io)
    ask(credential("localhost:8443"), io)

    io.finished()

"""The default chain's member that asks a person: only where it was asked for, and with what the chain was told."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from people import ADA, answering, comes_back
from scripted import ScriptedIO

from azure.identity import CredentialUnavailableError
from azure.identity._credentials.chained import member_name
from azure.identity._credentials.default import LINKS

BROWSER = "InteractiveBrowserCredential"
each_face = pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.name))


def names(chain: Any) -> list[str]:
    return [member_name(member) for member in chain.credentials]


def alone(face: Face, **options: Any) -> Any:
    """The chain with this member only."""
    excluded: dict[str, Any] = {link.exclude: link.name != BROWSER for link in LINKS}
    return face.package.DefaultAzureCredential(**{**excluded, **options})


@each_face
@pytest.mark.parametrize(("given", "there"), [({}, False), ({"exclude": True}, False), ({"exclude": False}, True)])
def test_a_person_is_asked_only_on_demand(face: Face, given: Any, there: bool) -> None:
    """`exclude_interactive_browser_credential` is True unless given."""
    options = {f"{name}_interactive_browser_credential": value for name, value in given.items()}

    assert (BROWSER in names(face.package.DefaultAzureCredential(**options))) is there


@each_face
@pytest.mark.parametrize("spelling", [BROWSER, BROWSER.lower(), BROWSER.upper(), f" {BROWSER} "])
def test_the_environment_variable_names_it(face: Face, monkeypatch: pytest.MonkeyPatch, spelling: str) -> None:
    """In any case, in both worlds; alone then."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", spelling)

    assert names(face.package.DefaultAzureCredential()) == [BROWSER]


@each_face
@pytest.mark.parametrize("group", ["dev", "prod"])
def test_it_belongs_to_no_group(face: Face, monkeypatch: pytest.MonkeyPatch, group: str) -> None:
    """But can be added to one."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", group)

    assert BROWSER not in names(face.package.DefaultAzureCredential())
    assert BROWSER in names(face.package.DefaultAzureCredential(exclude_interactive_browser_credential=False))


@each_face
@pytest.mark.parametrize(
    ("given", "variable", "used"),
    [
        ({"interactive_browser_tenant_id": "mine"}, "other", "mine"),
        ({}, "from-environment", "from-environment"),
        ({}, None, "organizations"),
        ({"interactive_browser_tenant_id": None}, "from-environment", "organizations"),
    ],
    ids=["keyword", "environment", "neither", "None"],
)
def test_the_tenant_to_sign_in_to(
    face: Face, monkeypatch: pytest.MonkeyPatch, given: Any, variable: Optional[str], used: str
) -> None:
    if variable is not None:
        monkeypatch.setenv("AZURE_TENANT_ID", variable)
    io = ScriptedIO(comes_back)
    io.will(answering(io, ADA.token("T1")))

    assert face.ask(alone(face, **given), io, "s/.default").token == "T1"
    assert io.opened_urls[0].startswith(f"https://login.microsoftonline.com/{used}/")


@each_face
def test_client_authority_and_other_options_reach_it(face: Face) -> None:
    """Those of the chain."""
    io = ScriptedIO(comes_back)
    io.will(answering(io, ADA.token("T1")))
    chain = alone(
        face,
        interactive_browser_client_id="mine",
        authority="login.microsoftonline.us",
        additionally_allowed_tenants=["other"],
    )

    face.ask(chain, io, "s/.default", tenant="other")

    assert io.opened_urls[0].startswith("https://login.microsoftonline.us/other/")
    assert "client_id=mine&" in io.opened_urls[0]


@each_face
@pytest.mark.parametrize(("options", "seconds"), [({"timeout": 5}, 5), ({}, 300)])
def test_the_timeout_reaches_it_and_nobody_signing_in_is_no_failure(face: Face, options: Any, seconds: int) -> None:
    """Nobody may be there. Members after it are asked."""
    io = ScriptedIO(None)

    with pytest.raises(CredentialUnavailableError, match=f"after waiting {seconds} seconds"):
        face.ask(alone(face, **options), io, "s/.default")


def test_a_person_who_declines_ends_the_chain() -> None:
    """That is an answer."""
    with pytest.raises(ClientAuthenticationError, match="access_denied") as caught:
        FACES[0].ask(alone(FACES[0]), ScriptedIO({"error": "access_denied"}), "s/.default")

    assert not isinstance(caught.value, CredentialUnavailableError)


def test_where_there_is_no_browser_the_chain_goes_on() -> None:
    """The report says why."""
    io = ScriptedIO()
    io.why_no_browser = "the program runs without a display"

    with pytest.raises(CredentialUnavailableError, match="no browser can be opened here"):
        FACES[0].ask(alone(FACES[0]), io, "s/.default")


def test_a_malformed_timeout_is_reported_by_the_member() -> None:
    """The chain is made nevertheless."""
    with pytest.raises(ClientAuthenticationError, match="timeout must be a positive number"):
        FACES[0].ask(alone(FACES[0], timeout=-1), ScriptedIO(), "s/.default")

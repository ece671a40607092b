"""Authorities: what users write, what it means, and which endpoint a token comes from."""

from __future__ import annotations

from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity._flows.entra import configured_authority
from azure.identity._protocols.authority import (
    CLOUDS,
    Authority,
    is_adfs,
    parse_authority,
    regional_host,
    token_endpoint,
    valid_region,
)

PUBLIC = "https://login.microsoftonline.com"


@pytest.mark.parametrize(
    ("written", "url"),
    [
        pytest.param("localhost", "https://localhost", id="a host"),
        pytest.param("https://localhost", "https://localhost", id="a URL"),
        pytest.param("https://localhost/ ", "https://localhost", id="slash and blank at the end"),
        pytest.param("localhost /", "https://localhost", id="blank and slash at the end"),
        pytest.param("  login.microsoftonline.us", "https://login.microsoftonline.us", id="blanks before"),
        pytest.param("//login.microsoftonline.us", "https://login.microsoftonline.us", id="relative URL"),
        pytest.param("HTTPS://Login.MicrosoftOnline.US/", "https://login.microsoftonline.us", id="upper case"),
        pytest.param("localhost:8443", "https://localhost:8443", id="host and port"),
        pytest.param("https://localhost:443", "https://localhost", id="the default port goes without saying"),
        pytest.param("https://[::1]:8443", "https://[::1]:8443", id="IPv6"),
        pytest.param("contoso.example/Entra/", "https://contoso.example/Entra", id="a path keeps its case"),
    ],
)
def test_an_authority_is_a_host_or_an_https_url(written: str, url: str) -> None:
    """However an authority is written, it becomes one URL without a slash at the end."""
    assert url == parse_authority(written).url


@pytest.mark.parametrize("written", ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"])
def test_plain_http_is_for_this_machine(written: str) -> None:
    """A test server on this machine needs no certificate."""
    assert (written, True) == (parse_authority(written).url, parse_authority(written).loopback)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("", id="empty"),
        pytest.param(" / ", id="blank"),
        pytest.param("http://login.microsoftonline.com", id="plain http"),
        pytest.param("http://127.0.0.1.example", id="plain http to a host that only looks local"),
        pytest.param("http://localhost.example", id="plain http to a host that begins as localhost"),
        pytest.param("file://localhost", id="another scheme"),
        pytest.param("ftp://x", id="yet another scheme"),
        pytest.param("https://", id="no host"),
        pytest.param("https://host?x=1", id="a query"),
        pytest.param("https://host#x", id="a fragment"),
        pytest.param("https://host:port", id="a port that is no number"),
        pytest.param("https://host:99999", id="a port beyond all ports"),
        pytest.param("ho st", id="a blank within"),
        pytest.param("contoso.example/a b", id="a blank in the path"),
        pytest.param("contoso.example/a\nb", id="a line break in the path"),
        pytest.param("https://[::1", id="half a bracket"),
        pytest.param("https://]", id="the other half"),
        pytest.param("https://login\u2100.example", id="a letter that normalises to a slash"),
        pytest.param("löcalhost", id="letters beyond ASCII"),
    ],
)
def test_what_is_no_authority_is_refused_by_name(written: str) -> None:
    """The message names the parameter and says what was expected."""
    with pytest.raises(ValueError, match=r"^authority must be a host such as 'login\.microsoftonline\.com'"):
        parse_authority(written)


@pytest.mark.parametrize(
    "written",
    [
        "https://user:hunter2@login.microsoftonline.com",
        "user:hunter2@login.microsoftonline.com",
        "http://user:hunt@er2@login.microsoftonline.com",
        "http://a/b@user:hunter2@host",
        "https://user:hunter2\u2100@host",
    ],
)
def test_a_password_in_an_authority_is_not_repeated(written: str) -> None:
    """Who pastes a URL with a password gets an error without it."""
    with pytest.raises(ValueError, match="authority must be") as caught:
        parse_authority(written)

    assert "er2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.one_of(st.text(), st.from_regex(r"(https?://)?[a-zA-Z0-9.:@\[\]%/?#\\ -]{0,30}", fullmatch=True)))
def test_any_text_is_an_authority_or_a_value_error(written: str) -> None:
    """Nothing else is raised, and reading what was normalised changes nothing any more."""
    try:
        authority = parse_authority(written)
    except ValueError as error:
        assert str(error).startswith("authority must be")
        return

    assert authority == parse_authority(authority.url)
    assert authority.url == parse_authority(authority.url + "/").url
    assert authority.url.startswith("https://") or authority.loopback
    assert authority.url.isascii()
    assert authority.url.isprintable()


@pytest.mark.parametrize(
    ("argument", "environment", "url"),
    [
        pytest.param(None, None, PUBLIC, id="neither: the public cloud"),
        pytest.param(None, "https://login.microsoftonline.us", "https://login.microsoftonline.us", id="environment"),
        pytest.param(None, "", PUBLIC, id="an empty variable is unset"),
        pytest.param(None, "  ", PUBLIC, id="a blank variable is unset"),
        pytest.param("login.chinacloudapi.cn", "localhost", "https://login.chinacloudapi.cn", id="the argument wins"),
    ],
)
def test_the_argument_comes_before_the_environment(
    argument: Optional[str], environment: Optional[str], url: str
) -> None:
    """The keyword, else AZURE_AUTHORITY_HOST, else the public cloud."""
    environ = {} if environment is None else {"AZURE_AUTHORITY_HOST": environment}

    assert url == configured_authority(argument, environ).url


def test_a_malformed_variable_is_named() -> None:
    """Somebody who never wrote `authority=` must learn where the value came from."""
    with pytest.raises(ValueError, match="AZURE_AUTHORITY_HOST"):
        configured_authority(None, {"AZURE_AUTHORITY_HOST": "http://contoso.example"})


@pytest.mark.parametrize(
    ("host", "alias"),
    [
        ("login.microsoftonline.com", "sts.windows.net"),
        ("login.microsoftonline.com", "login.windows.net"),
        ("login.microsoftonline.com", "login.microsoft.com"),
        ("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"),
        ("login.microsoftonline.us", "login.usgovcloudapi.net"),
    ],
)
def test_aliases_stand_for_one_cloud(host: str, alias: str) -> None:
    """A token issued under one name of a cloud is good under all its names."""
    assert parse_authority(host).cloud == parse_authority(alias).cloud


def test_clouds_are_told_apart() -> None:
    """No host belongs to two clouds, and the first of a row stands for it."""
    hosts = [host for row in CLOUDS for host in row]

    assert len(hosts) == len(set(hosts))
    assert [row[0] for row in CLOUDS] == [parse_authority(row[-1]).cloud for row in CLOUDS]


@pytest.mark.parametrize(
    "other", ["login.microsoftonline.com:8443", "login.microsoftonline.com/path", "contoso.example", "localhost"]
)
def test_another_port_or_path_is_another_authority(other: str) -> None:
    """What is not exactly a cloud's host never shares tokens with the cloud."""
    assert parse_authority(other).cloud == parse_authority(other).url
    assert parse_authority(PUBLIC).cloud != parse_authority(other).cloud


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("login.microsoftonline.com", False, id="a cloud"),
        pytest.param("login.sovcloud-identity.fr", False, id="a sovereign cloud"),
        pytest.param("localhost:8443", False, id="this machine"),
        pytest.param("127.0.0.53", False, id="this machine by number"),
        pytest.param("[::1]", False, id="this machine by IPv6"),
        pytest.param("contoso.b2clogin.com", False, id="B2C"),
        pytest.param("contoso.ciamlogin.com", False, id="external identities"),
        pytest.param("contoso.example", True, id="a stranger"),
        pytest.param("login.microsoftonline.com.example", True, id="a stranger in disguise"),
        pytest.param("evilb2clogin.com", True, id="not a subdomain"),
        pytest.param("127.0.0.1.example", True, id="not a number"),
    ],
)
def test_only_strangers_need_to_be_confirmed(host: str, expected: bool) -> None:
    """A host nobody vouches for gets no secret before Microsoft has confirmed it."""
    assert expected is parse_authority(host).needs_discovery


@pytest.mark.parametrize(
    ("host", "tenant", "region", "url"),
    [
        ("login.microsoftonline.com", "tid", None, f"{PUBLIC}/tid/oauth2/v2.0/token"),
        ("localhost:8443/base", "tid", None, "https://localhost:8443/base/tid/oauth2/v2.0/token"),
        ("fs.contoso.example", "adfs", None, "https://fs.contoso.example/adfs/oauth2/token"),
        ("fs.contoso.example", "ADFS", None, "https://fs.contoso.example/adfs/oauth2/token"),
        ("login.windows.net", "t", "westus2", "https://westus2.login.microsoft.com/t/oauth2/v2.0/token"),
        ("login.microsoftonline.us", "t", "usgov1", "https://usgov1.login.microsoftonline.us/t/oauth2/v2.0/token"),
    ],
    ids=["public cloud", "port and path", "AD FS", "AD FS in upper case", "public region", "government region"],
)
def test_token_endpoints_are_composed(host: str, tenant: str, region: Optional[str], url: str) -> None:
    """The endpoint follows from authority, tenant and region; nobody has to be asked for it."""
    assert url == token_endpoint(parse_authority(host), tenant, region)


@pytest.mark.parametrize("name", ["WestUS2", "evil.com/x", "a.b", "-west", "west-", "", "w" * 64, "westus2\n", "2west"])
def test_what_is_no_region_never_becomes_part_of_a_host(name: str) -> None:
    """A region comes from the environment or from a host's answer: it is checked before it is used."""
    assert not valid_region(name)
    with pytest.raises(ValueError, match="region"):
        regional_host("login.microsoftonline.com", name)


@given(st.text())
def test_a_region_is_one_label_of_a_host(name: str) -> None:
    """Whatever the text, an accepted region adds exactly one label."""
    if valid_region(name):
        host = regional_host("login.microsoftonline.us", name)
        assert Authority(f"https://{host}", host) == parse_authority(host)
        assert host.count(".") == "x.login.microsoftonline.us".count(".")


def test_adfs_is_a_segment_not_a_prefix() -> None:
    """Only the whole word names an AD FS server."""
    assert [is_adfs(name) for name in ("adfs", "AdFs", "adfs.contoso.example")] == [True, True, False]

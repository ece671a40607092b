"""The token file of a workload, and the identity binding of its cluster: how they read, before anything is sent."""

from __future__ import annotations

import base64
import json
from typing import Any, Optional

import pytest
from certificates import identity
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from leak_watch import planted

from azure.identity._protocols.identity_binding import (
    IdentityBinding,
    certificates,
    configured_binding,
    through_proxy,
)
from azure.identity._protocols.workload_identity import FederatedToken, NotAToken, parse_federated_token, read_assertion

PROXY, NAME = "AZURE_KUBERNETES_TOKEN_PROXY", "AZURE_KUBERNETES_SNI_NAME"
CA_FILE, CA_DATA = "AZURE_KUBERNETES_CA_FILE", "AZURE_KUBERNETES_CA_DATA"


def jwt(claims: Any) -> str:
    parts = (json.dumps({"alg": "RS256"}).encode(), json.dumps(claims).encode())
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), planted("signature")])


TOKEN = jwt({"iss": "https://issuer.test/", "sub": "system:serviceaccount:a:b", "aud": "api://x", "exp": 1700000000})

# --- the token file


@pytest.mark.parametrize(
    "content",
    [TOKEN, f"{TOKEN}\n", f"  {TOKEN}\r\n\t", f"\ufeff{TOKEN}"],
    ids=["bare", "newline", "blanks", "byte order mark"],
)
def test_blanks_around_the_token_are_none_of_it(content: str) -> None:
    """Many tools end a file with a newline, which an assertion must not have."""
    token = parse_federated_token(content.encode("utf-8"))

    assert token == FederatedToken(TOKEN, "https://issuer.test/", "system:serviceaccount:a:b", "api://x", 1700000000)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \r\n\t", "is empty"),
        (b"\xff\xfe\x00", "is not text"),
        (b"secret", "does not hold a token (a JWT)"),
        (b"a.b", "does not hold a token (a JWT)"),
        (b"a.b.c", "does not hold a token (a JWT)"),
        (b"a.b.c.d.e", "does not hold a token (a JWT)"),
        (f"{TOKEN} {TOKEN}".encode(), "does not hold a token (a JWT)"),
        (f"{TOKEN}\n{TOKEN}".encode(), "does not hold a token (a JWT)"),
        (jwt([1]).encode(), "does not hold a token (a JWT)"),
        ("é".encode() + TOKEN.encode(), "does not hold a token (a JWT)"),
    ],
)
def test_a_file_without_a_token_is_told_apart(content: bytes, problem: str) -> None:
    with pytest.raises(NotAToken) as caught:
        parse_federated_token(content)

    assert str(caught.value) == problem


@given(st.binary(max_size=200))
def test_any_file_is_a_token_or_none(content: bytes) -> None:
    """Whatever it holds, nothing else is raised."""
    try:
        assert parse_federated_token(content).text.isascii()
    except NotAToken:
        pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), st.lists, max_leaves=4
)


@given(st.dictionaries(st.sampled_from(["iss", "sub", "aud", "exp"]), JSON))
def test_claims_of_any_kind_are_read(claims: dict[str, Any]) -> None:
    """A provider may put what it likes into a token; messages must survive it."""
    token = read_assertion(jwt(claims))

    if token is not None:
        assert token.described()
        assert token.described_lifetime(1)
        assert isinstance(token.expired(1), bool)


def test_several_audiences_are_all_named() -> None:
    token = read_assertion(jwt({"aud": ["a", "b"]}))

    assert token is not None
    assert token.described() == "issuer '', subject '', audience 'a, b'"


@pytest.mark.parametrize(
    ("expires_on", "now", "expired", "described"),
    [
        (1700000000, 1699999999, False, "is valid until 2023-11-14 22:13:20Z"),
        (1700000000, 1700000000, True, "expired at 2023-11-14 22:13:20Z, 0 seconds ago"),
        (1700000000, 1700000090, True, "expired at 2023-11-14 22:13:20Z, 90 seconds ago"),
        (None, 1700000000, False, "does not say when it expires"),
        (10**11 * 9, 1700000000, False, "names an impossible time of expiry"),
    ],
)
def test_a_token_tells_how_long_it_is_good(expires_on: Optional[int], now: int, expired: bool, described: str) -> None:
    """From its first second on it is expired (RFC 7519, section 4.1.4)."""
    token = FederatedToken(TOKEN, expires_on=expires_on)

    assert (token.expired(now), token.described_lifetime(now)) == (expired, described)


def test_a_token_does_not_show_itself() -> None:
    assert planted("signature") not in repr(parse_federated_token(TOKEN.encode()))
    assert "system:serviceaccount:a:b" in repr(parse_federated_token(TOKEN.encode()))


# --- the binding's variables


def pem() -> str:
    return identity("ec").authority.public_bytes(Encoding.PEM).decode("ascii")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({PROXY: " ", NAME: "", CA_FILE: " ", CA_DATA: ""}, None),
        ({PROXY: "https://p.test"}, IdentityBinding("https://p.test")),
        ({PROXY: "https://p.test/"}, IdentityBinding("https://p.test")),
        ({PROXY: " https://P.test:8443/a/b/ "}, IdentityBinding("https://p.test:8443/a/b")),
        ({PROXY: "HTTPS://[FD00::1]:443/x"}, IdentityBinding("https://[fd00::1]:443/x")),
        ({PROXY: "https://p.test", NAME: "n.ests.aks"}, IdentityBinding("https://p.test", "n.ests.aks")),
        ({PROXY: "https://p.test", CA_FILE: "/ca"}, IdentityBinding("https://p.test", None, "/ca")),
    ],
)
def test_the_variables_describe_a_binding(environ: dict[str, str], expected: Optional[IdentityBinding]) -> None:
    """Blank variables count as unset."""
    assert configured_binding(environ) == expected


def test_authorities_in_a_variable_are_read_at_once() -> None:
    binding = configured_binding({PROXY: "https://p.test", CA_DATA: pem()})

    assert binding == IdentityBinding("https://p.test", None, None, certificates(pem()))


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({NAME: "n"}, f"{PROXY} is not set, but {NAME}, {CA_FILE} or {CA_DATA} is"),
        ({CA_FILE: "/ca"}, f"{PROXY} is not set"),
        ({CA_DATA: "x"}, f"{PROXY} is not set"),
        ({PROXY: " ", NAME: "n"}, f"{PROXY} is not set"),
        ({PROXY: "https://p", CA_FILE: "/ca", CA_DATA: "x"}, f"{CA_FILE} and {CA_DATA} are both set"),
        ({PROXY: "https://p", CA_DATA: "x"}, f"{CA_DATA} contains no certificate (PEM)."),
        ({PROXY: "http://p"}, "it does not begin with https://"),
        ({PROXY: "p.test"}, "it does not begin with https://"),
        ({PROXY: "https://u:PLANTED-SECRET-p@h"}, "it contains user information"),
        ({PROXY: "https://PLANTED-SECRET-u@h"}, "it contains user information"),
        ({PROXY: "https://@h"}, "it contains user information"),
        ({PROXY: "https://h/?PLANTED-SECRET-q"}, "it contains a query"),
        ({PROXY: "https://h/#PLANTED-SECRET-f"}, "it contains a fragment"),
        ({PROXY: "https:///x"}, "it has no host"),
        ({PROXY: "https://"}, "it has no host"),
        ({PROXY: "https://a b/"}, "it has no host, or one with characters that no host has"),
        ({PROXY: "https://h:port/"}, f"{PROXY} must be an https URL such as 'https://proxy.example/path', but"),
        ({PROXY: "https://[::1/"}, f"{PROXY} must be an https URL such as 'https://proxy.example/path', but"),
    ],
)
def test_contradicting_or_malformed_variables_are_refused(environ: dict[str, str], problem: str) -> None:
    """The message names them; values, which may hold a password, are not shown."""
    with pytest.raises(ValueError) as caught:
        configured_binding(environ)

    assert problem in str(caught.value)
    assert "PLANTED" not in str(caught.value)


@given(st.text(max_size=30))
def test_any_proxy_is_a_url_or_an_error(value: str) -> None:
    try:
        binding = configured_binding({PROXY: f"https://{value}"})
    except ValueError:
        return
    assert binding is not None
    assert binding.proxy.startswith("https://")
    assert through_proxy(f"{binding.proxy}/a", binding.proxy) == f"{binding.proxy}/a"


# --- the proxy's URLs


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://login.example/tenant/token?q=1", "https://proxy.example/binding/tenant/token?q=1"),
        ("https://proxy.example/binding/tenant/token?q=1", "https://proxy.example/binding/tenant/token?q=1"),
        ("https://PROXY.example:443/binding/tenant/token", "https://PROXY.example:443/binding/tenant/token"),
        ("https://proxy.example/binding", "https://proxy.example/binding"),
        ("https://proxy.example/binding-other/token", "https://proxy.example/binding/binding-other/token"),
        ("https://proxy.example:444/binding/token", "https://proxy.example/binding/binding/token"),
        ("http://proxy.example/binding/token", "https://proxy.example/binding/binding/token"),
    ],
)
@pytest.mark.parametrize("proxy", ["https://proxy.example/binding/", "https://proxy.example/binding"])
def test_a_path_goes_below_the_proxys(url: str, expected: str, proxy: str) -> None:
    """Once: what is below it already, as on a retry, stays as it is."""
    assert through_proxy(url, proxy) == expected


def test_a_proxy_without_path_takes_the_path_as_it_is() -> None:
    assert through_proxy("https://login.example/t/oauth2/v2.0/token", "https://p:8443") == (
        "https://p:8443/t/oauth2/v2.0/token"
    )


SEGMENTS = st.lists(st.text("abc-.~%20", min_size=1, max_size=5), max_size=4).map("/".join)


@given(
    st.sampled_from(["https://a.test/", "http://a.test/", "https://p.test/", "https://p.test:444/"]), SEGMENTS, SEGMENTS
)
def test_rewriting_twice_changes_nothing(origin: str, path: str, base: str) -> None:
    proxy = f"https://p.test/{base}".rstrip("/")
    once = through_proxy(origin + path, proxy)

    assert once.startswith(proxy)
    assert through_proxy(once, proxy) == once


# --- authorities


def test_only_the_certificates_of_a_text_count() -> None:
    """Comments, line ends and the width of lines do not: a bundle that means the same compares equal."""
    one, other = pem(), identity("ec").leaf.public_bytes(Encoding.PEM).decode("ascii")
    expected = certificates(one + other)

    assert certificates(f"# Zoë's authority\n{one}\nnoise {other} more noise") == expected
    assert certificates((one + other).replace("\n", "\r\n")) == expected
    assert certificates(certificates(one + other)) == expected
    assert expected.count("-----BEGIN CERTIFICATE-----") == 2
    assert expected.isascii()


@pytest.mark.parametrize(
    "text", ["", " \n", "no certificate", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
)
def test_a_text_without_certificate_is_told_apart(text: str) -> None:
    with pytest.raises(ValueError, match=r"^contains no certificate"):
        certificates(text)


@given(st.data())
def test_a_file_that_is_being_written_is_noticed(data: st.DataObject) -> None:
    """Cut anywhere within a certificate, it is incomplete; between two, it has fewer."""
    one, other = pem(), identity("ec").leaf.public_bytes(Encoding.PEM).decode("ascii")
    text = one + other
    end = data.draw(st.integers(0, len(text) - 2))
    cut = text[:end]
    try:
        found = certificates(cut)
    except ValueError as error:
        assert str(error) in ("contains an incomplete certificate", "contains no certificate (PEM)")
    else:
        assert found == certificates(one)
        assert len(one) - 1 <= end < len(one) + len("-----BEGIN CERTIFICATE-----")


@given(
    st.text("-BEGINCRTFADabc+/= \n", max_size=120)
    | st.binary(max_size=60).map(
        lambda body: f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(body).decode()}\n-----END CERTIFICATE-----"
    )
)
def test_any_text_holds_certificates_or_none(text: str) -> None:
    try:
        found = certificates(text)
    except ValueError:
        return
    assert certificates(found) == found

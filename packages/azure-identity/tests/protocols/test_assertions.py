"""Certificates, and the assertions signed with them."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Optional, Union

import certificates
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from azure.identity._protocols.assertions import LIFETIME, REUSE, load_certificate, sign_assertion

NOW = 1_800_000_000
AUDIENCE = "https://login.microsoftonline.com/tid/oauth2/v2.0/token"


def der(certificate: Any) -> bytes:
    encoded: bytes = certificate.public_bytes(Encoding.DER)
    return encoded


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed(*, send_chain: bool = False, adfs: bool = False, data: Optional[bytes] = None) -> tuple[Any, Any, str]:
    """Header, payload and whole of an assertion."""
    assertion = sign_assertion(
        load_certificate(data or certificates.usable_pem()),
        client_id="c",
        audience=AUDIENCE,
        now=NOW,
        token_id="jti",
        send_chain=send_chain,
        adfs=adfs,
    )
    header, payload = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in assertion.split(".")[:2])
    return header, payload, assertion


def test_an_assertion_for_entra_is_ps256_with_the_sha256_thumbprint() -> None:
    """ "Microsoft identity platform application authentication certificate credentials"."""
    header, payload, assertion = signed()

    assert header == {
        "alg": "PS256",
        "typ": "JWT",
        "x5t#S256": unpadded(hashlib.sha256(der(certificates.identity().leaf)).digest()),
    }
    assert payload == {
        "aud": AUDIENCE,
        "iss": "c",
        "sub": "c",
        "jti": "jti",
        "nbf": NOW,
        "iat": NOW,
        "exp": NOW + 600,
    }
    content, _, signature = assertion.rpartition(".")
    certificates.identity().key.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="),
        content.encode(),
        padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32),
        hashes.SHA256(),
    )


def test_an_assertion_for_adfs_is_rs256_with_the_sha1_thumbprint() -> None:
    """AD FS knows no other."""
    header, _, assertion = signed(adfs=True)

    assert header == {
        "alg": "RS256",
        "typ": "JWT",
        "x5t": unpadded(hashlib.sha1(der(certificates.identity().leaf)).digest()),
    }
    content, _, signature = assertion.rpartition(".")
    certificates.identity().key.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="), content.encode(), padding.PKCS1v15(), hashes.SHA256()
    )


def test_the_three_segments_have_no_padding() -> None:
    """RFC 7515, section 2: base64url without `=`."""
    _, _, assertion = signed(send_chain=True)

    assert assertion.count(".") == 2
    assert "=" not in assertion


@pytest.mark.parametrize("order", ["key leaf authority", "authority leaf key", "leaf authority key"])
def test_the_chain_begins_with_the_certificate_of_the_key(order: str) -> None:
    """Files list certificates in any order; header and thumbprint need the leaf."""
    blocks = {
        "key": certificates.key_pem(),
        "leaf": certificates.leaf_pem(),
        "authority": certificates.authority_pem(),
    }
    made = certificates.identity()

    header, _, _ = signed(send_chain=True, data=b"\n".join(blocks[name] for name in order.split()))

    assert header["x5c"] == [base64.b64encode(der(item)).decode() for item in (made.leaf, made.authority)]
    assert header["x5t#S256"] == unpadded(hashlib.sha256(der(made.leaf)).digest())


def test_the_chain_is_sent_only_on_request() -> None:
    """It makes the request a third longer."""
    header, _, _ = signed(data=certificates.usable_pem() + certificates.authority_pem())

    assert "x5c" not in header


def test_an_assertion_is_not_used_to_its_end() -> None:
    """Two minutes stay for the way and for clocks that differ."""
    assert LIFETIME - REUSE == 120


@pytest.mark.parametrize(
    ("data", "password"),
    [
        pytest.param(certificates.usable_pem(), None, id="PEM"),
        pytest.param(certificates.usable_pem(), "", id="an empty password is none"),
        pytest.param(certificates.usable_pem(), "needless", id="a password nobody needs"),
        pytest.param(certificates.key_pem(traditional=True) + certificates.leaf_pem(), None, id="PKCS#1"),
        pytest.param(b"Bag Attributes\n  x\n" + certificates.usable_pem(), None, id="text before"),
        pytest.param(certificates.key_pem(password="pä".encode()) + certificates.leaf_pem(), "pä", id="encrypted PEM"),
        pytest.param(
            certificates.leaf_pem() + certificates.key_pem(password="pä".encode()),
            "pä".encode(),
            id="password as bytes",
        ),
        pytest.param(
            certificates.key_pem(password=b"p", traditional=True) + certificates.leaf_pem(), "p", id="encrypted PKCS#1"
        ),
        pytest.param(certificates.pkcs12_data(), None, id="PKCS#12"),
        pytest.param(certificates.pkcs12_data(b"p"), "p", id="encrypted PKCS#12"),
    ],
)
def test_what_can_be_loaded(data: bytes, password: Union[str, bytes, None]) -> None:
    """PEM in any order and PKCS#12, encrypted or not, give the same certificate."""
    found = load_certificate(data, password)

    leaf = der(certificates.identity().leaf)
    assert found.sha256 == unpadded(hashlib.sha256(leaf).digest())
    assert found.chain[0] == base64.b64encode(leaf).decode()


@pytest.mark.parametrize(
    ("data", "password", "text"),
    [
        pytest.param(b"", None, "neither PEM nor PKCS#12", id="nothing"),
        pytest.param(b"garbage", None, "neither PEM nor PKCS#12", id="garbage"),
        pytest.param(certificates.leaf_pem(), None, "contains no private key", id="no key"),
        pytest.param(certificates.key_pem(), None, "contains no certificate", id="no certificate"),
        pytest.param(certificates.key_pem() + certificates.authority_pem(), None, "belongs to", id="another's key"),
        pytest.param(
            certificates.key_pem(password=b"p") + certificates.leaf_pem(),
            None,
            "is encrypted: give its password",
            id="encrypted, no password",
        ),
        pytest.param(
            certificates.key_pem(password=b"p") + certificates.leaf_pem(),
            "SECRET",
            "the password is wrong",
            id="encrypted, wrong password",
        ),
        pytest.param(
            certificates.leaf_pem() + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            None,
            "cannot be read",
            id="a damaged key",
        ),
        pytest.param(
            certificates.leaf_pem() + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "SECRET",
            "the password is wrong, or the key is damaged",
            id="a damaged key and a password",
        ),
        pytest.param(
            b"PRIVATE KEY-----\n" + certificates.leaf_pem(),
            None,
            "contains no private key",
            id="the end of a key that never began",
        ),
        pytest.param(certificates.pkcs12_data(b"p"), None, "needs a password", id="PKCS#12, no password"),
        pytest.param(certificates.pkcs12_data(b"p"), "SECRET", "the password is wrong", id="PKCS#12, wrong password"),
        pytest.param(
            certificates.pkcs12_data(key=False, leaf=False), None, "contains no private key", id="PKCS#12, no key"
        ),
        pytest.param(
            certificates.pkcs12_data(leaf=False, others=False), None, "contains no certificate", id="PKCS#12, key only"
        ),
        pytest.param(
            certificates.key_pem("ec") + certificates.leaf_pem("ec"),
            None,
            "must be an RSA key.*RS256",
            id="elliptic curve",
        ),
        pytest.param(
            certificates.key_pem("ed25519") + certificates.leaf_pem("ed25519"), None, "must be an RSA key", id="Ed25519"
        ),
    ],
)
def test_what_cannot_be_loaded_is_said_plainly(data: bytes, password: Optional[str], text: str) -> None:
    """The message says what is missing or wrong, and never shows the password."""
    with pytest.raises(ValueError, match=text) as caught:
        load_certificate(data, password)

    assert "SECRET" not in str(caught.value)


def mutated(data: bytes) -> st.SearchStrategy[bytes]:
    """Data with one stretch replaced."""
    return st.tuples(st.integers(0, len(data)), st.integers(0, 40), st.binary(max_size=40)).map(
        lambda cut: data[: cut[0]] + cut[2] + data[cut[0] + cut[1] :]
    )


@pytest.mark.filterwarnings("ignore::UserWarning")  # cryptography warns of what is unusual in a damaged file
@given(
    st.binary()
    | mutated(certificates.leaf_pem() + certificates.authority_pem() + certificates.key_pem())
    | mutated(certificates.pkcs12_data())
    | mutated(certificates.key_pem(password=b"p") + certificates.leaf_pem()),
    st.sampled_from([None, "p"]),
)
@example(b"-----BEGIN", None)
@example(b"-----BEGIN CERTIFICATE-----", "p")
def test_any_data_is_a_certificate_or_a_value_error(data: bytes, password: Optional[str]) -> None:
    """Damaged files raise nothing else."""
    try:
        found = load_certificate(data, password)
    except ValueError as error:
        assert str(error)
        return

    assert found.chain


def test_a_curve_nobody_knows_is_a_value_error() -> None:
    """The library that reads keys raises an exception of its own for algorithms it does not support."""
    unknown = certificates.key_pem("ec").replace(b"\n", b"")
    body = base64.b64decode(unknown.split(b"-----")[2])
    # prime256v1 (1.2.840.10045.3.1.7) becomes an arc that is not assigned.
    body = body.replace(bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d03017f"))
    damaged = b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(body) + b"\n-----END PRIVATE KEY-----\n"

    with pytest.raises(ValueError, match="cannot be read"):
        load_certificate(damaged + certificates.leaf_pem())


def test_an_unreadable_key_in_the_chain_does_not_matter() -> None:
    """Only the certificate of the private key must be one we understand; others are sent along as they are."""
    authority = der(certificates.identity().authority).replace(
        bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d03017f")
    )
    block = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(authority) + b"-----END CERTIFICATE-----\n"

    found = load_certificate(block + certificates.usable_pem())

    assert found.chain == (
        base64.b64encode(der(certificates.identity().leaf)).decode(),
        base64.b64encode(authority).decode(),
    )


def test_the_same_content_is_parsed_once() -> None:
    """A web API that makes a credential per request pays once; another password is another content."""
    data = certificates.usable_pem()

    assert load_certificate(data) is load_certificate(bytes(bytearray(data)))
    assert load_certificate(data) is not load_certificate(data, "other")


def test_a_certificate_shows_no_key() -> None:
    """A repr ends up in logs."""
    assert repr(load_certificate(certificates.usable_pem())).startswith("Certificate(sha256='")
    assert "key" not in repr(load_certificate(certificates.usable_pem()))

"""A service principal with a certificate."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import certificates
import pytest
from scripted import NOW, ScriptedIO, ask, refusal, token

from azure.identity import CertificateCredential


def credential(**options: Any) -> CertificateCredential:
    return CertificateCredential("tid", "cid", certificate_data=certificates.usable_pem(), **options)


def parts(assertion: str) -> tuple[Any, Any]:
    header, payload, _ = assertion.split(".")
    return tuple(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, payload))


def test_the_grant_carries_a_signed_assertion_for_the_endpoint_it_goes_to() -> None:
    """One request."""
    io = ScriptedIO(token())

    ask(credential(), io, "s/.default")

    form = io.forms[0]
    header, payload = parts(form.pop("client_assertion"))
    assert form == {
        "grant_type": "client_credentials",
        "client_id": "cid",
        "scope": "s/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    assert (header["alg"], sorted(header)) == ("PS256", ["alg", "typ", "x5t#S256"])
    assert payload["aud"] == io.requests[0].url == "https://login.microsoftonline.com/tid/oauth2/v2.0/token"
    assert (payload["iss"], payload["sub"]) == ("cid", "cid")
    assert (payload["nbf"], payload["exp"]) == (NOW, NOW + 600)
    io.finished()


def test_an_assertion_is_used_for_eight_minutes() -> None:
    """Signing costs more than the rest of a request on this side."""
    io, cred = ScriptedIO(*[token()] * 3), credential()

    ask(cred, io, "s1")
    io.advance(479)
    ask(cred, io, "s2")
    io.advance(1)
    ask(cred, io, "s3")

    first, second, third = (form["client_assertion"] for form in io.forms)
    assert first == second
    assert parts(third)[1]["nbf"] == NOW + 480
    assert parts(third)[1]["jti"] != parts(first)[1]["jti"]


def test_an_assertion_from_the_future_is_not_used() -> None:
    """After the clock was set back, the authority would refuse it."""
    io, cred = ScriptedIO(*[token()] * 2), credential()

    ask(cred, io, "s1")
    io.advance(-3600)
    ask(cred, io, "s2")

    assert parts(io.forms[1]["client_assertion"])[1]["nbf"] == NOW - 3600


def test_another_tenant_gets_an_assertion_of_its_own() -> None:
    """The audience is the endpoint of the tenant that is asked, not of the configured one."""
    io, cred = ScriptedIO(*[token()] * 3), credential(additionally_allowed_tenants=["*"])

    for tenant in (None, "other", None):
        ask(cred, io, f"s{tenant}{len(io.forms)}", tenant=tenant)

    audiences = [parts(form["client_assertion"])[1]["aud"] for form in io.forms]
    assert audiences == [request.url for request in io.requests]
    assert "/other/" in audiences[1]
    assert io.forms[0]["client_assertion"] == io.forms[2]["client_assertion"]


def test_the_repetition_of_a_request_uses_the_same_assertion() -> None:
    """It is still valid, and the service has not accepted it yet."""
    io = ScriptedIO(refusal("temporarily_unavailable"), token())

    ask(credential(), io)

    assert io.forms[0] == io.forms[1]


def test_the_chain_is_sent_on_request() -> None:
    """Subject name / issuer authentication needs it."""
    io = ScriptedIO(token())
    data = certificates.authority_pem() + certificates.usable_pem()

    ask(CertificateCredential("tid", "cid", certificate_data=data, send_certificate_chain=True), io)

    assert len(parts(io.forms[0]["client_assertion"])[0]["x5c"]) == 2


def test_adfs_gets_what_it_understands() -> None:
    """RS256, a SHA-1 thumbprint, and its own endpoint as audience."""
    io = ScriptedIO(token())

    ask(
        CertificateCredential(
            "adfs", "cid", certificate_data=certificates.usable_pem(), authority="fs.contoso.example"
        ),
        io,
    )

    header, payload = parts(io.forms[0]["client_assertion"])
    assert (header["alg"], sorted(header)) == ("RS256", ["alg", "typ", "x5t"])
    assert payload["aud"] == "https://fs.contoso.example/adfs/oauth2/token"


def test_a_regional_request_carries_an_assertion_for_the_central_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regional endpoints accept no other audience."""
    monkeypatch.setenv("AZURE_REGIONAL_AUTHORITY_NAME", "westus2")
    io = ScriptedIO(token())

    ask(credential(), io)

    assert io.requests[0].url == "https://westus2.login.microsoft.com/tid/oauth2/v2.0/token"
    assert parts(io.forms[0]["client_assertion"])[1]["aud"] == (
        "https://login.microsoftonline.com/tid/oauth2/v2.0/token"
    )


@pytest.mark.parametrize("password", [None, "pass"], ids=["plain", "encrypted"])
@pytest.mark.parametrize("kind", ["pem", "pfx"])
def test_a_certificate_comes_from_a_file(tmp_path: Path, kind: str, password: Any) -> None:
    """PEM or PKCS#12, with or without password; read once, by the constructor."""
    secret = password.encode() if password else None
    file = tmp_path / f"certificate.{kind}"
    file.write_bytes(
        certificates.key_pem(password=secret) + certificates.leaf_pem()
        if kind == "pem"
        else certificates.pkcs12_data(secret)
    )
    cred = CertificateCredential("tid", "cid", str(file), password=password)
    file.unlink()
    io = ScriptedIO(token("T"))

    assert ask(cred, io).token == "T"


@pytest.mark.parametrize(
    "given",
    [{}, {"certificate_path": ""}, {"certificate_path": "x", "certificate_data": b"x"}],
    ids=["neither", "empty", "both"],
)
def test_a_certificate_comes_from_one_place(given: dict[str, Any]) -> None:
    """A path or data."""
    with pytest.raises(
        ValueError, match=r"^CertificateCredential requires either certificate_path or certificate_data, and not both"
    ):
        CertificateCredential("tid", "cid", **given)


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    """The class stays; the text says whose file it is."""
    with pytest.raises(FileNotFoundError, match="CertificateCredential: the certificate cannot be read") as caught:
        CertificateCredential("tid", "cid", str(tmp_path / "no.pem"))

    assert caught.value.filename == str(tmp_path / "no.pem")


def test_an_unusable_file_is_named(tmp_path: Path) -> None:
    """With the reason and a help link, by the constructor."""
    file = tmp_path / "ec.pem"
    file.write_bytes(certificates.key_pem("ec") + certificates.leaf_pem("ec"))

    with pytest.raises(ValueError, match="must be an RSA key") as caught:
        CertificateCredential("tid", "cid", str(file))

    assert repr(str(file)) in str(caught.value)
    assert "Help: docs/troubleshooting.md#certificate-file" in str(caught.value)


def test_text_is_no_certificate_data() -> None:
    """A path given as data, say."""
    with pytest.raises(TypeError, match="certificate_data must be bytes, but it is str"):
        CertificateCredential("tid", "cid", certificate_data="path.pem")  # type: ignore[arg-type]

"""A service principal that environment variables describe."""

from __future__ import annotations

import itertools
import logging
import os
from pathlib import Path
from typing import Any, Optional

import certificates
import pytest
from azure.core.exceptions import ClientAuthenticationError
from faces import FACES, Face
from leak_watch import planted
from people import ADA
from scripted import ScriptedIO, ask, refusal, token

from azure.identity import CertificateCredential, ClientSecretCredential, CredentialUnavailableError
from azure.identity import EnvironmentCredential as Environment

NAMES = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH")


@pytest.fixture
def pem(tmp_path: Path) -> str:
    """The path of a certificate."""
    file = tmp_path / "certificate.pem"
    file.write_bytes(certificates.usable_pem())
    return str(file)


def set_all(monkeypatch: pytest.MonkeyPatch, pem: str, *names: str, **others: str) -> None:
    values = dict(zip(NAMES, ("tid", "cid", "s3cret", pem)))
    for name in names:
        monkeypatch.setenv(name, values[name])
    for name, value in others.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "names",
    [names for size in range(5) for names in itertools.combinations(NAMES, size)],
    ids=lambda names: " ".join(names),
)
def test_every_combination_of_variables(monkeypatch: pytest.MonkeyPatch, pem: str, names: tuple[str, ...]) -> None:
    """Tenant and client with a secret, else with a certificate, else nothing that could try."""
    set_all(monkeypatch, pem, *names)
    complete = {"AZURE_TENANT_ID", "AZURE_CLIENT_ID"} <= set(names)
    io = ScriptedIO()

    if complete and "AZURE_CLIENT_SECRET" in names:
        io.will(token("T1"))
        assert ask(Environment(), io).token == "T1"
        assert io.forms[0]["client_secret"] == "s3cret"
    elif complete and "AZURE_CLIENT_CERTIFICATE_PATH" in names:
        io.will(token("T1"))
        assert ask(Environment(), io).token == "T1"
        assert "client_assertion" in io.forms[0]
    else:
        with pytest.raises(CredentialUnavailableError) as caught:
            ask(Environment(), io)
        for name in names:
            assert name in str(caught.value).partition("Missing:")[0]
    io.finished()


def test_the_whole_message_of_an_incomplete_environment(monkeypatch: pytest.MonkeyPatch, pem: str) -> None:
    """What is set, what is missing, in a fixed order."""
    set_all(monkeypatch, pem, "AZURE_TENANT_ID")

    with pytest.raises(CredentialUnavailableError) as caught:
        ask(Environment(), ScriptedIO())

    assert str(caught.value) == (
        "EnvironmentCredential authentication unavailable. Environment variables are not fully configured. "
        "Set: AZURE_TENANT_ID. Missing: AZURE_CLIENT_ID, AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH. "
        "Help: docs/troubleshooting.md#environment"
    )


@pytest.mark.parametrize("blank", ["", "  "])
@pytest.mark.parametrize("name", NAMES[:3])
def test_a_blank_variable_is_unset(monkeypatch: pytest.MonkeyPatch, pem: str, name: str, blank: str) -> None:
    """Templates leave such lines behind. A blank secret leaves the certificate."""
    set_all(monkeypatch, pem, *NAMES, **{name: blank})

    if name == "AZURE_CLIENT_SECRET":
        assert isinstance(Environment()._credential, CertificateCredential)
    else:
        with pytest.raises(CredentialUnavailableError, match=f"Missing: {name}"):
            ask(Environment(), ScriptedIO())


def test_blanks_around_a_secret_belong_to_it(monkeypatch: pytest.MonkeyPatch, pem: str) -> None:
    """Around ids they do not."""
    set_all(monkeypatch, pem, AZURE_TENANT_ID=" tid ", AZURE_CLIENT_ID=" cid ", AZURE_CLIENT_SECRET=" s ")
    io = ScriptedIO(token())

    ask(Environment(), io)

    assert "/tid/" in io.requests[0].url
    assert (io.forms[0]["client_id"], io.forms[0]["client_secret"]) == ("cid", " s ")


PASSWORD = {"AZURE_USERNAME": "ada@contoso.com", "AZURE_PASSWORD": planted(" password ")}


@pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.name))
@pytest.mark.parametrize("tenant", ["tid", None])
def test_a_user_name_and_password_are_the_last_choice(
    monkeypatch: pytest.MonkeyPatch, pem: str, face: Face, tenant: Optional[str]
) -> None:
    """With the client; the tenant may be any organization's. One warning says that it is deprecated, and where."""
    set_all(monkeypatch, pem, "AZURE_CLIENT_ID", *(["AZURE_TENANT_ID"] if tenant else []), **PASSWORD)
    io = ScriptedIO(ADA.token("T1"))

    with pytest.warns(DeprecationWarning) as caught:
        made = face.package.EnvironmentCredential()

    assert [(warning.filename, str(warning.message)) for warning in caught] == [
        (
            __file__,
            "The environment is configured for a user name and password (AZURE_USERNAME, AZURE_PASSWORD). That is "
            "deprecated, because it does not work with multifactor authentication (MFA). See "
            "https://aka.ms/azsdk/identity/mfa",
        )
    ]
    assert face.ask(made, io, "s/.default").token == "T1"
    assert f"/{tenant or 'organizations'}/" in io.requests[0].url
    sent = io.forms[0]
    assert (sent["grant_type"], sent["client_id"], sent["username"]) == ("password", "cid", "ada@contoso.com")
    assert sent["password"] == PASSWORD["AZURE_PASSWORD"]


@pytest.mark.parametrize("name", ["AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH"])
def test_a_service_principal_wins_over_a_user_name_and_password(
    monkeypatch: pytest.MonkeyPatch, pem: str, name: str
) -> None:
    """Without a warning."""
    set_all(monkeypatch, pem, *NAMES[:2], name, **PASSWORD)

    assert type(Environment()._credential) in (ClientSecretCredential, CertificateCredential)


@pytest.mark.parametrize("face", FACES, ids=lambda face: str(face.name))
def test_the_default_chain_warns_where_it_is_made(monkeypatch: pytest.MonkeyPatch, pem: str, face: Face) -> None:
    """A warning that pointed into the library would be shown to nobody."""
    set_all(monkeypatch, pem, "AZURE_CLIENT_ID", **PASSWORD)

    with pytest.warns(DeprecationWarning, match="user name and password") as caught:
        face.package.DefaultAzureCredential()

    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    ("names", "others", "text"),
    [
        (("AZURE_CLIENT_ID",), {"AZURE_PASSWORD": planted("p")}, "Missing: AZURE_USERNAME."),
        (NAMES[:2], {"AZURE_PASSWORD": planted("p")}, "Missing: AZURE_USERNAME."),
        ((), PASSWORD, "Set: AZURE_USERNAME, AZURE_PASSWORD. Missing: AZURE_CLIENT_ID."),
        (("AZURE_CLIENT_ID",), {**PASSWORD, "AZURE_PASSWORD": " "}, "Set: AZURE_CLIENT_ID. Missing: AZURE_TENANT_ID, "),
        (("AZURE_CLIENT_SECRET",), {"AZURE_PASSWORD": planted("p")}, "Missing: AZURE_TENANT_ID, AZURE_CLIENT_ID."),
    ],
    ids=["no user name", "a tenant, no user name", "no client", "a blank password", "an attempt at a secret"],
)
def test_what_is_missing_for_a_password(
    monkeypatch: pytest.MonkeyPatch, pem: str, names: tuple[str, ...], others: dict[str, str], text: str
) -> None:
    """A user name alone is no attempt: it may choose an account of the shared token cache."""
    set_all(monkeypatch, pem, *names, **others)

    with pytest.raises(CredentialUnavailableError) as caught:
        ask(Environment(), ScriptedIO())
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("true", True),
        ("1", True),
        ("Yes", True),
        ("false", False),
        ("False", False),
        ("0", False),
        ("", False),
        (None, False),
    ],
)
def test_whether_the_certificate_chain_is_sent(
    monkeypatch: pytest.MonkeyPatch, pem: str, value: Any, sent: bool
) -> None:
    """`false` means false."""
    set_all(monkeypatch, pem, *NAMES[:2], NAMES[3])
    if value is not None:
        monkeypatch.setenv("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", value)

    assert Environment()._credential._signer._send_chain is sent


def test_a_word_that_is_no_boolean_is_named(monkeypatch: pytest.MonkeyPatch, pem: str) -> None:
    """By the constructor."""
    set_all(monkeypatch, pem, *NAMES[:2], NAMES[3], AZURE_CLIENT_SEND_CERTIFICATE_CHAIN="maybe")

    with pytest.raises(ValueError, match="AZURE_CLIENT_SEND_CERTIFICATE_CHAIN must be true or false"):
        Environment()


def test_the_certificates_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As it is, blanks included."""
    file = tmp_path / "encrypted.pem"
    file.write_bytes(certificates.key_pem(password=b" pass ") + certificates.leaf_pem())
    set_all(monkeypatch, str(file), *NAMES[:2], NAMES[3], AZURE_CLIENT_CERTIFICATE_PASSWORD=" pass ")
    io = ScriptedIO(token("T1"))

    assert ask(Environment(), io).token == "T1"


def test_a_missing_certificate_file_is_a_missing_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the constructor."""
    set_all(monkeypatch, str(tmp_path / "no.pem"), *NAMES[:2], NAMES[3])

    with pytest.raises(FileNotFoundError):
        Environment()


@pytest.mark.parametrize(
    ("variable", "argument", "host"),
    [
        ("login.microsoftonline.us", None, "login.microsoftonline.us"),
        ("https://login.chinacloudapi.cn/", None, "login.chinacloudapi.cn"),
        ("", None, "login.microsoftonline.com"),
        ("login.chinacloudapi.cn", "login.microsoftonline.us", "login.microsoftonline.us"),
    ],
    ids=["a host", "a URL", "blank", "the argument wins"],
)
def test_the_authority(monkeypatch: pytest.MonkeyPatch, pem: str, variable: str, argument: Any, host: str) -> None:
    """Keyword, else variable, else the public cloud."""
    set_all(monkeypatch, pem, *NAMES[:3], AZURE_AUTHORITY_HOST=variable)
    io = ScriptedIO(token())

    ask(Environment(**({"authority": argument} if argument else {})), io)

    assert io.requests[0].url.split("/")[2] == host


def test_options_go_to_the_credential_that_is_configured(monkeypatch: pytest.MonkeyPatch, pem: str) -> None:
    """Such as the tenants that are allowed."""
    set_all(monkeypatch, pem, *NAMES[:3])
    io = ScriptedIO(token())

    ask(Environment(additionally_allowed_tenants=["other"]), io, tenant="other")

    assert "/other/" in io.requests[0].url


def test_variables_are_read_once(monkeypatch: pytest.MonkeyPatch, pem: str) -> None:
    """By the constructor."""
    set_all(monkeypatch, pem, *NAMES[:3])
    cred = Environment()
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    io = ScriptedIO(token("T1"))

    assert ask(cred, io).token == "T1"
    assert not set(NAMES) & set(os.environ)


def test_a_refusal_names_the_credential_that_was_configured(monkeypatch: pytest.MonkeyPatch, pem: str) -> None:
    """It is no "could not try": a chain stops here."""
    set_all(monkeypatch, pem, *NAMES[:3])

    with pytest.raises(ClientAuthenticationError, match=r"^ClientSecretCredential: ") as caught:
        ask(Environment(), ScriptedIO(refusal("invalid_client", "AADSTS7000215: Wrong.")))

    assert not isinstance(caught.value, CredentialUnavailableError)


@pytest.mark.parametrize(
    ("names", "level", "text"),
    [
        (NAMES[:3], "INFO", "Environment is configured for ClientSecretCredential"),
        (
            NAMES[:2],
            "WARNING",
            "Incomplete environment configuration. Set: AZURE_TENANT_ID, AZURE_CLIENT_ID. Missing: ",
        ),
        ((), "INFO", "No environment configuration found."),
    ],
    ids=["complete", "incomplete", "nothing"],
)
def test_what_the_constructor_logs(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    pem: str,
    names: tuple[str, ...],
    level: str,
    text: str,
) -> None:
    """One record, without values."""
    set_all(monkeypatch, pem, *names)

    with caplog.at_level(logging.INFO, "azure.identity"):
        Environment()

    assert [(record.levelname, text in record.getMessage()) for record in caplog.records] == [(level, True)]
    assert "s3cret" not in caplog.text


def test_the_class_that_is_configured_is_public(monkeypatch: pytest.MonkeyPatch, pem: str) -> None:
    """Programs look at it."""
    set_all(monkeypatch, pem, *NAMES[:3])

    assert type(Environment()._credential) is ClientSecretCredential


def test_closing_closes_the_credential_that_is_configured(monkeypatch: pytest.MonkeyPatch, pem: str) -> None:
    """And is harmless where none is."""
    with Environment():
        pass
    set_all(monkeypatch, pem, *NAMES[:3])
    cred, io = Environment(), ScriptedIO()
    cred._port_ = io  # type: ignore[assignment]

    with cred:
        pass

    assert (io.entered, io.left) == ([cred._credential], [cred._credential])

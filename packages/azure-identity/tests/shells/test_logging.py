"""What is logged, where, at which level, and what AZURE_LOG_LEVEL does."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from typing import Any, Iterator, Optional

import credentials
import pytest
from azure.core.exceptions import ClientAuthenticationError
from leak_watch import planted
from worlds import World

from azure.identity._errors import logging as _logging
from entra_emulator import EntraEmulator

SCOPE = "https://vault.azure.net/.default"


# --- AZURE_LOG_LEVEL


def run(program: str, level: Optional[str]) -> tuple[str, str]:
    """Output and errors of a program that imports the library with AZURE_LOG_LEVEL set."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AZURE_")}
    if level is not None:
        environment["AZURE_LOG_LEVEL"] = level
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout, done.stderr


ASK = """
    import logging
    {setup}
    import azure.identity
    try:
        azure.identity.EnvironmentCredential().get_token("s")
    except azure.identity.CredentialUnavailableError:
        pass
    print(logging.getLevelName(logging.getLogger("azure.identity").getEffectiveLevel()))
"""


def test_a_level_makes_the_log_visible() -> None:
    """With AZURE_LOG_LEVEL=debug a program without any logging set-up shows what the library does."""
    out, err = run(ASK.format(setup=""), "debug")

    assert out == "DEBUG\n"
    assert "INFO azure.identity._credentials.environment: No environment configuration found." in err
    assert err.count("EnvironmentCredential.get_token failed") == 0  # nothing was asked: it is not configured


def test_without_it_nothing_changes() -> None:
    out, err = run(ASK.format(setup=""), None)

    assert (out, err) == ("WARNING\n", "")


def test_a_bad_level_is_one_warning() -> None:
    out, err = run(ASK.format(setup=""), "loud")

    assert out == "WARNING\n"
    assert err == ("AZURE_LOG_LEVEL is 'loud'; expected one of critical, error, warning, info, debug, verbose.\n")


@pytest.mark.parametrize(
    "setup",
    [
        "import sys; logging.basicConfig(stream=sys.stdout, format='own %(message)s')",
        "import sys; logging.getLogger('azure').addHandler(logging.StreamHandler(sys.stdout))",
        "import sys; logging.getLogger('azure.identity').addHandler(logging.StreamHandler(sys.stdout))",
    ],
    ids=["root", "azure", "azure.identity"],
)
def test_a_handler_of_the_programs_wins(setup: str) -> None:
    """Records go to it, once, and not to standard error besides."""
    out, err = run(ASK.format(setup=setup), "info")

    assert err == ""
    assert out.count("No environment configuration found.") == 1


def test_a_handler_that_comes_later_wins_too() -> None:
    """A program may set up logging after its imports."""
    program = ASK.format(setup="").replace("try:", "logging.basicConfig(filename=__import__('os').devnull)\n    try:")
    out, err = run(program, "info")

    assert (out, err) == ("INFO\n", "")


@pytest.fixture
def restored() -> Iterator[logging.Logger]:
    logger = logging.getLogger("azure.identity")
    level, handlers = logger.level, list(logger.handlers)
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("CRITICAL", logging.CRITICAL),
        ("error", logging.ERROR),
        ("Warning", logging.WARNING),
        ("info", logging.INFO),
        (" DEBUG ", logging.DEBUG),
        ("verbose", logging.DEBUG),
        ("", logging.NOTSET),
        ("  ", logging.NOTSET),
    ],
)
def test_levels(restored: logging.Logger, monkeypatch: pytest.MonkeyPatch, value: str, level: int) -> None:
    """In any case, with blanks around; a blank value is none."""
    monkeypatch.setenv("AZURE_LOG_LEVEL", value)
    _logging.configure_from_environment()
    _logging.configure_from_environment()

    assert restored.level == level
    assert sum(isinstance(handler, _logging.FallbackHandler) for handler in restored.handlers) == (level > 0)


# --- levels of the records


def records(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and text of what the library logged about requests."""
    return [
        (record.levelname, record.getMessage().partition("\n")[0])
        for record in caplog.records
        if record.name.startswith("azure.identity.") and not record.getMessage().startswith("[Authenticated")
    ]


def secret_credential(world: World, entra: EntraEmulator, secret: str) -> Any:
    return world.make("ClientSecretCredential", entra.tenant.id, entra.app.client_id, secret, authority=entra.authority)


def test_a_success_alone_is_info(world: World, entra: EntraEmulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="azure.identity")
    credential = secret_credential(world, entra, credentials.SECRET)
    world.ask(credential.get_token, SCOPE)
    world.ask(credential.get_token_info, SCOPE, options={"enable_cae": True})

    assert records(caplog) == [
        ("INFO", "ClientSecretCredential.get_token succeeded"),
        ("INFO", "ClientSecretCredential.get_token_info succeeded"),
    ]


def test_debug_names_the_account(world: World, entra: EntraEmulator, caplog: pytest.LogCaptureFixture) -> None:
    """Which application, tenant and object a token is for; never the token."""
    caplog.set_level(logging.DEBUG, logger="azure.identity")
    world.ask(secret_credential(world, entra, credentials.SECRET).get_token, SCOPE)
    [text] = [message for message in caplog.messages if message.startswith("[Authenticated account]")]

    assert f"Client ID: {entra.app.client_id}. Tenant ID: {entra.tenant.id}." in text
    assert entra.app.object_id in text


def test_a_failure_alone_is_a_warning(world: World, entra: EntraEmulator, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ClientAuthenticationError):
        world.ask(secret_credential(world, entra, planted("wrong")).get_token, SCOPE)
    [(level, text)] = records(caplog)

    assert level == "WARNING"
    assert text.startswith(
        "ClientSecretCredential.get_token failed: ClientSecretCredential: Microsoft Entra ID refused"
    )


def test_in_a_chain_the_chain_reports(world: World, entra: EntraEmulator, caplog: pytest.LogCaptureFixture) -> None:
    """Members that were passed over are no warnings: that is what a chain is for."""
    caplog.set_level(logging.INFO, logger="azure.identity")
    chain = world.make(
        "ChainedTokenCredential",
        world.make("ChainedTokenCredential", world.make("EnvironmentCredential")),
        secret_credential(world, entra, credentials.SECRET),
    )
    caplog.clear()
    world.ask(chain.get_token, SCOPE)

    assert records(caplog) == [
        ("INFO", "ChainedTokenCredential acquired a token from ClientSecretCredential"),
        ("INFO", "ChainedTokenCredential.get_token succeeded"),
    ]


def test_a_chain_that_fails_is_one_warning(
    world: World, entra: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    chain = world.make("ChainedTokenCredential", secret_credential(world, entra, planted("wrong")))
    with pytest.raises(ClientAuthenticationError):
        world.ask(chain.get_token, SCOPE)

    assert [level for level, _ in records(caplog)] == ["WARNING"]


def test_every_logger_is_below_azure_identity(
    world: World, entra: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """So one level, and one handler, is for all of them."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ClientAuthenticationError):
        world.ask(secret_credential(world, entra, planted("wrong")).get_token, SCOPE)
    ours = {record.name for record in caplog.records if "azure/identity/" in record.pathname.replace(os.sep, "/")}

    assert ours
    assert all(name.startswith("azure.identity") for name in ours)

"""Programs that sign a person in, unmodified, with a real browser: Chromium, on the emulator's pages.

Screenshots of all pages, the library's own among them, are kept in the directory that SCREENSHOTS names.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any, Dict, Mapping
from urllib.parse import urlencode

import pytest

from entra_emulator import EntraEmulator
from partners import chromium
from partners.finding import program

pytestmark = pytest.mark.partner

SCRIPT = chromium.__file__
PASSWORD = "a long password & <more>"


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept."""
    kept = os.environ.get("SCREENSHOTS")
    folder = Path(kept).resolve() if kept else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Desk:
    """A machine with Chromium, an application that asks for consent, and a person with a second factor."""

    def __init__(self, entra: EntraEmulator, screenshots: Path) -> None:
        self.entra, self.screenshots = entra, screenshots
        self.spki = chromium.spki_of("localhost", entra.port)
        api = entra.resource_scope.rpartition("/.default")[0]
        self.app = entra.add_app(
            "Photo Organizer & Co",
            public=True,
            redirect_uris=["http://localhost"],
            permissions={api: ["user_impersonation"]},
        )
        self.user = entra.add_user("ada.lovelace", PASSWORD, mfa=True, display_name="Ada Lovelace")

    def person(self, name: str, **more: str) -> Dict[str, str]:
        """What the person at the browser does."""
        (self.screenshots / f"{name}.json").unlink(missing_ok=True)
        given = {"username": self.user.username, "password": PASSWORD, "spki": self.spki}
        return {**given, "screenshots": str(self.screenshots), "name": name, **more}

    def run(self, text: str, person: Mapping[str, str], **variables: str) -> subprocess.CompletedProcess[str]:
        """A program on that machine."""
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(text)],
            env={
                **os.environ,
                "BROWSER": f"{shlex.quote(sys.executable)} {shlex.quote(str(SCRIPT))} %s &",
                "PERSON": json.dumps(person),
                "SCRIPT": SCRIPT,
                "SCOPE": self.entra.resource_scope,
                "APP": self.app.client_id,
                "REQUESTS_CA_BUNDLE": self.entra.ca_file,
                **variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    def seen(self, name: str) -> Dict[str, Any]:
        """The last page the person saw."""
        done, deadline = self.screenshots / f"{name}.json", time.monotonic() + 60
        while not done.exists():
            assert time.monotonic() < deadline, f"the browser of {name!r} does not come to an end"
            time.sleep(0.05)
        page: Dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
        assert "error" not in page, page
        return page


@pytest.fixture
def desk(entra_env: EntraEmulator, screenshots: Path) -> Desk:
    program("chromium")
    program("chromedriver")
    return Desk(entra_env, screenshots)


BROWSER_PROGRAM = """
    import os
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import InteractiveBrowserCredential

    credential = InteractiveBrowserCredential(
        tenant_id=os.environ["AZURE_TENANT_ID"], client_id=os.environ["APP"], timeout=90
    )
    try:
        record = credential.authenticate(scopes=[os.environ["SCOPE"]])
    except ClientAuthenticationError as error:
        print("refused:", error.message)
    else:
        print(record.username, len(credential.get_token(os.environ["SCOPE"]).token) > 100)
"""


def headings(page: Mapping[str, Any]) -> list[str]:
    """What the pages were, by the names of their screenshots."""
    return [Path(shot).stem.split("-", 2)[2].rpartition("-")[0] for shot in page["shots"] if "-desktop" in shot]


def test_a_person_signs_in(desk: Desk) -> None:
    """Password, second factor, consent; then the program's own page says that it is done."""
    done = desk.run(BROWSER_PROGRAM, desk.person("browser"))
    page = desk.seen("browser")

    assert done.stdout == f"{desk.user.username} True\n"
    assert page["heading"] == "You are signed in"
    assert headings(page) == ["sign-in", "enter-code", "permissions-requested", "you-are-signed-in"]
    assert desk.entra.requests.count("token") == 1


def test_a_person_cancels(desk: Desk) -> None:
    """The program's page says what went wrong, and so does the program."""
    done = desk.run(BROWSER_PROGRAM, desk.person("cancelled", cancel="Permissions requested"))
    page = desk.seen("cancelled")

    assert "access_denied" in done.stdout
    assert page["heading"] == "Sign-in failed"
    assert "AADSTS65004" in page["text"]
    assert desk.entra.requests.count("token") == 0


def test_a_device_code(desk: Desk) -> None:
    """The person opens the page that the program names, and enters the code it shows."""
    desk.entra.settings.device_code_interval = 1
    done = desk.run(
        """
        import json, os, subprocess, sys
        from azure.identity import DeviceCodeCredential

        def prompt(verification_uri, user_code, expires_on):
            person = {**json.loads(os.environ["PERSON"]), "user_code": user_code}
            command = [sys.executable, os.environ["SCRIPT"], verification_uri]
            subprocess.Popen(command, env={**os.environ, "PERSON": json.dumps(person)})

        credential = DeviceCodeCredential(
            os.environ["APP"], tenant_id=os.environ["AZURE_TENANT_ID"], prompt_callback=prompt, timeout=90
        )
        print(credential.authenticate(scopes=[os.environ["SCOPE"]]).username)
        """,
        desk.person("device"),
    )
    page = desk.seen("device")

    assert done.stdout == f"{desk.user.username}\n"
    assert "You have signed in" in page["text"]
    assert headings(page)[:3] == ["enter-code", "sign-in", "enter-code"]
    assert desk.entra.requests.count("devicecode") == 1


def test_the_other_pages(desk: Desk) -> None:
    """A wrong password, accounts to pick from, an error the program must not learn of, and signing out."""
    entra = desk.entra
    base = f"{entra.authority}/{entra.tenant.id}/oauth2/v2.0"

    def authorize(**more: str) -> str:
        query = {
            "client_id": desk.app.client_id,
            "response_type": "code",
            "redirect_uri": "http://localhost:9",
            "scope": f"openid {entra.resource_scope}",
            "code_challenge": "x" * 43,
            "code_challenge_method": "S256",
            **more,
        }
        return f"{base}/authorize?{urlencode(query)}"

    with chromium.window(desk.screenshots, "pages", desk.spki) as browser:
        browser.open(authorize())
        browser.type("username", desk.user.username)
        browser.type("password", "wrong")
        browser.press("#go")
        assert browser.look()["alert"]
        browser.shoot()

        browser.type("username", desk.user.username)
        browser.type("password", PASSWORD)
        browser.press("#go")
        browser.type("otp", chromium.OTP)
        browser.press("#go")
        assert browser.look()["heading"] == "Permissions requested"

        browser.open(authorize(prompt="select_account"))
        assert "Ada Lovelace" in browser.look()["text"]
        browser.shoot()

        browser.open(authorize(redirect_uri="http://localhost:9/not/registered"))
        assert "AADSTS50011" in browser.look()["text"]
        browser.shoot()

        browser.open(f"{base}/logout")
        assert "signed out" in browser.look()["heading"]
        browser.shoot()

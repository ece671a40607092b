"""A person with a real browser: headless Chromium, driven by raw WebDriver (W3C), and a screenshot of every page.

As a program (`chromium.py URL`) it is what the variable BROWSER names: it opens the URL and does what the pages ask, as
the variable PERSON says, a JSON object:

    username, password    what to type
    spki                  the server key to trust: base64 of the SHA-256 of its SubjectPublicKeyInfo
    screenshots           where to put them, a directory
    name                  how their names begin
    cancel                press the cancel button of the page with this heading

The last page is written to `{screenshots}/{name}.json` when it is done.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional

OTP = "123456"
WAIT = 20.0
"""Seconds a page may take."""
_MOST_PAGES = 12

# What the page is, in one look: asked for while another page may still be loading.
_LOOK = """
const heading = document.querySelector("h1"), alert = document.querySelector("[role=alert]");
return {url: location.href, ready: document.readyState, heading: heading ? heading.textContent.trim() : "",
        text: document.body ? document.body.innerText : "", alert: alert ? alert.textContent : "",
        ids: Array.from(document.querySelectorAll("[id]")).map(one => one.id),
        sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        stamp: window.__stamp || 0};
"""


class Window:
    """A browser window."""

    def __init__(self, driver: str, session: str, screenshots: Path, name: str) -> None:
        self._driver, self._session = driver, session
        self._screenshots, self._name = screenshots, name
        self._shot = 0
        self.shots: list[Path] = []

    def open(self, url: str) -> None:
        """Go there."""
        self._call("POST", "/url", {"url": url})

    def look(self) -> Dict[str, Any]:
        """What the page says: `url`, `heading`, `text`, `alert`, `ids`."""
        deadline = time.monotonic() + WAIT
        while True:
            try:
                page: Dict[str, Any] = self._call("POST", "/execute/sync", {"script": _LOOK, "args": []})
            except urllib.error.HTTPError:
                page = {}  # between two pages
            if page.get("ready") == "complete" and page.get("heading") not in (None, "", "Working..."):
                return page
            if time.monotonic() > deadline:
                raise TimeoutError(f"no page after {WAIT:g} seconds: {page}")
            time.sleep(0.05)

    def type(self, identifier: str, text: str) -> None:
        """Into the input with this id."""
        element = self._element(f"#{identifier}")
        self._call("POST", f"/element/{element}/clear", {})
        self._call("POST", f"/element/{element}/value", {"text": text})

    def press(self, selector: str) -> None:
        """A button, and wait for the page it leads to."""
        self._call("POST", "/execute/sync", {"script": "window.__stamp = 1", "args": []})
        self._call("POST", f"/element/{self._element(selector)}/click", {})
        deadline = time.monotonic() + WAIT
        while self.look()["stamp"] and time.monotonic() < deadline:
            time.sleep(0.02)

    def shoot(self) -> None:
        """Keep what the page looks like on a desktop by day and on a phone by night.

        :raises AssertionError: it does not fit on the phone.
        """
        page = self.look()
        self._shot += 1
        slug = re.sub(r"[^a-z0-9]+", "-", page["heading"].lower()).strip("-")[:40] or "page"
        for device, width, height, scale, scheme in (
            ("desktop", 1024, 720, 1, "light"),
            ("phone", 360, 720, 2, "dark"),
        ):
            metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": device == "phone"}
            self._devtools("Emulation.setDeviceMetricsOverride", metrics)
            feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            self._devtools("Emulation.setEmulatedMedia", feature)
            assert self.look()["sideways"] <= 0, f"{page['heading']!r} does not fit {width} pixels"
            path = self._screenshots / f"{self._name}-{self._shot:02d}-{slug}-{device}.png"
            path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))
            self.shots.append(path)
        self._devtools("Emulation.clearDeviceMetricsOverride", {})
        self._devtools("Emulation.setEmulatedMedia", {"features": []})

    def do_as_pages_ask(self, person: Mapping[str, str]) -> Dict[str, Any]:
        """Fill in and press until a page asks for nothing any more. Returns that page."""
        for _ in range(_MOST_PAGES):
            page = self.look()
            self.shoot()
            ids = set(page["ids"])
            if page["heading"] == person.get("cancel"):
                self.press("#deny" if "deny" in ids else "#cancel")
            elif "user_code" in ids:
                self.type("user_code", person["user_code"])
                self.press("#go")
            elif "password" in ids:
                self.type("username", person["username"])
                self.type("password", person["password"])
                self.press("#go")
            elif "otp" in ids:
                self.type("otp", OTP)
                self.press("#go")
            elif "accept" in ids:
                self.press("#accept")
            else:
                return page
        raise TimeoutError(f"the sign-in came to no end in {_MOST_PAGES} pages")

    def _element(self, selector: str) -> str:
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        return str(next(iter(found.values())))

    def _devtools(self, command: str, parameters: Mapping[str, Any]) -> None:
        self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _call(self, method: str, path: str, body: Optional[Mapping[str, Any]] = None) -> Any:
        return _call(method, f"{self._driver}/session/{self._session}{path}", body)


def _call(method: str, url: str, body: Optional[Mapping[str, Any]] = None) -> Any:
    data = None if body is None else json.dumps(body).encode("utf-8")
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=60) as response:
        return json.load(response)["value"]


@contextlib.contextmanager
def window(screenshots: Path, name: str, spki: str) -> Iterator[Window]:
    """A fresh private window. Whatever happens, nothing of the browser is left running."""
    screenshots.mkdir(parents=True, exist_ok=True)
    profile = tempfile.mkdtemp(prefix="chromium-")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}", "--allowed-ips=127.0.0.1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": profile},
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address)
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--no-proxy-server",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
            f"--ignore-certificate-errors-spki-list={spki}",
        ]
        options = {"binary": shutil.which("chromium") or "chromium", "args": arguments}
        wanted = {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}}
        session = _call("POST", f"{address}/session", wanted)["sessionId"]
        yield Window(address, session, screenshots, name)
        _call("DELETE", f"{address}/session/{session}")
    finally:
        # The driver leads a session of its own, which its browser belongs to.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGKILL)
        driver.wait(10)
        shutil.rmtree(profile, ignore_errors=True)


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + WAIT
    while True:
        try:
            _call("GET", f"{address}/status")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def spki_of(host: str, port: int) -> str:
    """What Chromium is told to trust a server by: the hash of its public key."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # its key is what is asked for
    with socket.create_connection((host, port), 10) as plain, context.wrap_socket(plain, server_hostname=host) as tls:
        certificate = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode("ascii")


def main(arguments: list[str]) -> int:
    """Open the URL as the person would."""
    person = json.loads(os.environ["PERSON"])
    screenshots = Path(person["screenshots"])
    outcome: Dict[str, Any] = {"error": "it did not start"}
    try:
        with window(screenshots, person["name"], person["spki"]) as browser:
            browser.open(arguments[0])
            page = browser.do_as_pages_ask(person)
            outcome = {"heading": page["heading"], "text": page["text"], "shots": [str(path) for path in browser.shots]}
    except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
        outcome = {"error": f"{type(error).__name__}: {error}"}
    done = screenshots / f"{person['name']}.json"
    done.with_suffix(".new").write_text(json.dumps(outcome), encoding="utf-8")
    done.with_suffix(".new").replace(done)
    return 0 if "error" not in outcome else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The authorize endpoint: what is asked, where answers go, and when a person is asked anything at all."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Dict, Iterator, List, Tuple
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from entra_emulator import EntraEmulator, SignInError


class Listener(HTTPServer):
    """A program's redirect listener, which notes what it gets."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: List[Tuple[str, str, Dict[str, str]]] = []

    @property
    def uri(self) -> str:
        return f"http://localhost:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self._note("GET", parts.path, parts.query)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._note("POST", urlsplit(self.path).path, body)

    def _note(self, method: str, path: str, text: str) -> None:
        server = self.server
        assert isinstance(server, Listener)
        server.received.append((method, path, dict(parse_qsl(text))))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<h1>Welcome back</h1>")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("mode", "method"), [("query", "GET"), (None, "GET"), ("form_post", "POST")])
def test_answers_reach_the_program(entra: EntraEmulator, program: Any, listener: Listener, mode: Any, method: str):
    """The answer comes to the program's listener, on any port, with the state it sent."""
    url = program.authorize_url(redirect_uri=listener.uri, response_mode=mode)
    result = entra.sign_in(url)

    [(received_method, path, fields)] = listener.received
    assert (received_method, path) == (method, "/")
    assert set(fields) == {"code", "state", "session_state", "client_info"}
    assert fields["state"] == "a state"
    assert dict(result.fields) == fields
    assert result.page is not None
    assert (result.page.status, result.page.heading) == (200, "Welcome back")


def test_fragment(entra: EntraEmulator, program: Any, listener: Listener):
    """A fragment stays in the browser: the program's page is loaded without it."""
    result = entra.sign_in(program.authorize_url(redirect_uri=listener.uri, response_mode="fragment"))

    assert result.fields["code"]
    assert listener.received == [("GET", "/", {})]


def test_client_info(entra: EntraEmulator, program: Any):
    """The answer tells the account, if asked."""
    told = entra.sign_in(program.authorize_url(), deliver=False).fields
    quiet = entra.sign_in(program.authorize_url(client_info=None, state=None), deliver=False).fields

    text = told["client_info"]
    info = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert f"{info['uid']}.{info['utid']}" == entra.user.home_account_id
    assert set(quiet) == {"code", "session_state"}


def test_only_this_machine_is_sent_anything(entra: EntraEmulator, make_program: Any):
    """An answer for another machine is not sent, but can be looked at."""
    app = entra.add_app(redirect_uris=["https://app.example/back"], admin_consent=True)
    url = make_program(app).authorize_url(
        tenant=entra.tenant.id, redirect_uri="https://app.example/back", response_mode="query"
    )
    result = entra.sign_in(url)

    assert (result.redirect_uri, result.page) == ("https://app.example/back", None)
    assert result.fields["code"]


def test_nobody_listens(entra: EntraEmulator, program: Any):
    """A program that has gone is an error."""
    with pytest.raises(ConnectionRefusedError):
        entra.sign_in(program.authorize_url(redirect_uri="http://localhost:9"))


# ---- refusals that are shown ----


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": None}, 900144),
        ({"client_id": "e0a5c0de-0000-4000-8000-0000000000ff"}, 700016),
        ({"tenant": "nowhere.example"}, 90002),
        ({"redirect_uri": "https://evil.example"}, 50011),
        ({"redirect_uri": "http://localhost:8400/path"}, 50011),
        ({"redirect_uri": "https://localhost:8400"}, 50011),
        ({"redirect_uri": "http://127.0.0.1:8400"}, 50011),
        ({"redirect_uri": "http://localhost.evil.example:8400"}, 50011),
        ({"redirect_uri": "http://localhost@evil.example"}, 50011),
        ({"redirect_uri": "http://localhost:8400/#x"}, 50011),
        ({"redirect_uri": "http://localhost:8400\r\nX: y"}, 50011),
        ({"redirect_uri": "http://localhost:99999"}, 50011),
    ],
)
def test_errors_stay_on_the_page(entra: EntraEmulator, program: Any, changes: Dict[str, Any], code: int):
    """As long as the program is not known for sure, nothing is sent anywhere."""
    with pytest.raises(SignInError, match=f"AADSTS{code}: ") as stopped:
        entra.sign_in(program.authorize_url(**changes), deliver=False)

    page = stopped.value.page
    assert page.status == 400
    assert page.form is None
    assert "Correlation ID" in page.text
    assert "location" not in page.headers


def test_no_redirect_uri_registered(entra: EntraEmulator, make_program: Any):
    """An app without redirect URIs has no sign-in page."""
    app = entra.add_app(public=True)

    with pytest.raises(SignInError, match="AADSTS500113: "):
        entra.sign_in(make_program(app).authorize_url(tenant=entra.tenant.id), deliver=False)


def test_parameters_twice(entra: EntraEmulator, program: Any, client: requests.Session):
    """A repeated parameter is refused."""
    answer = client.get(program.authorize_url() + "&state=2", timeout=10)

    assert answer.status_code == 400
    assert "AADSTS9000411" in answer.text


# ---- refusals that the program hears of ----


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"response_type": None}, "invalid_request", 900144),
        ({"response_type": "token"}, "unsupported_response_type", 700054),
        ({"response_mode": "web_message"}, "invalid_request", 70007),
        ({"scope": None}, "invalid_request", 900144),
        ({"scope": "https://vault.azure.net"}, "invalid_scope", 70011),
        (
            {"scope": "https://vault.azure.net/.default https://vault.azure.net/user_impersonation"},
            "invalid_scope",
            70011,
        ),
        ({"scope": "https://vault.azure.net/Nothing"}, "invalid_client", 650053),
        ({"scope": "api://unknown/.default"}, "invalid_resource", 500011),
        ({"resource": "https://vault.azure.net"}, "invalid_request", 901002),
        ({"prompt": "always"}, "invalid_request", 90023),
        ({"claims": "{"}, "invalid_request", 9000410),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request", 9002325),
        ({"code_challenge_method": "plain"}, "invalid_request", 50149),
        ({"code_challenge_method": None}, "invalid_request", 50149),
        ({"code_challenge": "short"}, "invalid_request", 50149),
        ({"prompt": "none"}, "login_required", 50058),
    ],
)
def test_errors_for_the_program(entra: EntraEmulator, program: Any, changes: Dict[str, Any], error: str, code: int):
    """Every other mistake goes to the redirect URI, with the state."""
    fields = entra.sign_in(program.authorize_url(**changes), deliver=False).fields

    assert (fields["error"], fields["state"]) == (error, "a state")
    assert fields["error_description"].startswith(f"AADSTS{code}: ")
    assert "Correlation ID: " in fields["error_description"]


def test_web_apps_may_do_without_pkce(entra: EntraEmulator, make_program: Any):
    """An app that can keep a secret needs no challenge."""
    app = make_program(entra.app, secret=entra.app.secret)
    code = app.code(code_challenge=None, code_challenge_method=None, tenant=entra.tenant.id)

    assert app.redeem(code, code_verifier=None, tenant=entra.tenant.id).status_code == 200


# ---- whether a person is asked ----


def test_one_account_is_taken_silently(entra: EntraEmulator, program: Any):
    """Who is signed in is not asked again, unless the program wants that."""
    browser = entra.browser()
    browser.sign_in(program.authorize_url(prompt=None), deliver=False)
    pages = entra.requests.count("authorize")
    silent = browser.sign_in(program.authorize_url(prompt=None), password="never typed", deliver=False)
    none = browser.sign_in(program.authorize_url(prompt="none"), deliver=False)

    assert silent.fields["code"] and none.fields["code"]
    assert entra.requests.count("authorize") == pages + 2
    with pytest.raises(SignInError, match="AADSTS50126"):
        browser.sign_in(program.authorize_url(prompt="login"), password="never typed", deliver=False)


def test_picker(entra: EntraEmulator, program: Any, claims_in: Any):
    """The account picker offers who is signed in, and another account."""
    ada = entra.add_user("ada", "pw", display_name="Ada <b>")
    browser = entra.browser()
    browser.sign_in(program.authorize_url(), ada, deliver=False)
    page = browser.open(program.authorize_url())
    again = browser.sign_in(program.authorize_url(), ada, password="never typed", deliver=False)
    other = browser.sign_in(program.authorize_url(), entra.user, deliver=False)

    assert page.heading == "Pick an account"
    assert "Ada &lt;b&gt;" in page.text and ada.username in page.text
    names = [claims_in(program.redeem(one.fields["code"]).json()["id_token"])["name"] for one in (again, other)]
    assert names == ["Ada <b>", "Emulator User"]


def test_several_accounts(entra: EntraEmulator, program: Any):
    """With several accounts a silent request has to say which one."""
    ada = entra.add_user("ada", "pw")
    browser = entra.browser()
    for user in (entra.user, ada):
        browser.sign_in(program.authorize_url(), user, deliver=False)

    undecided = browser.sign_in(program.authorize_url(prompt="none"), deliver=False).fields
    hinted = browser.sign_in(
        program.authorize_url(prompt="none", login_hint="ADA@" + entra.tenant.domain), deliver=False
    )

    assert (undecided["error"], "AADSTS16000" in undecided["error_description"]) == ("interaction_required", True)
    assert hinted.fields["code"]
    assert browser.open(program.authorize_url(prompt=None)).heading == "Pick an account"


def test_login_hint(entra: EntraEmulator, program: Any):
    """A hint fills in the user name, and leaves the password to type."""
    page = entra.browser().open(program.authorize_url(prompt=None, login_hint="ada&co@x.example"))

    assert page.form is not None
    assert page.form.values["username"] == "ada&co@x.example"
    assert 'id="password" name="password" type="password" required autofocus' in page.text


def test_sign_out(entra: EntraEmulator, program: Any, client: requests.Session):
    """Signing out ends the browser's session, and leads back to a registered place only."""
    browser = entra.browser()
    browser.sign_in(program.authorize_url(), deliver=False)
    base = f"{entra.authority}/common/oauth2/v2.0/logout"
    page = browser.open(base + "?post_logout_redirect_uri=https://evil.example/")
    back = client.get(
        base,
        params={"post_logout_redirect_uri": "http://localhost:8400", "state": "s"},
        allow_redirects=False,
        timeout=10,
    )

    assert page.heading == "You signed out of your account"
    assert entra.user.username in page.text
    assert "evil" not in page.text
    assert browser.sign_in(program.authorize_url(prompt="none"), deliver=False).fields["error"] == "login_required"
    assert (back.status_code, back.headers["Location"]) == (302, "http://localhost:8400?state=s")


def test_cancel(entra: EntraEmulator, program: Any):
    """Who cancels sends the program away."""
    fields = entra.sign_in(program.authorize_url(), deny=True, deliver=False).fields

    assert (fields["error"], fields["state"]) == ("access_denied", "a state")
    assert fields["error_description"].startswith("AADSTS65004: ")


# ---- forms ----


def test_wrong_password(entra: EntraEmulator, program: Any):
    """A wrong password is said on the page, which keeps the user name."""
    with pytest.raises(SignInError, match="AADSTS50126") as stopped:
        entra.sign_in(program.authorize_url(), password="wrong & hush", deliver=False)

    page = stopped.value.page
    assert page.form is not None
    assert page.form.values["username"] == entra.user.username
    assert "hush" not in page.text


def test_unknown_user(entra: EntraEmulator, program: Any):
    """So is an unknown user."""
    browser = entra.browser()
    form = browser.open(program.authorize_url()).form
    assert form is not None
    page = browser._submit(form, {"username": "<i>nobody</i>", "password": "x"}, "go", 10)

    assert "AADSTS50034" in page.alert  # type: ignore[union-attr]
    assert "<i>" not in page.text  # type: ignore[union-attr]


@pytest.mark.parametrize("changes", [{"csrf": "other"}, {"csrf": ""}, {"flow": "other"}])
def test_forged_forms(entra: EntraEmulator, program: Any, changes: Dict[str, str]):
    """A form that the emulator did not make for this browser is refused, and nobody is signed in."""
    browser = entra.browser()
    form = browser.open(program.authorize_url()).form
    assert form is not None
    typed = {"username": entra.user.username, "password": entra.user.password, **changes}
    page = browser._send(form, typed, 10)

    assert "AADSTS165000" in page.alert  # type: ignore[union-attr]
    assert browser.sign_in(program.authorize_url(prompt="none"), deliver=False).fields["error"] == "login_required"


def test_forms_belong_to_their_browser(entra: EntraEmulator, program: Any):
    """A form from another browser, with all its secrets, does not work in this one."""
    form = entra.browser().open(program.authorize_url()).form
    assert form is not None
    typed = {"username": entra.user.username, "password": entra.user.password}
    page = entra.browser()._send(form, typed, 10)

    assert "AADSTS165000" in page.alert  # type: ignore[union-attr]


def test_old_forms(entra: EntraEmulator, program: Any):
    """A page that was left open too long has to be begun anew."""
    browser = entra.browser()
    form = browser.open(program.authorize_url()).form
    assert form is not None
    entra.clock.advance(901)
    page = browser._send(form, {"username": entra.user.username, "password": entra.user.password}, 10)

    assert "AADSTS165000" in page.alert  # type: ignore[union-attr]


def test_cookie(entra: EntraEmulator, program: Any, client: requests.Session):
    """The cookie is out of reach for scripts and other sites, and travels by TLS only where there is TLS."""
    secure = client.get(program.authorize_url(), timeout=10).headers["Set-Cookie"]
    plain = client.get(program.authorize_url().replace(entra.authority, entra.http_authority), timeout=10)

    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Secure"} <= set(secure.split("; "))
    assert "Secure" not in plain.headers["Set-Cookie"].split("; ")


def test_post_begins_too(entra: EntraEmulator, program: Any, client: requests.Session):
    """An authorization request may come by POST (OpenID Connect Core, section 3.1.2.1)."""
    url, _, query = program.authorize_url().partition("?")
    answer = client.post(url, data=dict(parse_qsl(query)), timeout=10)

    assert answer.status_code == 200
    assert "<h1>Sign in</h1>" in answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_other_methods(entra: EntraEmulator, program: Any, client: requests.Session, method: str):
    """Other methods get an error page."""
    answer = client.request(method, program.authorize_url(), timeout=10)

    assert (answer.status_code, "AADSTS9002313" in answer.text) == (400, True)


# ---- log and faults ----


def test_log_and_faults(entra: EntraEmulator, program: Any, client: requests.Session, caplog: pytest.LogCaptureFixture):
    """The endpoint has its name in log and faults; what a person types shows nowhere."""
    caplog.set_level("DEBUG")
    result = entra.sign_in(program.authorize_url(response_mode="query"), deliver=False)
    entra.faults.add("authorize", times=1, status=503)
    busy = client.get(program.authorize_url(), timeout=10)

    assert [one.method for one in entra.requests.to("authorize")] == ["GET", "POST", "GET"]
    assert entra.requests.to("authorize")[1].form["password"] == entra.user.password
    assert (busy.status_code, busy.json()["error_codes"]) == (503, [90033])
    shown = repr(entra.requests.to()) + repr(result) + repr(entra._realm.conversations.__dict__) + caplog.text
    shown += repr(entra._realm.people.codes.__dict__)
    for secret in (entra.user.password, result.fields["code"]):
        assert secret not in shown

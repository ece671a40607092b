"""Signing in on another device (RFC 8628)."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import requests

from entra_emulator import EntraEmulator, SignInError

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
SCOPE = "https://management.azure.com/.default openid profile offline_access"


class Device:
    """A program on a device without a browser."""

    def __init__(self, program: Any, tenant: str = "organizations", **changes: Any) -> None:
        self.program = program
        self.tenant = tenant
        url = f"{program.entra.authority}/{tenant}/oauth2/v2.0/devicecode"
        form = {"client_id": program.client_id, "scope": SCOPE, **changes}
        form = {name: value for name, value in form.items() if value is not None}
        self.answer: requests.Response = program.client.post(url, data=form, timeout=10)

    @property
    def said(self) -> Dict[str, Any]:
        return dict(self.answer.json())

    def poll(self, **changes: Any) -> requests.Response:
        form = {"device_code": self.said["device_code"], "tenant": self.tenant, **changes}
        answer: requests.Response = self.program.ask(DEVICE_CODE, **form)
        return answer


@pytest.fixture
def device(entra: EntraEmulator, program: Any) -> Device:
    entra.clock.freeze()
    return Device(program)


def test_code(entra: EntraEmulator, device: Device):
    """The answer tells where to go, with which code, for how long."""
    said = device.said

    assert device.answer.headers["Cache-Control"] == "no-store, no-cache"
    assert (said["verification_uri"], said["expires_in"], said["interval"]) == (
        f"{entra.authority}/devicelogin",
        900,
        5,
    )
    assert len(said["user_code"]) == 9 and said["user_code"].isupper()
    assert said["user_code"] in said["message"] and said["verification_uri"] in said["message"]
    assert "verification_uri_complete" not in said


def test_sign_in(entra: EntraEmulator, device: Device, refused: Any, claims_in: Any):
    """The program polls until the person is done, and gets tokens once."""
    refused(device.poll(), 70016, "authorization_pending")
    page = entra.enter_device_code(device.said["user_code"])
    entra.clock.advance(5)
    answer = device.poll().json()
    entra.clock.advance(5)

    assert "Microsoft Azure CLI" in page.texts["finished"]
    assert claims_in(answer["access_token"])["oid"] == entra.user.object_id
    assert {"id_token", "refresh_token", "client_info", "foci"} <= set(answer)
    refused(device.poll(), 54005, "invalid_grant")


def test_code_as_typed(entra: EntraEmulator, device: Device):
    """Small letters, blanks and hyphens do no harm."""
    code = device.said["user_code"]

    assert entra.enter_device_code(f" {code[:4]}-{code[4:]} ".lower()).texts["finished"]


def test_pace(entra: EntraEmulator, device: Device, refused: Any):
    """Who polls too fast has to wait five seconds longer, each time."""
    refused(device.poll(), 70016)
    entra.clock.advance(4)
    refused(device.poll(), 90055, "slow_down")
    entra.clock.advance(9)
    refused(device.poll(), 90055, "slow_down")
    entra.clock.advance(15)
    refused(device.poll(), 70016)


def test_pace_can_be_set(entra: EntraEmulator, program: Any, refused: Any):
    """Tests may poll faster."""
    entra.clock.freeze()
    entra.settings.device_code_interval = 1
    device = Device(program)
    refused(device.poll(), 70016)
    entra.clock.advance(1)

    refused(device.poll(), 70016)
    assert device.said["interval"] == 1


def test_denial(entra: EntraEmulator, device: Device, refused: Any):
    """Who cancels lets the program know."""
    page = entra.enter_device_code(device.said["user_code"], deny=True)

    assert page.texts["declined"]
    refused(device.poll(), 65004, "authorization_declined")
    with pytest.raises(SignInError, match="didn't work"):
        entra.enter_device_code(device.said["user_code"])


def test_expiry(entra: EntraEmulator, device: Device, refused: Any):
    """After its time the code works neither for the person nor for the program."""
    entra.clock.advance(900)

    with pytest.raises(SignInError, match="didn't work"):
        entra.enter_device_code(device.said["user_code"])
    refused(device.poll(), 70020, "expired_token")


def test_lifetime_is_a_setting(entra: EntraEmulator, program: Any, refused: Any):
    """Tests may have shorter ones."""
    entra.settings.device_code_lifetime = 10
    device = Device(program)
    entra.clock.advance(10)

    assert device.said["expires_in"] == 10
    refused(device.poll(), 70020)


@pytest.mark.parametrize(
    ("changes", "code", "error"),
    [
        ({"device_code": "garbage"}, 70018, "bad_verification_code"),
        ({"client_id": "1950a258-227b-4e31-a9cf-717495945fc2"}, 70018, "bad_verification_code"),
        ({"device_code": None}, 900144, "invalid_request"),
    ],
)
def test_wrong_polls(device: Device, refused: Any, changes: Dict[str, Any], code: int, error: str):
    """A wrong device code, or another client's, is refused."""
    refused(device.poll(**changes), code, error)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": None}, 900144),
        ({"client_id": "e0a5c0de-0000-4000-8000-0000000000ff"}, 700016),
        ({"scope": None}, 900144),
        ({"scope": "api://unknown/.default"}, 500011),
        ({"scope": "User.Read https://vault.azure.net/user_impersonation"}, 700022),
        ({"claims": "["}, 9000410),
        ({"tenant": "nowhere.example"}, 90002),
    ],
)
def test_wrong_requests(program: Any, refused: Any, changes: Dict[str, Any], code: int):
    """A bad request for a code is refused at once."""
    refused(Device(program, **changes).answer, code)


def test_wrong_user_code(entra: EntraEmulator, device: Device):
    """A mistyped code can be typed again."""
    with pytest.raises(SignInError, match="That code didn't work") as stopped:
        entra.enter_device_code("BBBBBBBBB")

    assert stopped.value.page.heading == "Enter code"
    assert 'value="BBBBBBBBB"' in stopped.value.page.text


def test_somebody_else(entra: EntraEmulator, program: Any, refused: Any):
    """A tenant's own endpoint does not take strangers; the program goes on waiting."""
    entra.clock.freeze()
    fabrikam = entra.add_tenant("fabrikam.example")
    device = Device(program, tenant=fabrikam.id)

    with pytest.raises(SignInError, match="AADSTS50020"):
        entra.enter_device_code(device.said["user_code"])
    refused(device.poll(), 70016)


def test_web_apps_authenticate(entra: EntraEmulator, make_program: Any, refused: Any):
    """A confidential client has to prove itself when it polls."""
    app = make_program(entra.app)
    device = Device(app, tenant=entra.tenant.id)
    entra.enter_device_code(device.said["user_code"])

    refused(device.poll(), 7000218, "invalid_client")
    assert device.poll(client_secret=entra.app.secret).status_code == 200


def test_capabilities_of_the_first_request(entra: EntraEmulator, program: Any, claims_in: Any):
    """What the program can handle may be said in either request."""
    claims = '{"access_token":{"xms_cc":{"values":["CP1"]}}}'
    device = Device(program, claims=claims)
    entra.enter_device_code(device.said["user_code"])

    assert claims_in(device.poll().json()["access_token"])["xms_cc"] == ["CP1"]


def test_v1(entra: EntraEmulator, program: Any):
    """The v1 endpoint says `verification_url`, and has strings for numbers."""
    url = f"{entra.authority}/common/oauth2/devicecode"
    form = {"client_id": program.client_id, "resource": "https://vault.azure.net"}
    said = program.client.post(url, data=form, timeout=10).json()

    assert (said["verification_url"], said["expires_in"], said["interval"]) == (
        f"{entra.authority}/devicelogin",
        "900",
        "5",
    )


def test_code_in_the_address(entra: EntraEmulator, device: Device):
    """A link may carry the code; the person still confirms it."""
    page = entra.browser().open(f"{entra.authority}/devicelogin?otc={device.said['user_code']}")

    assert page.form is not None
    assert page.form.values["user_code"] == device.said["user_code"]


def test_log_and_faults(entra: EntraEmulator, device: Device):
    """The endpoints have names in log and faults, and no code shows in a repr."""
    entra.enter_device_code(device.said["user_code"])
    device.poll()
    entra.faults.add("devicecode", times=1, status=429)

    assert (entra.requests.count("devicecode"), entra.requests.count("devicelogin")) == (1, 4)
    assert Device(device.program).answer.status_code == 429
    shown = repr(entra.requests.to()) + repr(entra._realm.people.codes.device.get(device.said["device_code"]))
    assert device.said["device_code"] not in shown
    assert device.said["user_code"] not in shown


def test_bare_device_code_grant_was_refused(entra: EntraEmulator, device: Device, refused: Any, program: Any):
    """MSAL for Node sends `device_code` without the URN of RFC 8628; Entra answers it the same."""
    answer = program.ask("device_code", device_code=device.said["device_code"], tenant=device.tenant)
    refused(answer, 70016, "authorization_pending")

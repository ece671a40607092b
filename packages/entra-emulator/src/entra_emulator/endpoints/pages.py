"""The pages of a sign-in, as HTML: no script needed, usable with the keyboard alone, on a phone, in the dark.

Every text that comes from outside goes through `_t`. In a form, the button that Enter presses comes first.
"""

from __future__ import annotations

import html
from typing import Mapping, Sequence, Tuple
from urllib.parse import urlsplit

from ..directory.users import User
from ..sign_in.conversation import ANOTHER_ACCOUNT, OTP, Attempt, Screen

# Contrast of all pairs of text and ground is 4.5:1 or more, of edges and focus 3:1 (WCAG 2.2, 1.4.3 and 1.4.11).
_STYLE = """
:root { color-scheme: light dark; --ground: #f0f2f5; --card: #fff; --text: #1b1b1f; --quiet: #565a61; --edge: #767b84;
  --accent: #0b5cad; --on-accent: #fff; --alert: #b00020; --line: #d5d8dd; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181c; --card: #212429; --text: #f1f2f4; --quiet: #b3b8c0;
  --edge: #8b919b; --accent: #7cb8f5; --on-accent: #0b1a2a; --alert: #ff9aa2; --line: #3a3f47; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-content: center; grid-template-columns: min(28rem, 100%);
  padding: 1rem; background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { background: var(--card); border-radius: .75rem; padding: 2rem; box-shadow: 0 1px 6px rgb(0 0 0 / .18); }
h1 { font-size: 1.5rem; line-height: 1.25; font-weight: 600; margin: 0 0 .75rem; }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
ul { margin: 0 0 1.25rem; padding-left: 1.25rem; }
li { overflow-wrap: anywhere; margin-bottom: .25rem; }
dl { margin: 0 0 1rem; font-size: .875rem; color: var(--quiet); overflow-wrap: anywhere; }
dt { font-weight: 600; } dd { margin: 0 0 .5rem; }
.who { color: var(--quiet); margin-bottom: .5rem; }
.alert { color: var(--alert); font-weight: 600; }
.alert::before { content: "⚠ "; }
label { display: block; font-weight: 600; margin-bottom: .25rem; }
input { width: 100%; min-height: 2.75rem; padding: .5rem .75rem; margin-bottom: 1rem; font: inherit; color: inherit;
  background: transparent; border: 1px solid var(--edge); border-radius: .375rem; }
#user_code, #otp { font-size: 1.25rem; letter-spacing: .15em; }
.buttons { display: flex; flex-flow: row-reverse wrap; gap: .75rem; margin-top: .5rem; }
button { min-height: 2.75rem; padding: .5rem 1.5rem; font: inherit; font-weight: 600; border-radius: .375rem;
  border: 1px solid var(--edge); background: transparent; color: inherit; cursor: pointer; flex: 0 1 auto; }
button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.account { display: block; width: 100%; text-align: left; font-weight: 400; border-color: var(--line);
  padding: .75rem 1rem; margin-bottom: .5rem; overflow-wrap: anywhere; }
button.account b { display: block; }
button:hover { filter: brightness(.94); text-decoration: underline; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
footer { padding: 1rem .25rem; font-size: .875rem; color: var(--quiet); text-align: center; text-wrap: balance; }
@media (max-width: 30rem) { main { padding: 1.5rem 1.25rem; } .buttons button { flex: 1 1 8rem; } }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style nonce="{nonce}">{style}</style>
</head>
<body>
<main>
<h1>{heading}</h1>
{body}
</main>
<footer>entra-emulator, a local stand&#8209;in for tests. Use test accounts alone.</footer>
{script}</body>
</html>
"""


def page(heading: str, body: str, *, nonce: str, script: str = "") -> str:
    """A whole page. :param body: HTML. :keyword nonce: of the Content-Security-Policy."""
    return _PAGE.format(
        title=f"{_t(heading)} - entra-emulator",
        heading=_t(heading),
        body=body,
        nonce=nonce,
        style=_STYLE,
        script=f'<script nonce="{nonce}">{script}</script>\n' if script else "",
    )


def screen_page(screen: Screen, action: str, nonce: str) -> str:
    """The page of a step. :param action: where its form goes, a path."""
    heading, body = {
        "user-code": _user_code,
        "accounts": _accounts,
        "password": _password,
        "otp": _otp,
        "consent": _consent,
        "confirm": _confirm,
        "finished": _finished,
        "declined": _declined,
    }[screen.name](screen)
    if screen.name in ("finished", "declined"):
        return page(heading, body, nonce=nonce)
    alert = f'<p class="alert" id="alert" role="alert">{_t(screen.alert)}</p>\n' if screen.alert else ""
    secrets = hidden_fields({"flow": screen.attempt.key, "csrf": screen.attempt.csrf})
    form = f'<form method="post" action="{_t(action)}">\n{secrets}\n{body}\n</form>'
    return page(heading, alert + form, nonce=nonce)


def form_post_page(uri: str, fields: Mapping[str, str], nonce: str) -> str:
    """The page that carries an answer to the program (OAuth 2.0 Form Post Response Mode). The script spares a click."""
    body = (
        f'<p>Returning to {_t(_place(uri))}.</p>\n<form method="post" action="{_t(uri)}">\n{hidden_fields(fields)}\n'
        '<div class="buttons"><button class="main" id="continue">Continue</button></div>\n</form>'
    )
    return page("Working...", body, nonce=nonce, script="document.forms[0].submit()")


def error_page(text: str, details: Mapping[str, str], nonce: str) -> str:
    """The page of an error that the program must not learn of. :param details: names and values for a report."""
    rows = "".join(f"<dt>{_t(name)}</dt><dd>{_t(value)}</dd>" for name, value in details.items())
    body = f'<p>Sorry, but we\'re having trouble signing you in.</p>\n<p id="error">{_t(text)}</p>\n<dl>{rows}</dl>'
    return page("Sign in", body, nonce=nonce)


def signed_out_page(users: Sequence[User], nonce: str) -> str:
    """The page after a sign-out."""
    names = ", ".join(user.username for user in users)
    who = f"<p>{_t(names)}</p>\n" if names else ""
    return page("You signed out of your account", f"{who}<p>You can close this window.</p>", nonce=nonce)


def hidden_fields(fields: Mapping[str, str]) -> str:
    """Hidden inputs."""
    return "".join(f'<input type="hidden" name="{_t(name)}" value="{_t(value)}">' for name, value in fields.items())


def _t(text: str) -> str:
    return html.escape(text, quote=True)


def _app_name(attempt: Attempt) -> str:
    app = attempt.app
    return (app.display_name or app.client_id) if app else ""


def _who(screen: Screen) -> str:
    signed_in = screen.attempt.signed_in
    return f'<p class="who">{_t(signed_in.user.username)}</p>\n' if signed_in else ""


def _place(uri: str) -> str:
    parts = urlsplit(uri)
    return parts.netloc or parts.scheme


def _described(screen: Screen) -> str:
    return ' aria-describedby="alert" aria-invalid="true"' if screen.alert else ""


def _button(identifier: str, text: str, attributes: str = "", *, main: bool = False) -> str:
    style = ' class="main"' if main else ""
    return f'<button type="submit" id="{identifier}"{style}{attributes}>{_t(text)}</button>'


def _buttons(*buttons: str) -> str:
    return f'<div class="buttons">{"".join(buttons)}</div>'


_CANCEL = ' name="decision" value="cancel" formnovalidate'
_ACCEPT = ' name="decision" value="accept"'
_DENY = ' name="decision" value="deny" formnovalidate'


def _user_code(screen: Screen) -> Tuple[str, str]:
    return "Enter code", (
        "<p>Enter the code that your app or device shows.</p>\n"
        '<label for="user_code">Code</label>\n'
        f'<input id="user_code" name="user_code" value="{_t(screen.attempt.expected)}" required autofocus '
        f'maxlength="24" autocomplete="off" autocapitalize="characters" spellcheck="false"{_described(screen)}>\n'
        + _buttons(_button("go", "Next", main=True))
    )


def _accounts(screen: Screen) -> Tuple[str, str]:
    tiles = [
        f'<button type="submit" class="account" name="account" value="{_t(user.home_account_id)}"'
        f"{' autofocus' if index == 0 else ''}><b>{_t(user.display_name)}</b>{_t(user.username)}</button>"
        for index, user in enumerate(screen.accounts)
    ]
    other = f'<button type="submit" class="account" name="account" value="{ANOTHER_ACCOUNT}"><b>Use another account</b>'
    return "Pick an account", "\n".join(
        [
            f"<p>to continue to {_t(_app_name(screen.attempt))}</p>",
            *tiles,
            f"{other}</button>",
            _buttons(_button("cancel", "Cancel", _CANCEL)),
        ]
    )


def _password(screen: Screen) -> Tuple[str, str]:
    name = screen.attempt.expected
    here, there = ("", " autofocus") if name else (" autofocus", "")
    return "Sign in", (
        f"<p>to continue to {_t(_app_name(screen.attempt))}</p>\n"
        '<label for="username">User name</label>\n'
        f'<input id="username" name="username" value="{_t(name)}" required{here} autocomplete="username" '
        f'autocapitalize="none" spellcheck="false"{_described(screen)}>\n'
        '<label for="password">Password</label>\n'
        f'<input id="password" name="password" type="password" required{there} autocomplete="current-password"'
        f"{_described(screen)}>\n" + _buttons(_button("go", "Sign in", main=True), _button("cancel", "Cancel", _CANCEL))
    )


def _otp(screen: Screen) -> Tuple[str, str]:
    return "Enter code", (
        f"{_who(screen)}<p>This sign-in needs a second factor. The code is in the emulator's log; {OTP} works as "
        "well.</p>\n"
        '<label for="otp">Code</label>\n'
        '<input id="otp" name="otp" required autofocus inputmode="numeric" maxlength="12" '
        f'autocomplete="one-time-code"{_described(screen)}>\n'
        + _buttons(_button("go", "Verify", main=True), _button("cancel", "Cancel", _CANCEL))
    )


def _consent(screen: Screen) -> Tuple[str, str]:
    rows = "".join(f"<li>{_t(text)}</li>" for text in screen.permissions)
    return "Permissions requested", (
        f"{_who(screen)}<p><b>{_t(_app_name(screen.attempt))}</b> would like to:</p>\n<ul>{rows}</ul>\n"
        "<p>Accept if you trust this app.</p>\n"
        + _buttons(_button("accept", "Accept", _ACCEPT + " autofocus", main=True), _button("deny", "Cancel", _DENY))
    )


def _confirm(screen: Screen) -> Tuple[str, str]:
    return f"Are you trying to sign in to {_app_name(screen.attempt)}?", (
        f"{_who(screen)}<p>Only continue if you began this on your own device, with an app you trust.</p>\n"
        + _buttons(_button("accept", "Continue", _ACCEPT + " autofocus", main=True), _button("deny", "Cancel", _DENY))
    )


def _finished(screen: Screen) -> Tuple[str, str]:
    return _app_name(screen.attempt), (
        f'<p id="finished">You have signed in to {_t(_app_name(screen.attempt))} on your device. You may now close '
        "this window.</p>"
    )


def _declined(screen: Screen) -> Tuple[str, str]:
    return _app_name(screen.attempt), (
        '<p id="declined">You did not sign in. The app on your device has been told. You may now close this window.</p>'
    )

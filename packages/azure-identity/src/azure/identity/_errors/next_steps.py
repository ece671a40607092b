"""What to do about a refusal of Microsoft Entra ID. Source of the codes: "Microsoft identity platform error codes"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._values.redaction import redacted
from .help import help_link

if TYPE_CHECKING:
    from .._protocols.entra import Refusal
    from .._values.messages import Response

SKEW = 120
"""Seconds this machine's clock may differ from the server's before a message mentions it."""

_OUTSIDE_VALIDITY = (700024,)
_MISMATCH = (70021, 700211, 700212, 700213, 7002381, 7002382)

# Codes, what to do, section of the troubleshooting page.
_STEPS: tuple[tuple[tuple[int, ...], str, str], ...] = (
    (
        (7000215,),
        "The client secret is wrong. Make sure it is the secret's value, not its id, and belongs to this application.",
        "wrong-secret",
    ),
    (
        (7000222,),
        "The client secret has expired. Create a new one under Certificates & secrets of the app registration.",
        "wrong-secret",
    ),
    (
        (700016, 700011),
        "The application does not exist in this tenant. Check client id and tenant, and that the application is "
        "installed there.",
        "unknown-application",
    ),
    (
        (90002, 900023, 50059),
        "The tenant does not exist. Check the tenant id, and that the authority is the right cloud's.",
        "unknown-tenant",
    ),
    (
        (700027, 700030),
        "The certificate is not registered with the application, or the assertion's signature does not match it. "
        "Upload the certificate's public part under Certificates & secrets, or use the certificate that is registered.",
        "certificate-refused",
    ),
    (
        _OUTSIDE_VALIDITY,
        "The assertion is outside its time of validity. Check this machine's clock; a federated token must be fresh.",
        "clock-skew",
    ),
    (
        _MISMATCH,
        "No federated credential of the application matches the assertion. Compare its issuer, subject and audience "
        "with those configured under Certificates & secrets, Federated credentials.",
        "federated-credential",
    ),
    (
        (70011, 1002012),
        'The scope is malformed. An application asks for one resource by "<resource>/.default".',
        "wrong-scope",
    ),
    ((500011, 500014), "The resource of the scope does not exist in this tenant, or is disabled there.", "wrong-scope"),
    (
        (7000218,),
        "The application is confidential and must prove who it is: configure a secret, certificate or assertion.",
        "wrong-secret",
    ),
    (
        (65001,),
        "The application lacks consent for the resource. An administrator can grant it in the app registration.",
        "consent",
    ),
    (
        (53003, 53000, 530003),
        "A Conditional Access policy refuses this sign-in. Ask an administrator of the tenant.",
        "conditional-access",
    ),
    (
        (50126, 50034, 50057),
        "User name or password is wrong; or the account is federated with another identity provider, or personal, and "
        "cannot sign in by user name and password: use InteractiveBrowserCredential or DeviceCodeCredential.",
        "sign-in",
    ),
    (
        (9001023,),
        "Signing in by user name and password needs a tenant: set tenant_id to the account's.",
        "sign-in",
    ),
    (
        (50173, 700082, 70043),
        "The account's sign-in has expired or was revoked. It has to sign in again.",
        "sign-in",
    ),
    ((54005, 70008), "The code works once, and for some minutes only. Sign in again to get another.", "sign-in"),
    ((70018, 70019, 70020), "The code is unknown or has expired. Ask for another.", "sign-in"),
    (
        (500131, 7000114),
        "The user assertion must be an access token of a user that was issued for this very application: its audience "
        "(aud) is another.",
        "on-behalf-of",
    ),
    ((500133,), "The user assertion has expired. The user's client must send a new one.", "on-behalf-of"),
    ((50076, 50079, 50158), "The sign-in needs another factor. Sign in again interactively.", "conditional-access"),
    (
        (100007,),
        "Regional endpoints are not open to this application. Unset AZURE_REGIONAL_AUTHORITY_NAME.",
        "regional-authority",
    ),
    ((90033,), "The service had a temporary problem. Try again in a while.", "service-trouble"),
)


def assertion_facts(name: str, refusal: Refusal, assertion: str, now: int) -> str:
    """What an assertion says about itself, when that explains why it was refused; else nothing.

    :param name: what the sentence begins with.
    :param now: this machine's time, epoch seconds.
    """
    from .._protocols.workload_identity import read_assertion

    mismatch, outside_validity = refusal.has(*_MISMATCH), refusal.has(*_OUTSIDE_VALIDITY)
    token = read_assertion(assertion) if mismatch or outside_validity else None
    if token is None:
        return ""
    facts = f"has {redacted(token.described(), limit=600)}" if mismatch else token.described_lifetime(now)
    return f"{name} {facts}."


def next_step(refusal: Refusal, response: Response, local_time: int, who: str) -> str:
    """One or two sentences and a help link."""
    from .._protocols.entra import retry_after, server_time

    step, section = "See the description above.", "refused"
    if refusal.claims and who == "OnBehalfOfCredential":
        step, section = "Send the error's claims to the user's client, as a claims challenge (401).", "on-behalf-of"
    elif refusal.error in ("authorization_declined", "access_denied"):
        step, section = "The person declined.", "sign-in"
    else:
        for codes, text, where in _STEPS:
            if refusal.has(*codes):
                step, section = text, where
                break
        else:
            if refusal.error == "invalid_client":
                step, section = "The application's secret, certificate or assertion was not accepted.", "wrong-secret"
            elif response.status >= 500 or response.status == 429:
                step, section = "The service could not answer just now. Try again in a while.", "service-trouble"
    wait = retry_after(response)
    if wait is not None:
        step += f" The service asks to wait {wait} seconds."
    there = server_time(response)
    if there is not None and abs(there - local_time) > SKEW:
        ahead = local_time - there
        side = "ahead of" if ahead > 0 else "behind"
        step += f" This machine's clock is {abs(ahead)} seconds {side} the server's: correct it."
        section = (
            "clock-skew" if section in ("certificate-refused", "clock-skew", "refused", "wrong-secret") else section
        )
    return f"{step} {help_link(section)}"

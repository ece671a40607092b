"""AKS identity bindings: a token proxy in the cluster that performs the exchange with Microsoft Entra ID.

Source: Azure Kubernetes Service documentation, "Identity bindings"; the variables are set by its webhook.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Mapping, NamedTuple, Optional
from urllib.parse import SplitResult, urlsplit, urlunsplit

from .._values import settings

_BEGIN = "-----BEGIN CERTIFICATE-----"
_CERTIFICATE = re.compile(_BEGIN + r"([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_HOST = re.compile(r"(?:[a-z0-9._-]+|[0-9a-f:.]+)\Z")


class IdentityBinding(NamedTuple):
    """How the cluster's token proxy is reached."""

    proxy: str
    """An https URL without a slash at its end."""
    server_name: Optional[str] = None
    """Name to send (SNI) and to verify, instead of the URL's host."""
    ca_file: Optional[str] = None
    """File with the certificates to trust. The cluster renews them, and with them the file."""
    ca_data: Optional[str] = None
    """The certificates themselves (PEM)."""


def configured_binding(environ: Optional[Mapping[str, str]] = None) -> Optional[IdentityBinding]:
    """The binding that environment variables describe; None if there is none, and tokens come from Entra ID directly.

    :raises ValueError: the variables are incomplete, contradict each other, or are malformed. No value is shown: a URL
        may contain a password.
    """
    proxy, name, ca_file, ca_data = (
        settings.read(variable, environ)
        for variable in (
            settings.KUBERNETES_TOKEN_PROXY,
            settings.KUBERNETES_SNI_NAME,
            settings.KUBERNETES_CA_FILE,
            settings.KUBERNETES_CA_DATA,
        )
    )
    if proxy is None:
        if name is None and ca_file is None and ca_data is None:
            return None
        raise ValueError(
            f"{settings.KUBERNETES_TOKEN_PROXY} is not set, but {settings.KUBERNETES_SNI_NAME}, "
            f"{settings.KUBERNETES_CA_FILE} or {settings.KUBERNETES_CA_DATA} is: together they describe one proxy."
        )
    if ca_file is not None and ca_data is not None:
        raise ValueError(
            f"{settings.KUBERNETES_CA_FILE} and {settings.KUBERNETES_CA_DATA} are both set: only one may be."
        )
    if ca_data is not None:
        try:
            ca_data = certificates(ca_data)
        except ValueError as error:
            raise ValueError(f"{settings.KUBERNETES_CA_DATA} {error}.") from None
    return IdentityBinding(_proxy_url(proxy), name, ca_file, ca_data)


def _proxy_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), "", None
    problem = None
    if parts.scheme.lower() != "https":
        problem = "it does not begin with https://"
    elif parts.username is not None or parts.password is not None:
        problem = "it contains user information"
    elif parts.query or parts.fragment:
        problem = f"it contains a {'query' if parts.query else 'fragment'}"
    elif not _HOST.match(host):
        problem = "it has no host, or one with characters that no host has"
    if problem is not None:
        raise ValueError(
            f"{settings.KUBERNETES_TOKEN_PROXY} must be an https URL such as 'https://proxy.example/path', but "
            f"{problem}."
        )
    location = (f"[{host}]" if ":" in host else host) + (f":{port}" if port is not None else "")
    return f"https://{location}{parts.path.rstrip('/')}"


def through_proxy(url: str, proxy: str) -> str:
    """The URL of a request that the proxy takes in place of the one at `url`.

    Its path goes below the proxy's; one that is there already stays as it is.
    """
    target, base = urlsplit(url), urlsplit(proxy)
    path = base.path.rstrip("/")
    if _origin(target) == _origin(base) and (target.path == path or target.path.startswith(f"{path}/")):
        return url
    return urlunsplit((base.scheme, base.netloc, f"{path}/{target.path.lstrip('/')}", target.query, ""))


def _origin(parts: SplitResult) -> tuple[str, str, Optional[int]]:
    """RFC 6454, section 4."""
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or {"https": 443, "http": 80}.get(scheme)


def certificates(text: str) -> str:
    """The certificates in a PEM text (RFC 7468) and nothing else, so that equal ones compare equal.

    :raises ValueError: there is none, or one is incomplete, as in a file that is just being written. The text says so,
        and follows the name of where it was found.
    """
    found = [re.sub(r"\s", "", body) for body in _CERTIFICATE.findall(text)]
    if not found and _BEGIN not in text:
        raise ValueError("contains no certificate (PEM)")
    if len(found) != text.count(_BEGIN) or not all(_is_whole(body) for body in found):
        raise ValueError("contains an incomplete certificate")
    lines = ("\n".join(body[i : i + 64] for i in range(0, len(body), 64)) for body in found)
    return "".join(f"{_BEGIN}\n{body}\n-----END CERTIFICATE-----\n" for body in lines)


def _is_whole(body: str) -> bool:
    """Whether a certificate is a DER sequence (X.690, section 8.1.3) that is as long as it says."""
    try:
        der = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return False
    if len(der) < 2 or der[0] != 0x30:
        return False
    if der[1] < 0x80:
        return len(der) == 2 + der[1]
    size = der[1] & 0x7F
    return 1 <= size <= 4 and len(der) == 2 + size + int.from_bytes(der[2 : 2 + size], "big")

"""The environment variables that lead Azure programs to an emulator, and how shells write them."""

from __future__ import annotations

import os
import re
import shlex
import ssl
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, Optional

SHELLS = ("bash", "fish", "powershell", "cmd", "dotenv")

CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""The requests library reads the first, everything built on the ssl module (aiohttp, httpx) the second."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def ca_bundle(own: bytes, environment: Mapping[str, str], *, without: Optional[Path] = None) -> bytes:
    """PEM text with the emulator's authority first, then the roots that programs here trust already.

    Those are the files which `environment` names, else certifi's, else the ones OpenSSL was built with.

    :param without: a file not to read, because it is the one about to be written.
    """
    texts = [own, *(_read(path) for path in _root_files(environment) if path != without)]
    found: Dict[bytes, None] = {}
    for text in texts:
        for certificate in _CERTIFICATE.findall(text):
            found.setdefault(certificate.replace(b"\r\n", b"\n"))
    return b"\n".join(found) + b"\n"


def proxy_exception(environment: Mapping[str, str]) -> Dict[str, str]:
    """The variables that keep loopback requests off a proxy, if `environment` has one."""
    lower = {name.lower(): value for name, value in environment.items()}
    if not any(lower.get(name) for name in _PROXIES):
        return {}
    names = [name.strip() for name in lower.get("no_proxy", "").split(",") if name.strip()]
    names += [name for name in ("localhost", "127.0.0.1", "::1") if name not in names]
    return {"NO_PROXY": ",".join(names), "no_proxy": ",".join(names)}


def is_azure_variable(name: str) -> bool:
    """Whether `name` steers how Azure programs authenticate."""
    return name.upper().startswith(("AZURE_", "AZUREPS_", "IDENTITY_", "IMDS_", "MSI_", "DEFAULT_IDENTITY_"))


def detect_shell(environment: Mapping[str, str]) -> str:
    """The shell that `environment` seems to come from."""
    name = Path(environment.get("SHELL", "")).name
    if name:
        return "fish" if name == "fish" else "powershell" if name == "pwsh" else "bash"
    if "PSModulePath" in environment and os.name == "nt":
        return "powershell"
    return "cmd" if os.name == "nt" else "bash"


def render(variables: Mapping[str, str], shell: str) -> List[str]:
    """Lines that set `variables` in `shell`, one of `SHELLS`."""
    return [_line(name, value, shell) for name, value in variables.items()]


def _line(name: str, value: str, shell: str) -> str:
    if shell == "bash":
        return f"export {name}={shlex.quote(value)}"
    if shell == "fish":
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"set -gx {name} '{escaped}'"
    if shell == "powershell":
        escaped = value.replace("'", "''")
        return f"$env:{name} = '{escaped}'"
    if shell == "cmd":
        return f'set "{name}={value}"'
    if shell == "dotenv":
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}="{escaped}"'
    raise ValueError(f"shell: expected one of {', '.join(SHELLS)}, got {shell!r}")


def _root_files(environment: Mapping[str, str]) -> Iterable[Path]:
    named = [environment[name] for name in (*CA_VARIABLES, "CURL_CA_BUNDLE") if environment.get(name)]
    files = [Path(name) for name in dict.fromkeys(named) if Path(name).is_file()]
    certifi = _certifi()
    if certifi is not None:
        return [*files, certifi]
    system = ssl.get_default_verify_paths().openssl_cafile
    return [*files, Path(system)] if system and Path(system).is_file() else files


def _certifi() -> Optional[Path]:
    try:
        import certifi
    except ImportError:
        return None
    return Path(certifi.where())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""

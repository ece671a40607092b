"""Azure Arc's local token endpoint (himds): a challenge that only who may read a file can answer.

Source: "Authenticate against Azure resources with Azure Arc-enabled servers".
"""

from __future__ import annotations

import ntpath
import posixpath
import re
from typing import Any, Optional, Sequence

from .._values.messages import Request, Response
from .managed_identity import query_url

API_VERSION = "2020-06-01"
KEY_SUFFIX = ".key"
KEY_LIMIT = 4096
"""Bytes a key has at most."""
HEADER_LIMIT = 8192
"""Characters of a challenge that are looked at: paths are shorter."""
LINUX_KEYS = "/var/opt/azcmagent/tokens"
"""Where the agent keeps its keys."""
WINDOWS_KEYS = "AzureConnectedMachineAgent\\Tokens"
"""The same, below %ProgramData%."""


class BadChallenge(Exception):
    """A challenge that is none of the agent's, or a key that is none."""


def token_request(
    endpoint: str, resource: str, selector: Sequence[tuple[str, str]], key: Optional[str] = None
) -> Request:
    """Ask for a token: without a key to be challenged, with it to get it."""
    url = query_url(endpoint, [("api-version", API_VERSION), ("resource", resource), *selector])
    headers = {"Metadata": "true"}
    if key is not None:
        headers["Authorization"] = f"Basic {key}"
    return Request("GET", url, headers, direct=True)


_BASIC = re.compile(r"(?:^|,)\s*basic\s+(.*)", re.I | re.S)
_REALM = re.compile(r"""(?:^|,)\s*realm\s*=\s*(?:"([^"]*)"|(.*?))\s*(?:,\s*[A-Za-z-]+\s*=.*)?$""", re.I | re.S)


def challenged_path(response: Response) -> str:
    """The path of the key file in a challenge (RFC 9110, section 11.6.1), whether it is quoted or not.

    :raises BadChallenge: there is none.
    """
    header = response.headers.get("www-authenticate", "")
    if not header:
        raise BadChallenge("the answer has no WWW-Authenticate header")
    scheme = _BASIC.search(header) if len(header) <= HEADER_LIMIT else None
    realm = _REALM.search(scheme[1].strip()) if scheme else None
    path = str(realm[2] if realm[1] is None else realm[1]).strip() if realm else ""
    if not path:
        raise BadChallenge("its WWW-Authenticate header is not 'Basic realm=<path>'")
    return path


def key_directory(platform: str, program_data: Optional[str]) -> str:
    """The only directory keys are read from.

    :raises BadChallenge: there is none on this platform.
    """
    if platform.startswith("linux"):
        return LINUX_KEYS
    if platform == "win32":
        if not program_data:
            raise BadChallenge("the environment variable ProgramData is not set")
        return ntpath.join(program_data, WINDOWS_KEYS)
    raise BadChallenge(f"Azure Arc is not supported on this platform ({platform})")


def checked_path(path: str, directory: str, platform: str) -> str:
    """The path, if it is a key file directly in the directory: whoever answers must not be able to have other files
    read and sent to it.

    :raises BadChallenge: it is somewhere else, or not a key file.
    """
    paths: Any = ntpath if platform == "win32" else posixpath
    if "\0" in path or not paths.isabs(path):
        raise BadChallenge("Unexpected file path: it is not absolute")
    normal: str = paths.normpath(path)
    if paths.normcase(paths.dirname(normal)) != paths.normcase(paths.normpath(directory)):
        raise BadChallenge(f"Unexpected file path: it is not in {directory}")
    if paths.splitext(normal)[1].lower() != KEY_SUFFIX:
        raise BadChallenge(f"Unexpected file extension: it is not {KEY_SUFFIX}")
    return normal


def parse_key(content: bytes) -> str:
    """The key in a key file.

    :raises BadChallenge: it is empty, or has characters no header may have.
    """
    key = content.strip(b" \t\r\n").decode("latin-1")
    if not key:
        raise BadChallenge("the key file is empty")
    if any(ord(character) < 32 or ord(character) > 126 for character in key):
        raise BadChallenge("the key file has characters that no key has")
    return key

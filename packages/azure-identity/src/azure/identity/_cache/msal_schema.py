"""Reading MSAL's unified cache schema, which Microsoft's tools share.

A document is a JSON object of sections; each section maps a key nobody parses to an entry. Fields are read with care:
documents are written by many programs, and one bad entry must not hide the others. Times are strings or numbers of
epoch seconds. Scopes are one string, separated by blanks. Environments are host names; aliases of one cloud mean the
same.
"""

from __future__ import annotations

import json
from typing import Any, Iterator, NamedTuple, Optional, Sequence

from .._protocols.authority import Authority, parse_authority
from .._protocols.entra import whole


class StoredAccount(NamedTuple):
    """An account a document knows."""

    home_account_id: str
    username: str

    @property
    def tenant_id(self) -> Optional[str]:
        """The home tenant, which follows the only dot; None if the id is of another form."""
        _, dot, tenant = self.home_account_id.partition(".")
        return tenant if dot and "." not in tenant else None

    def __repr__(self) -> str:
        # The user name is personal: a repr ends up in logs.
        return f"StoredAccount(home_account_id={self.home_account_id!r})"


class StoredRefreshToken(NamedTuple):
    """A refresh token in a document."""

    secret: str
    home_account_id: str
    client_id: str
    family_id: Optional[str]
    modified: int

    def __repr__(self) -> str:
        return f"StoredRefreshToken(client_id={self.client_id!r}, family_id={self.family_id!r})"


class StoredAccessToken(NamedTuple):
    """An access token in a document."""

    secret: str
    home_account_id: str
    client_id: str
    realm: str
    scopes: frozenset[str]
    expires_on: int
    refresh_on: Optional[int]

    def __repr__(self) -> str:
        return f"StoredAccessToken(client_id={self.client_id!r}, expires_on={self.expires_on})"


class Document:
    """A parsed cache document. Sections that are missing, and entries that make no sense, are simply not there."""

    def __init__(self, text: str) -> None:
        try:
            document = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError):
            document = None
        self.damaged = not isinstance(document, dict)
        """Whether the text is no document at all."""
        self._document: dict[str, Any] = document if isinstance(document, dict) else {}

    def _entries(self, section: str, authority: Authority) -> Iterator[dict[str, Any]]:
        entries = self._document.get(section)
        for entry in entries.values() if isinstance(entries, dict) else ():
            if isinstance(entry, dict) and _is_of(entry, authority):
                yield entry

    def accounts(self, authority: Authority) -> list[StoredAccount]:
        """The accounts of a cloud, each once: as its home tenant knows it, if the document says, else as any does."""
        found: dict[str, StoredAccount] = {}
        for entry in self._entries("Account", authority):
            home = _text(entry, "home_account_id")
            if home:
                account = StoredAccount(home, _text(entry, "username") or "")
                at_home = (_text(entry, "realm") or "").lower() == (account.tenant_id or "-").lower()
                if at_home or home not in found:
                    found[home] = account
        return list(found.values())

    def refresh_tokens(self, authority: Authority, home_account_id: str) -> list[StoredRefreshToken]:
        """An account's refresh tokens, the newest first."""
        found = [
            StoredRefreshToken(
                secret,
                home_account_id,
                _text(entry, "client_id") or "",
                _family(entry),
                whole(entry.get("last_modification_time")) or 0,
            )
            for entry in self._entries("RefreshToken", authority)
            if (secret := _text(entry, "secret")) and _text(entry, "home_account_id") == home_account_id
        ]
        return sorted(found, key=lambda token: -token.modified)

    def access_token(
        self, authority: Authority, home_account_id: str, client_id: str, realms: Sequence[str], scopes: Sequence[str]
    ) -> Optional[StoredAccessToken]:
        """The account's access token for a client, one of the tenants and scopes that lives longest, or None."""
        wanted = [realm.lower() for realm in realms]
        best: Optional[StoredAccessToken] = None
        for entry in self._entries("AccessToken", authority):
            token = _access_token(entry)
            if (
                token is not None
                and (token.home_account_id, token.client_id) == (home_account_id, client_id)
                and token.realm.lower() in wanted
                and token.scopes.issuperset(scopes)
                and (best is None or token.expires_on > best.expires_on)
            ):
                best = token
        return best


def _access_token(entry: dict[str, Any]) -> Optional[StoredAccessToken]:
    # Extended entries answer other requests; a type other than Bearer needs a key nobody here has.
    if entry.get("ext_cache_key") or str(entry.get("token_type") or "Bearer").lower() != "bearer":
        return None
    secret, expires_on = _text(entry, "secret"), whole(entry.get("expires_on"))
    if not secret or expires_on is None:
        return None
    return StoredAccessToken(
        secret,
        _text(entry, "home_account_id") or "",
        _text(entry, "client_id") or "",
        _text(entry, "realm") or "",
        frozenset((_text(entry, "target") or "").split()),
        expires_on,
        whole(entry.get("refresh_on")),
    )


def _is_of(entry: dict[str, Any], authority: Authority) -> bool:
    """Whether an entry's environment is the authority's host or another name of its cloud. Entries know no ports."""
    environment = (_text(entry, "environment") or "").lower()
    if environment == authority.host:
        return True
    try:
        return bool(environment) and parse_authority(environment).cloud == authority.cloud
    except ValueError:
        return False


def _family(entry: dict[str, Any]) -> Optional[str]:
    family = entry.get("family_id")
    return str(family) if family not in (None, "", 0) else None


def _text(entry: dict[str, Any], name: str) -> Optional[str]:
    value = entry.get(name)
    return value if isinstance(value, str) and value else None

"""Who signed in, without any secret: enough to find the account's tokens again."""

from __future__ import annotations

import json
from typing import Any

SUPPORTED_VERSIONS = {"1.0"}


class AuthenticationRecord:
    """Non-secret information about a person's sign-in.

    A program can keep it (`serialize`) and give it to a credential later, which then uses the account's cached tokens
    instead of asking the person again.

    :param str tenant_id: the tenant the account signed in to.
    :param str client_id: the application it signed in to.
    :param str authority: host of the authority, such as `login.microsoftonline.com`.
    :param str home_account_id: a unique id of the account.
    :param str username: the account's user name, usually an e-mail address.
    """

    def __init__(self, tenant_id: str, client_id: str, authority: str, home_account_id: str, username: str) -> None:
        self._authority = authority
        self._client_id = client_id
        self._home_account_id = home_account_id
        self._tenant_id = tenant_id
        self._username = username

    @property
    def authority(self) -> str:
        """Host of the authority that authenticated the account."""
        return self._authority

    @property
    def client_id(self) -> str:
        """The application the account signed in to."""
        return self._client_id

    @property
    def home_account_id(self) -> str:
        """A unique id of the account."""
        return self._home_account_id

    @property
    def tenant_id(self) -> str:
        """The tenant the account signed in to."""
        return self._tenant_id

    @property
    def username(self) -> str:
        """The account's user name."""
        return self._username

    def serialize(self) -> str:
        """The record as JSON, for `deserialize`. It contains no secret."""
        return json.dumps(
            {
                "authority": self._authority,
                "clientId": self._client_id,
                "homeAccountId": self._home_account_id,
                "tenantId": self._tenant_id,
                "username": self._username,
                "version": "1.0",
            }
        )

    @classmethod
    def deserialize(cls, data: str) -> AuthenticationRecord:
        """The record that `serialize` wrote.

        :param str data: JSON.
        :raises ValueError: it is not JSON, has another version, or lacks a member.
        """
        try:
            document = json.loads(data)
        except RecursionError:
            raise ValueError("An authentication record must be a JSON object.") from None
        if not isinstance(document, dict):
            raise ValueError("An authentication record must be a JSON object.")
        version = document.get("version")
        if not isinstance(version, str) or version not in SUPPORTED_VERSIONS:
            supported = ", ".join(sorted(SUPPORTED_VERSIONS))
            raise ValueError(
                f"The authentication record has version {version!r}, which is not supported. Supported versions: "
                f"{supported}."
            )
        names = ("tenantId", "clientId", "authority", "homeAccountId", "username")
        missing = [name for name in names if not isinstance(document.get(name), str)]
        if missing:
            raise _MissingMember(f"The authentication record lacks {', '.join(missing)}.")
        return cls(*(document[name] for name in names))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AuthenticationRecord) and self.serialize() == other.serialize()

    def __hash__(self) -> int:
        return hash(self.serialize())

    def __repr__(self) -> str:
        # The user name is personal: a repr ends up in logs.
        return f"AuthenticationRecord(tenant_id={self._tenant_id!r}, client_id={self._client_id!r})"


class _MissingMember(ValueError, KeyError):
    """Caught as either: programs written for the published package expect KeyError."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> Any:
        return (_MissingMember, self.args)

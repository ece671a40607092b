"""The refresh tokens of signed-in accounts.

A refresh token belongs to an account and a client, not to a resource or tenant, so one per account and client is kept:
the newest. One that belongs to a family of clients ("foci" in the answer) serves every member of the family.
"""

from __future__ import annotations

from .._values.messages import RefreshToken


class RefreshTokens:
    """Refresh tokens by account. Safe for threads: each step is one operation on one dict or set."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, str], dict[str, RefreshToken]] = {}
        self._not_in_family: set[str] = set()

    def __repr__(self) -> str:
        return f"RefreshTokens({len(self._tokens)} accounts)"

    def put(self, cloud: str, home_account_id: str, token: RefreshToken) -> None:
        """Keep a token in place of the one it renews."""
        slot = f"family {token.family_id}" if token.family_id else token.client_id
        slots = self._tokens.setdefault((cloud, home_account_id), {})
        slots.pop(slot, None)  # so that the newest is the last
        slots[slot] = token
        if token.family_id:
            self._not_in_family.discard(token.client_id)

    def candidates(self, cloud: str, home_account_id: str, client_id: str) -> list[RefreshToken]:
        """What may renew the account's tokens for a client: its own first, then its family's; the newest first."""
        tokens = list(self._tokens.get((cloud, home_account_id), {}).values())[::-1]
        own = [token for token in tokens if token.client_id == client_id]
        if client_id in self._not_in_family:
            return own
        return own + [token for token in tokens if token.family_id and token.client_id != client_id]

    def drop(self, cloud: str, home_account_id: str, secret: str) -> None:
        """Forget a token that was refused for good."""
        tokens = self._tokens.get((cloud, home_account_id), {})
        for slot, token in list(tokens.items()):
            if token.secret == secret and tokens.get(slot) is token:
                tokens.pop(slot, None)

    def leave_family(self, client_id: str) -> None:
        """Family tokens do not work for this client."""
        self._not_in_family.add(client_id)

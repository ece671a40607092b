"""An account another Microsoft developer tool is signed in with, found in the cache those tools share.

On the wire: nothing if the cache holds a fresh access token; else one POST with a refresh token it holds.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Optional

from .._cache.refresh import LAST_MINUTES
from .._constants import DEVELOPER_SIGN_ON_CLIENT_ID
from .._errors.help import help_link
from .._flows.entra import EntraFlow
from .._flows.shells import AsyncCredential, SyncCredential
from .._flows.twins import AIO, public
from .._flows.users import DEFAULT_TENANT
from .._values.messages import IN_DEFAULT_CHAIN, Token

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._cache.msal_schema import Document, StoredAccount, StoredRefreshToken
    from .._outside.port import FlowIO
    from .._persistence import TokenCachePersistenceOptions
    from .._values.messages import TokenRequest
    from .._values.record import AuthenticationRecord
    from .._values.settings import CredentialOptions


class SharedTokenCacheFlow(EntraFlow):
    """Authenticates as an account in the token cache that Microsoft's developer tools share.

    This version reads plain caches only (`~/.IdentityService`); where the cache is encrypted, requests raise
    `CredentialUnavailableError`.

    :param str username: user name of the account, where the cache holds several.
    :keyword str tenant_id: home tenant of the account, where the cache holds several.
    :keyword authentication_record: the account, as a credential's `authenticate` returned it.
    :paramtype authentication_record: ~azure.identity.AuthenticationRecord
    :keyword str authority: host of the authority, such as `AzureAuthorityHosts.AZURE_CHINA`. Default:
        `AZURE_AUTHORITY_HOST`, else the public cloud.
    :keyword cache_persistence_options: names the cache. Default: the one that developer tools share.
    :paramtype cache_persistence_options: ~azure.identity.TokenCachePersistenceOptions
    :keyword bool disable_instance_discovery: trust an authority that Microsoft does not know. Default: False.
    :keyword additionally_allowed_tenants: tenants besides `tenant_id` that a caller may request tokens from; `*` allows
        any. Default: none.
    :paramtype additionally_allowed_tenants: list[str]
    :raises ValueError: an argument is malformed.
    :raises TypeError: an identity keyword looks misspelt.
    """

    def __init__(
        self,
        username: Optional[str] = None,
        *,
        tenant_id: Optional[str] = None,
        authentication_record: Optional[AuthenticationRecord] = None,
        **options: Unpack[CredentialOptions],
    ) -> None:
        given: dict[str, Any] = dict(options)
        client_id, tenant = DEVELOPER_SIGN_ON_CLIENT_ID, DEFAULT_TENANT
        if authentication_record is not None:
            client_id, given["authority"] = authentication_record.client_id, authentication_record.authority
            tenant = tenant_id or authentication_record.tenant_id
        persistence: Optional[TokenCachePersistenceOptions] = given.get("cache_persistence_options")
        super().__init__(tenant, client_id, given, ("username", "authentication_record"))
        self._account_record = authentication_record
        self._username = username or None
        self._home_tenant = tenant_id or None
        self._store_name = persistence.name if persistence is not None else "msal.cache"

    @staticmethod
    def supported() -> bool:
        """Whether the shared token cache can exist on this platform: Windows, macOS or Linux."""
        return sys.platform.startswith(("win", "darwin", "linux"))

    def _subject(self, ask: TokenRequest) -> str:
        if self._account_record is not None:
            return self._account_record.home_account_id
        return f"shared cache: {self._username or ''} {self._home_tenant or ''}"

    async def _acquire(self, io: FlowIO, ask: TokenRequest) -> Token:
        from .._errors.errors import AuthenticationFailedError
        from .._protocols.users import anchor, refresh_form, user_scopes

        document = await self._load(io, ask)
        account = self._choose(document)
        tenant = self._tenant_for(ask)
        # For an account, "organizations" and its home tenant are the same.
        realms = [tenant, account.tenant_id] if tenant == DEFAULT_TENANT and account.tenant_id else [tenant]
        stored = document.access_token(self._authority, account.home_account_id, self._client_id, realms, ask.scopes)
        if stored is not None and not ask.claims and stored.expires_on - io.now() > LAST_MINUTES:
            return Token(stored.secret, stored.expires_on, stored.refresh_on)
        last: Optional[AuthenticationFailedError] = None
        for candidate in self._usable(document.refresh_tokens(self._authority, account.home_account_id)):
            form = refresh_form(self._client_id, user_scopes(ask.scopes), candidate.secret, {})
            try:
                return (await self._exchange(io, ask, form, anchor(home_account_id=account.home_account_id))).token
            except AuthenticationFailedError as error:
                last = error
                if error.error_code not in ("invalid_grant", "interaction_required", "consent_required"):
                    break
        message = (
            f"{self._who}: Token acquisition failed for user {account.username!r} of the shared token cache. Sign in "
            f"again with the developer tool that signed it in. {help_link('shared-token-cache')}"
        )
        if last is None or ask.context == IN_DEFAULT_CHAIN:
            reason = f" {last.message}" if last is not None else ""
            raise self._unavailable(message + reason, getattr(last, "response", None)) from last
        raise last

    def _usable(self, tokens: list[StoredRefreshToken]) -> list[StoredRefreshToken]:
        """Tokens of this client first, then those of its family; others are bound to clients this one is not."""
        own = [token for token in tokens if token.client_id == self._client_id]
        return own + [token for token in tokens if token.family_id and token.client_id != self._client_id]

    async def _load(self, io: FlowIO, ask: TokenRequest) -> Document:
        from .._cache.msal_schema import Document
        from .._cache.store import PlainFileStore, StoreUnusable

        if not self.supported():
            raise self._unavailable(f"{self._who}: Shared token cache is not supported on this platform.")
        store = PlainFileStore(self._store_name, cae=ask.cae)
        try:
            document = Document(await store.load(io))
            if document.damaged:
                raise StoreUnusable(f"{store.path} is damaged: it is not a JSON object")
        except StoreUnusable as error:
            raise self._unavailable(
                f"{self._who}: Shared token cache unavailable: {error}. {help_link('shared-token-cache')}"
            ) from error
        return document

    def _choose(self, document: Document) -> StoredAccount:
        """The one account that is meant."""
        accounts = document.accounts(self._authority)
        if self._account_record is not None:
            home = self._account_record.home_account_id.lower()
            wanted = [account for account in accounts if account.home_account_id.lower() == home]
        else:
            accounts = [
                account
                for account in accounts
                if any(token.family_id for token in document.refresh_tokens(self._authority, account.home_account_id))
            ]
            wanted = [
                account
                for account in accounts
                if _same(self._username, account.username) and _same(self._home_tenant, account.tenant_id)
            ]
        if len(wanted) == 1:
            return wanted[0]
        which = [
            f"{label}: {value}"
            for label, value in (("username", self._username), ("tenant", self._home_tenant))
            if value is not None
        ]
        if self._account_record is not None:
            which = ["authentication record"]
        described = f" matching the specified {', '.join(which)}" if which else ""
        if not accounts:
            reason = "No accounts were found in the cache."
        elif not wanted:
            reason = f"No account{described} was found in the cache."
        else:
            reason = (
                f"Multiple accounts{described} were found in the cache. Name one by username and tenant_id "
                "(AZURE_USERNAME and AZURE_TENANT_ID for DefaultAzureCredential)."
            )
        raise self._unavailable(f"{self._who}: {reason} {help_link('shared-token-cache')}")


def _same(wanted: Optional[str], found: Optional[str]) -> bool:
    """Whether an account has what was asked for, if anything was. User names and tenants have no case."""
    return wanted is None or wanted.lower() == (found or "").lower()


@public("SharedTokenCacheCredential")
class SharedTokenCacheCredential(SharedTokenCacheFlow, SyncCredential):
    __doc__ = SharedTokenCacheFlow.__doc__


@public("SharedTokenCacheCredential", AIO)
class AsyncSharedTokenCacheCredential(SharedTokenCacheFlow, AsyncCredential):
    __doc__ = SharedTokenCacheFlow.__doc__

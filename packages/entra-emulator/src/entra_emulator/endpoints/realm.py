"""Everything behind the HTTP face: one emulated Entra ID with its directory, keys, clock and log."""

from __future__ import annotations

import dataclasses
import random
import ssl
from typing import FrozenSet, Optional

from ..directory.directory import Directory
from ..journal.faults import Faults
from ..journal.request_log import RequestLog
from ..keys.certificate_authority import CertificateAuthority, new_authority, parse_authority
from ..keys.key_store import KeyStore
from ..keys.signing import new_signing_key, parse_signing_key
from ..sign_in.conversation import Conversations
from ..sign_in.grant_core import Parts
from ..sign_in.grants import UserGrants
from ..sign_in.user_tokens import UserTokenIssuer
from ..tokens.access_tokens import TokenIssuer
from ..tokens.client_authentication import ClientAuthenticator
from ..tokens.conditional_access import ConditionalAccess
from ..tokens.federation import Federation
from ..tokens.token_service import TokenService
from ..values.addresses import Addresses
from ..values.clock import Clock
from ..values.settings import Settings
from .protected_resource import TokenVerifier


class Realm:
    """The parts, wired together.

    :param store: where the keys rest.
    :param seed: makes random lifetimes repeatable. Ids and tokens stay random.
    """

    def __init__(self, store: KeyStore, settings: Settings, clock: Clock, seed: Optional[int] = None) -> None:
        self.settings = settings
        self._first_settings = dataclasses.replace(settings)
        self.clock = clock
        self.directory = Directory()
        self.faults = Faults()
        self.requests = RequestLog()
        self.addresses = Addresses(frozenset(), frozenset())
        self.authority: CertificateAuthority = store.load_or_create("authority.pem", parse_authority, new_authority)
        self.signing_key = store.load_or_create(
            "token-signing.pem", parse_signing_key, lambda: new_signing_key("entra-emulator token signing")
        )
        federation_key = store.load_or_create(
            "federation-signing.pem", parse_signing_key, lambda: new_signing_key("entra-emulator federation")
        )
        self.federation = Federation(federation_key, clock, lambda: self.addresses, self._client_tls)
        self.authenticator = ClientAuthenticator(clock, settings, self.federation, lambda: self.addresses)
        dice = random.Random(seed)  # noqa: S311 - lifetimes, no keys
        self.issuer = TokenIssuer(self.signing_key, clock, settings, dice)
        self.policies = ConditionalAccess()
        self.tokens = TokenService(self.directory, self.authenticator, self.issuer, settings, self.policies)
        self.people = Parts(
            self.directory,
            self.tokens,
            self.authenticator,
            self.signing_key,
            clock,
            settings,
            UserTokenIssuer(self.issuer, settings),
            self.issuer.ledger,
            self.policies,
        )
        self.user_grants = UserGrants(self.people)
        self.tokens.add_grants(self.user_grants.grants())
        self.conversations = Conversations(self.people, self.user_grants)
        self.verifier = TokenVerifier(self.signing_key, clock, settings, self.directory.tenant)

    def listen_at(self, hosts: FrozenSet[str], ports: FrozenSet[int]) -> None:
        """Tell the realm by which names and ports it is reached."""
        self.addresses = Addresses(hosts, ports)

    def forget(self) -> None:
        """Back to the beginning: empty directory, log and faults, real time, first settings."""
        self.directory.clear()
        self.people.users.clear()
        self.people.consents.clear()
        self.people.codes.clear()
        self.conversations.clear()
        self.policies.clear()
        self.issuer.ledger.clear()
        self.faults.clear()
        self.requests.clear()
        self.clock.reset()
        self.federation.forget()
        self.authenticator.forget()
        for field in dataclasses.fields(self.settings):
            setattr(self.settings, field.name, getattr(self._first_settings, field.name))

    def _client_tls(self) -> ssl.SSLContext:
        """Trusts what this machine trusts, and the emulators that share this authority."""
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=self.authority.certificate_pem.decode())
        return context

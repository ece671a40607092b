"""What all credentials that ask Microsoft Entra ID have in common: authority, tenant, discovery, and one exchange with
the token endpoint.

In order, on the wire: an instance discovery, only for a host that is neither Microsoft's nor this machine and not
trusted by `disable_instance_discovery`, once per process and host; a question to IMDS, only when
`AZURE_REGIONAL_AUTHORITY_NAME` asks to detect the region and nothing else tells it, once per process; then one POST to
the token endpoint, repeated once if the service says that its trouble is temporary.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Mapping, Optional

from .._cache.memory import TokenKey
from .._errors.help import help_link
from .._protocols.authority import PUBLIC_CLOUD, Authority, is_adfs, parse_authority, token_endpoint, valid_region
from .._protocols.scopes import canonical_scopes, parse_claims, validate_scopes
from .._protocols.tenants import TenantNotAllowed, resolve_tenant, tenant_list, validate_tenant
from .._values import settings
from .._values.messages import Unreachable
from .._values.redaction import redacted
from .flow import Flow, split_options

if TYPE_CHECKING:
    from .._errors.errors import AuthenticationFailedError
    from .._outside.port import FlowIO
    from .._protocols.entra import Granted, Refusal
    from .._values.messages import Response, Token, TokenRequest

TRANSIENT_PAUSE = 1.0
"""Seconds before the one repetition of a request the service could not serve just now."""
TRANSIENT_CODE = 90033
"""AADSTS90033: "A transient error has occurred. Please try again." ("Microsoft identity platform error codes")"""

# Answers that hold for the process: hosts that instance discovery confirmed, and the region (None: looked for, not
# found).
_confirmed_hosts: set[str] = set()
_detected_region: list[Optional[str]] = []


def configured_authority(authority: Optional[str], environ: Optional[Mapping[str, str]] = None) -> Authority:
    """The authority a credential uses: the keyword, else AZURE_AUTHORITY_HOST, else the public cloud."""
    if authority:
        return parse_authority(authority)
    configured = settings.read(settings.AUTHORITY_HOST, environ)
    try:
        return parse_authority(configured or PUBLIC_CLOUD)
    except ValueError as error:
        raise ValueError(f"{settings.AUTHORITY_HOST}: {error}") from None


class EntraFlow(Flow):
    """A flow whose tokens come from Microsoft Entra ID (or AD FS)."""

    _tenant: str
    _client_id: str
    _region_setting: Optional[str] = None
    _regional = False
    """Whether this grant may go to a regional endpoint."""

    def __init__(
        self, tenant_id: str, client_id: str, options: Mapping[str, Any], parameters: tuple[str, ...] = ()
    ) -> None:
        own, self._pipeline_options = split_options(self._who, options, parameters)
        if not client_id:
            raise ValueError("client_id must be the id of an application in Microsoft Entra ID, but it is empty.")
        self._tenant = validate_tenant(tenant_id)
        self._client_id = client_id
        self._authority = configured_authority(own.get("authority"))
        self._trusted = bool(own.get("disable_instance_discovery"))
        self._allowed_tenants = tenant_list(own.get("additionally_allowed_tenants"))
        self._region_setting = _configured_region() if self._regional else None

    def _check(self, ask: TokenRequest) -> None:
        validate_scopes(ask.scopes, ask.method)
        if ask.claims:
            parse_claims(ask.claims)
        self._tenant_for(ask)

    def _tenant_for(self, ask: TokenRequest) -> str:
        """The tenant to request the token from."""
        if ask.tenant is None:
            return self._tenant
        try:
            tenant = resolve_tenant(
                self._tenant,
                validate_tenant(ask.tenant),
                self._allowed_tenants,
                multitenant_disabled=settings.read_flag(settings.DISABLE_MULTITENANT),
            )
        except TenantNotAllowed:
            raise self._tenant_refused(ask) from None
        assert tenant is not None  # one is configured
        return tenant

    def _key(self, ask: TokenRequest) -> TokenKey:
        return TokenKey(
            self._authority.cloud,
            self._tenant_for(ask).lower(),
            self._client_id,
            self._subject(ask),
            canonical_scopes(ask.scopes),
            ask.cae,
        )

    def _subject(self, ask: TokenRequest) -> str:
        """Whom tokens are for: the application itself, unless a subclass says otherwise."""
        return ""

    # --- the exchange ---

    async def _redeem(self, io: FlowIO, ask: TokenRequest, form: Mapping[str, str]) -> Token:
        """Send a grant to the token endpoint and read the token, or say why there is none."""
        return (await self._exchange(io, ask, form)).token

    async def _exchange(
        self, io: FlowIO, ask: TokenRequest, form: Mapping[str, str], headers: Optional[Mapping[str, str]] = None
    ) -> Granted:
        """The same, with everything else the answer holds."""
        from .._protocols.entra import Granted, Unusable, json_object, parse_refusal, parse_token, token_request

        url = await self._token_endpoint(io, self._tenant_for(ask))
        for repetition in (False, True):
            sent_at = io.now()
            request = token_request(url, form, claims=ask.claims, cae=ask.cae, correlation_id=io.new_id())
            if headers:
                request = request._replace(headers={**request.headers, **headers})
            response = await self._post(io, request)
            refusal = parse_refusal(response) if response.status != 200 else None
            # 5xx answers have been repeated by the pipeline's retry policy already.
            transient = (
                refusal is not None
                and response.status < 500
                and (refusal.error == "temporarily_unavailable" or refusal.has(TRANSIENT_CODE))
                and self._pipeline_options.get("retry_total") != 0
            )
            if repetition or not transient:
                break
            await io.sleep(TRANSIENT_PAUSE)
        if response.status == 200:
            try:
                return Granted(parse_token(response, sent_at), json_object(response.body) or {})
            except Unusable as error:
                refusal = parse_refusal(response)
                if refusal is None:
                    raise self._unusable(url, str(error), response) from None
        if refusal is None:
            raise self._unusable(url, _http_text(response, *self._secrets(), *_secrets_in(form)), response)
        raise self._refused(ask, url, refusal, response, sent_at, form)

    async def _token_endpoint(self, io: FlowIO, tenant: str) -> str:
        """Where grants go. Asks whether the authority is Microsoft's, and for the region, where that is not known."""
        await self._confirm_authority(io, tenant)
        return token_endpoint(self._authority, tenant, await self._region(io, tenant))

    async def _post(self, io: FlowIO, request: Any) -> Response:
        try:
            return await io.send(request)
        except Unreachable as error:
            raise self._unreachable(error) from error

    async def _confirm_authority(self, io: FlowIO, tenant: str) -> None:
        authority = self._authority
        if self._trusted or not authority.needs_discovery or is_adfs(tenant) or authority.host in _confirmed_hosts:
            return
        from .._protocols.discovery import instance_request, parse_instance

        async with io.single_flight(("instance discovery", authority.host)) as flight:
            if flight.shared:
                return
            response = await self._post(io, instance_request(authority, tenant, io.new_id()))
            known = parse_instance(response)
            if not known:
                reason = "Microsoft does not know it as an authority" if known is False else _http_text(response)
                raise self._failed(
                    f"{self._who}: the authority {authority.url} could not be confirmed: {reason}. If it is an "
                    "authority you trust, "
                    "such as that of a private cloud, create the credential with disable_instance_discovery=True. "
                    f"Otherwise check the 'authority' keyword and {settings.AUTHORITY_HOST}. "
                    f"{help_link('unknown-authority')}",
                    response.raw,
                )
            _confirmed_hosts.add(authority.host)
            flight.result = True

    async def _region(self, io: FlowIO, tenant: str) -> Optional[str]:
        """The region whose endpoint to use, or None for the global one."""
        name = self._region_setting
        if name is None or is_adfs(tenant) or not self._authority.known:
            return None
        if name != _DETECT:
            return name
        here = settings.read(settings.REGION_NAME)
        if here is not None:
            # App Service writes "West US 2"; the regional endpoint wants "westus2".
            here = here.replace(" ", "").lower()
            return here if valid_region(here) else None
        async with io.single_flight("region") as flight:
            if not flight.shared and not _detected_region:
                from .._protocols.discovery import parse_region, region_request

                try:
                    _detected_region.append(parse_region(await io.send(region_request())))
                except Unreachable:
                    _detected_region.append(None)
            flight.result = True
        return _detected_region[0]

    # --- errors ---

    def _unreachable(self, error: Unreachable) -> AuthenticationFailedError:
        step = {
            "tls": "If a proxy or a private authority uses certificates of its own, name its CA file in "
            "REQUESTS_CA_BUNDLE or by connection_verify.",
            "timeout": "Check the network, the proxy settings (HTTPS_PROXY) and firewalls.",
        }.get(
            error.kind,
            f"Check the network, the proxy settings (HTTPS_PROXY), and the authority ({settings.AUTHORITY_HOST}).",
        )
        return self._failed(
            f"{self._who}: {error.url} cannot be reached: {error.reason}. {step} {help_link('no-connection')}"
        )

    def _unusable(self, url: str, reason: str, response: Response) -> AuthenticationFailedError:
        return self._failed(
            f"{self._who}: {url} gave no usable answer: {reason}. Something else than Microsoft Entra ID may be "
            "answering (a proxy, a sign-in page of the network), or the authority may be wrong "
            f"({settings.AUTHORITY_HOST}). {help_link('unusable-answer')}",
            response.raw,
            correlation_id=response.headers.get("client-request-id"),
        )

    def _refused(
        self,
        ask: TokenRequest,
        url: str,
        refusal: Refusal,
        response: Response,
        sent_at: int,
        form: Optional[Mapping[str, str]] = None,
    ) -> AuthenticationFailedError:
        from .._errors.next_steps import next_step

        secrets = (*self._secrets(), *_secrets_in(form or {}))
        name = redacted(refusal.error, *secrets, limit=100)
        text = redacted(refusal.description, *secrets, limit=2000) or name
        ids = [
            f"{label}: {redacted(value, *secrets, limit=100)}"
            for label, value in (("correlation id", refusal.correlation_id), ("trace id", refusal.trace_id))
            if value and value not in text
        ]
        found = f" ({', '.join(ids)})" if ids else ""
        assertion = (form or {}).get("client_assertion")
        facts = self._assertion_facts(refusal, assertion, sent_at) if assertion else ""
        return self._failed(
            f"{self._who}: Microsoft Entra ID refused a token for {' '.join(ask.scopes)} (application "
            f"{self._client_id}, tenant {self._tenant_for(ask)}). "
            f"Authentication failed: ({name}) {text}{found}\n"
            f"{facts}{' ' if facts else ''}{next_step(refusal, response, sent_at, self._who)}",
            response.raw,
            error_code=refusal.error,
            error_codes=refusal.codes,
            suberror=refusal.suberror,
            claims=refusal.claims,
            correlation_id=refusal.correlation_id,
            trace_id=refusal.trace_id,
        )

    def _assertion_facts(self, refusal: Refusal, assertion: str, now: int) -> str:
        """What a message says of the assertion that was refused. Empty: nothing that would help."""
        from .._errors.next_steps import assertion_facts

        return assertion_facts(self._assertion_name(), refusal, assertion, now)

    def _assertion_name(self) -> str:
        """What to call the assertion at the beginning of a sentence."""
        return "The assertion"

    def _secrets(self) -> tuple[str, ...]:
        """Strings that must never appear in a message, should a server send them back."""
        return ()


_SECRET_FIELDS = ("assertion", "client_assertion", "client_secret", "code", "code_verifier", "device_code", "password")


def _secrets_in(form: Mapping[str, str]) -> tuple[str, ...]:
    """What a server must not make a message show, should it send the request back."""
    return tuple(form[name] for name in (*_SECRET_FIELDS, "refresh_token") if form.get(name))


def _http_text(response: Response, *secrets: str) -> str:
    from .._protocols.entra import content_type, retry_after

    wait = retry_after(response)
    if response.status == 429 or wait is not None:
        pause = f" and asks to wait {wait} seconds" if wait is not None else ""
        return f"HTTP {response.status}: the service is limiting requests{pause}"
    if not content_type(response).startswith("text/"):
        return f"HTTP {response.status} ({content_type(response)}, {len(response.body)} bytes)"
    excerpt = redacted(" ".join(response.body[:2000].decode("utf-8", "replace").split()), *secrets, limit=160)
    return (
        f"HTTP {response.status} ({content_type(response)}): {excerpt}"
        if excerpt
        else f"HTTP {response.status} (empty)"
    )


_DETECT = "tryautodetect"


def _configured_region() -> Optional[str]:
    """The region AZURE_REGIONAL_AUTHORITY_NAME names, `tryautodetect`, or None."""
    name = settings.read(settings.REGIONAL_AUTHORITY)
    if name is None:
        return None
    if name.lower() in (_DETECT, "true"):
        return _DETECT
    if not valid_region(name):
        raise ValueError(
            f"{settings.REGIONAL_AUTHORITY} must be a region in lower case, such as 'westus2', or 'tryautodetect', "
            f"but it is {name!r}."
        )
    return name


def _forget() -> None:
    """For a forked child and for tests: forget what holds for the process."""
    _confirmed_hosts.clear()
    _detected_region.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

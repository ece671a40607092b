"""Floors: the same work done by hand, by somebody who knows exactly what is wanted."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

from benchmarks.scenarios.support import SCOPE, server


def token_request(tenant: str = "") -> tuple[str, bytes]:
    """URL and body of a client credentials grant (RFC 6749, section 4.4)."""
    who = server()
    form = {
        "grant_type": "client_credentials",
        "client_id": who["client_id"],
        "client_secret": who["secret"],
        "scope": SCOPE,
    }
    return f"{who['authority']}/{tenant or who['tenant']}/oauth2/v2.0/token", urlencode(form).encode()


def on_behalf_of_request(assertion: str) -> tuple[str, bytes]:
    """URL and body of an on-behalf-of grant ("OAuth 2.0 On-Behalf-Of flow"), to the server that answers at once."""
    who = server()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "client_id": who["client_id"],
        "client_secret": who["secret"],
        "assertion": assertion,
        "requested_token_use": "on_behalf_of",
        "scope": f"{SCOPE} offline_access openid profile",
    }
    return f"{who['fast_authority']}/{who['tenant']}/oauth2/v2.0/token", urlencode(form).encode()


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def azure_core_request() -> Any:
    """azure-core's request for it."""
    from azure.core.rest import HttpRequest

    url, body = token_request()
    return HttpRequest("POST", url, headers=FORM, content=body)


def azure_core_pipeline(transport: Any) -> Any:
    """A sync pipeline with the usual policies."""
    from azure.core.pipeline import Pipeline, policies

    return Pipeline(
        transport,
        [
            policies.RequestIdPolicy(),
            policies.UserAgentPolicy("by-hand"),
            policies.ProxyPolicy(),
            policies.RetryPolicy(),
            policies.NetworkTraceLoggingPolicy(),
            policies.HttpLoggingPolicy(),
        ],
    )


def azure_core_token() -> str:
    """One token through azure-core and requests."""
    from azure.core.credentials import AccessToken
    from azure.core.pipeline.transport import RequestsTransport

    with azure_core_pipeline(RequestsTransport()) as pipeline:
        answer = json.loads(pipeline.run(azure_core_request()).http_response.content)
    return AccessToken(answer["access_token"], answer["expires_in"]).token


async def azure_core_token_async() -> str:
    """One token through azure-core and aiohttp."""
    from azure.core.credentials import AccessToken
    from azure.core.pipeline import AsyncPipeline, policies
    from azure.core.pipeline.transport import AioHttpTransport

    chosen: list[Any] = [
        policies.RequestIdPolicy(),
        policies.UserAgentPolicy("by-hand"),
        policies.ProxyPolicy(),
        policies.AsyncRetryPolicy(),
        policies.NetworkTraceLoggingPolicy(),
        policies.HttpLoggingPolicy(),
    ]
    pipeline: Any = AsyncPipeline(AioHttpTransport(), chosen)
    async with pipeline:
        response = (await pipeline.run(azure_core_request())).http_response
        answer = json.loads(response.content)
    return AccessToken(answer["access_token"], answer["expires_in"]).token


class DictionaryCredential:
    """The least a cache can do: one dictionary and the clock."""

    def __init__(self, entries: int) -> None:
        from azure.core.credentials import AccessToken

        self._tokens: dict[tuple[str, ...], Any] = {(scope,): AccessToken("x", 1 << 40) for scope in scopes(entries)}

    def get_token(self, *wanted: str, **kwargs: Any) -> Any:
        token = self._tokens.get(wanted)
        return token if token is not None and token.expires_on > time.time() + 300 else None

    async def get_token_async(self, *wanted: str, **kwargs: Any) -> Any:
        return self.get_token(*wanted)


def scopes(count: int) -> list[str]:
    """Scopes of different resources."""
    return [f"api://resource-{i:05d}/.default" for i in range(count)]

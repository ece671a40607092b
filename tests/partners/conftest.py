"""Fixtures for tests with partner programs: real clients, real servers, the real Azure CLI."""

from __future__ import annotations

import asyncio
from typing import Any, Callable

import pytest

import azure.identity
import azure.identity.aio

GetToken = Callable[..., Any]
"""get_token(credential, scope, claims=None, **options): a token by a fresh credential of that name."""


def _sync(credential: str, scope: str, claims: str | None = None, **options: Any) -> Any:
    with getattr(azure.identity, credential)(**options) as one:
        return one.get_token(scope, claims=claims)


def _aio(credential: str, scope: str, claims: str | None = None, **options: Any) -> Any:
    async def main() -> Any:
        async with getattr(azure.identity.aio, credential)(**options) as one:
            return await one.get_token(scope, claims=claims)

    return asyncio.run(main())


@pytest.fixture(params=[_sync, _aio], ids=["sync", "aio"])
def get_token(request: pytest.FixtureRequest) -> GetToken:
    """Both faces in turn: `get_token("AzureCliCredential", scope, process_timeout=30)`."""
    made: GetToken = request.param
    return made

"""Kept for programs and packages that import exceptions from here. They live in `_errors`."""

from __future__ import annotations

from ._errors.errors import AuthenticationRequiredError, CredentialUnavailableError

__all__ = ["AuthenticationRequiredError", "CredentialUnavailableError"]

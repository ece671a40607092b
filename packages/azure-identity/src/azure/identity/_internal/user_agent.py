"""Kept for programs that import it from here. It lives in `_outside.http.user_agent`."""

from __future__ import annotations

from .._outside.http.user_agent import USER_AGENT

__all__ = ["USER_AGENT"]

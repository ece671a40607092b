"""Locks, for the rooms that keep something: they have no other use for threads."""

from __future__ import annotations

from threading import Lock, RLock

__all__ = ["Lock", "RLock"]

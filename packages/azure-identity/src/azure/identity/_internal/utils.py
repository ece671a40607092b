"""Kept for azure-identity-broker, which reads `within_dac` from here."""

from __future__ import annotations

from .._broker.within_dac import within_dac

__all__ = ["within_dac"]

"""How hosts write the end of a token's life, `expires_on`."""

from __future__ import annotations

import datetime
from typing import Callable, Dict, Union

Expiry = Union[int, str]


def _linux(moment: datetime.datetime) -> str:
    return f"{moment:%m/%d/%Y %H:%M:%S} +00:00"


def _windows(moment: datetime.datetime) -> str:
    half = "AM" if moment.hour < 12 else "PM"
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour % 12 or 12}:{moment:%M:%S} {half} +00:00"


def _iso(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.0000000+00:00"


_DATES: Dict[str, Callable[[datetime.datetime], str]] = {"linux": _linux, "windows": _windows, "iso": _iso}

FLAVOURS = ("linux", "windows")
"""App Service 2017-09-01: its two operating systems write different dates."""
STYLES = ("epoch", "text", *_DATES)


def write_expiry(epoch: int, style: str) -> Expiry:
    """`epoch` (seconds) as a host writes it.

    ============  ======================================
    `epoch`       `1560999478`, a number
    `text`        `"1560999478"`
    `linux`       `"06/20/2019 02:57:58 +00:00"`
    `windows`     `"6/20/2019 2:57:58 AM +00:00"`
    `iso`         `"2019-06-20T02:57:58.0000000+00:00"`
    ============  ======================================
    """
    if style == "epoch":
        return epoch
    if style == "text":
        return str(epoch)
    return _DATES[style](datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc))

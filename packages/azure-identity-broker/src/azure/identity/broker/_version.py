"""The version of this distribution."""

VERSION = "1.4.0"

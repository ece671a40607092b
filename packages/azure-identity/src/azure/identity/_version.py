"""The version other packages see; it satisfies requirements such as `azure-identity>=1.18,<2`."""

VERSION = "1.28.0"

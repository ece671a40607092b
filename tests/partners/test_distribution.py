"""What the partners' packages get when they ask for azure-identity."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

import azure.identity

OURS = Path(__file__).resolve().parents[2] / "packages" / "azure-identity"


def test_installing_partners_has_not_replaced_this_package_by_the_published_one() -> None:
    """The installed azure-identity comes from this checkout (PEP 610 records that), and is what is imported."""
    installed = metadata.distribution("azure-identity")
    recorded = installed.read_text("direct_url.json")

    assert recorded is not None, "azure-identity was installed from a package index"
    source = Path(unquote(urlsplit(json.loads(recorded)["url"]).path))
    assert source.resolve() == OURS
    assert installed.version == azure.identity.__version__
    ours = (OURS / "src/azure/identity/_outside/port.py").read_bytes()
    assert Path(azure.identity.__file__).with_name("_outside").joinpath("port.py").read_bytes() == ours


def test_the_published_package_is_not_installed_under_another_name_either() -> None:
    """Exactly one distribution provides azure.identity."""
    names = [found.metadata["Name"] for found in metadata.distributions()]

    assert names.count("azure-identity") == 1

"""What an import costs, what is in the wheel, which module may reach outside, and where help links lead."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Iterator

import pytest

PACKAGE = Path(__file__).parent.parent
SOURCE = PACKAGE / "src" / "azure" / "identity"
MODULES = sorted(SOURCE.rglob("*.py"))
IDS = [str(path.relative_to(SOURCE)) for path in MODULES]
each_module = pytest.mark.parametrize("path", MODULES, ids=IDS)

HEAVY = {
    "aiohttp",
    "asyncio",
    "azure.core.pipeline",
    "cryptography",
    "dataclasses",
    "jwt",
    "msal",
    "msal_extensions",
    "requests",
    "ssl",
    "subprocess",
    "urllib3",
}


# --- imports


def loaded_by(program: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a program, and had not before."""
    wrapped = f"import sys; before = set(sys.modules)\n{textwrap.dedent(program)}\n"
    wrapped += "import json; print(json.dumps(sorted(set(sys.modules) - before)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", wrapped],
        env={name: value for name, value in os.environ.items() if not name.startswith("AZURE_")},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_import_loads_nothing_heavy() -> None:
    """`import azure.identity` is for programs that may never ask for a token: not even azure-core is needed."""
    loaded = loaded_by("import azure.identity")

    assert loaded & (HEAVY | {"azure.core", "azure.identity.aio"}) == set()
    assert {name for name in loaded if name.startswith("azure")} <= {
        "azure",
        "azure.identity",
        "azure.identity._version",
    }


@pytest.mark.parametrize(
    "program",
    [
        "import azure.identity.aio",
        "from azure.identity import DefaultAzureCredential; DefaultAzureCredential()",
        "from azure.identity import ClientSecretCredential; ClientSecretCredential('t', 'c', 's')",
        "from azure.identity import AzureCliCredential; AzureCliCredential()",
        "from azure.identity import ClientAssertionCredential; ClientAssertionCredential('t', 'c', str)",
        "from azure.identity.aio import DefaultAzureCredential; DefaultAzureCredential()",
        "from azure.identity.aio import ClientSecretCredential; ClientSecretCredential('t', 'c', 's')",
        "from azure.identity import get_bearer_token_provider, ClientSecretCredential as C;"
        "get_bearer_token_provider(C('t', 'c', 's'), 'scope')",
    ],
    ids=lambda program: program.replace("from azure.identity", "")[:40].strip(),
)
def test_constructing_loads_nothing_heavy(program: str) -> None:
    """A program pays for HTTP when it sends, for cryptography when it has a certificate, for asyncio when it awaits."""
    assert loaded_by(program) & HEAVY == set()


def test_old_places_still_import() -> None:
    """Programs and packages have come to import some names from private places."""
    program = """
    import azure.identity as public
    from azure.identity._credentials import AzureCliCredential
    from azure.identity._credentials.azure_cli import AzureCliCredential as again
    from azure.identity._credentials.chained import ChainedTokenCredential
    from azure.identity._credentials.default import DefaultAzureCredential
    from azure.identity._exceptions import CredentialUnavailableError
    from azure.identity._constants import AzureAuthorityHosts, EnvironmentVariables, KnownAuthorities
    assert AzureCliCredential is again is public.AzureCliCredential
    assert ChainedTokenCredential is public.ChainedTokenCredential
    assert DefaultAzureCredential is public.DefaultAzureCredential
    assert CredentialUnavailableError is public.CredentialUnavailableError
    assert EnvironmentVariables.CLIENT_SECRET_VARS
    """
    loaded_by(program)


# --- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from this source."""
    folder = tmp_path_factory.mktemp("wheel")
    if importlib.util.find_spec("hatchling") is not None:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    else:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(PACKAGE)]
    done = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def test_the_wheel_leaves_the_namespace_alone(wheel: zipfile.ZipFile) -> None:
    """`azure` is shared with azure-core and many others: a file `azure/__init__.py` would hide them."""
    names = wheel.namelist()

    assert "azure/__init__.py" not in names
    assert "azure/identity/__init__.py" in names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"azure"}
    assert {name.split("/")[1] for name in names if ".dist-info/" not in name} == {"identity"}


def test_the_wheel_has_every_module_and_the_typing_marker(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    wanted = {f"azure/identity/{path.relative_to(SOURCE).as_posix()}" for path in MODULES}

    assert wanted - names == set()
    assert "azure/identity/py.typed" in names
    assert not [name for name in names if name.endswith(".pyc")]


def test_the_wheel_satisfies_what_others_require(wheel: zipfile.ZipFile) -> None:
    """Packages require `azure-identity>=1.something,<2`."""
    [name] = [name for name in wheel.namelist() if name.endswith("METADATA")]
    metadata = wheel.read(name).decode("utf-8")

    assert re.search(r"^Name: azure-identity$", metadata, re.MULTILINE)
    assert re.search(r"^Version: 1\.\d+", metadata, re.MULTILINE)
    assert re.search(r"^Requires-Python: >=3\.9$", metadata, re.MULTILINE)


# --- the house rule: who may reach outside

OUTSIDE = ("asyncio", "time", "subprocess", "threading", "socket", "ssl", "azure.core.pipeline")
"""What a flow must ask its port for."""
PORT = "_outside/"
"""The only room that may."""


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules imported anywhere in a file, except for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in node.orelse:
                yield from imports(ast.Module([other], []))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imports(node)


def reaching(path: Path) -> set[str]:
    """Which ways to the outside a module imports."""
    found = set()
    for name in imports(ast.parse(path.read_text(encoding="utf-8"))):
        found |= {outside for outside in OUTSIDE if name == outside or name.startswith(outside + ".")}
    return found


@each_module
def test_only_the_port_reaches_outside(path: Path) -> None:
    """Everything else asks its port, so that it runs in both worlds and can be tested with a script."""
    if not path.relative_to(SOURCE).as_posix().startswith(PORT):
        assert reaching(path) == set()


@pytest.mark.parametrize("outside", OUTSIDE)
def test_the_room_of_the_port_does_reach_outside(outside: str) -> None:
    """The list names no module that nobody needs any more."""
    assert any(outside in reaching(path) for path in (SOURCE / PORT).rglob("*.py"))


def test_the_rule_sees_imports_inside_functions(tmp_path: Path) -> None:
    """The check bites: inside functions, from-imports, submodules; and lets type checking pass."""
    module = tmp_path / "module.py"
    module.write_text(
        textwrap.dedent(
            """
            from typing import TYPE_CHECKING
            if TYPE_CHECKING:
                import asyncio
            else:
                import socket
            def flow():
                from azure.core.pipeline.policies import RetryPolicy
                try:
                    import subprocess as s
                except ImportError:
                    from time import sleep
            """
        )
    )

    assert reaching(module) == {"socket", "azure.core.pipeline", "subprocess", "time"}


@each_module
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@each_module
def test_annotations_are_never_evaluated(path: Path) -> None:
    """Python 3.9 cannot read some of them."""
    text = path.read_text(encoding="utf-8")

    assert "from __future__ import annotations" in text or not re.search(
        r"^(import|from|def|class) ", text, re.MULTILINE
    )


# --- help links


def linked_sections() -> set[str]:
    """Every section of the troubleshooting page that some message may name."""
    sections: set[str] = set()
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("help_link") and node.args:
                sections |= {leaf.value for leaf in ast.walk(node.args[0]) if isinstance(leaf, ast.Constant)}
            elif (
                isinstance(node, (ast.Assign, ast.AnnAssign))
                and "_help" in ast.unparse(node).partition("=")[0]
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                sections.add(node.value.value)
    from azure.identity._errors import next_steps as _entra_help

    return sections | {section for *_, section in _entra_help._STEPS} | {"refused", "service-trouble", "clock-skew"}


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them, and those set by hand."""
    found = set(re.findall(r"""<a\s+(?:id|name)=["']([^"']+)["']""", text))
    for heading in re.findall(r"^#+\s+(.*?)\s*#*$", text, re.MULTILINE):
        plain = re.sub(r"<[^>]+>|[`*_]", "", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def test_messages_do_link_to_sections() -> None:
    """The collection below is not empty by mistake."""
    assert {"wrong-secret", "no-connection", "azure-cli", "chain-failed", "environment"} <= linked_sections()


def test_help_links_lead_somewhere() -> None:
    """Every section that a message names is a heading of docs/troubleshooting.md."""
    page = PACKAGE.parent.parent / "docs" / "troubleshooting.md"

    assert sorted(linked_sections() - anchors(page.read_text(encoding="utf-8"))) == []

"""Developer tools from end to end: small scripts on PATH stand in for az, azd and pwsh.

The real Azure CLI is tested in `tests/partners`; the other two can be had neither here nor there.
"""

from __future__ import annotations

import asyncio
import base64
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from azure.core.exceptions import ClientAuthenticationError
from leak_watch import planted
from loopback import alive, eventually
from worlds import World

from azure.identity import CredentialUnavailableError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-ins are shell scripts")
SCOPE = "https://management.azure.com/.default"


class Tool(NamedTuple):
    """A tool, and how its stand-in prints a token."""

    credential: str
    program: str
    says: str
    """A format for printf: token, expiry."""
    profile: str
    """Where the tool records who is signed in, below the home folder."""


YEAR_2099 = 4070908800
TOOLS = (
    Tool("AzureCliCredential", "az", '{"accessToken": "%s", "expires_on": 4070908800}\\n', ".azure/azureProfile.json"),
    Tool(
        "AzureDeveloperCliCredential",
        "azd",
        '{"token": "%s", "expiresOn": "2099-01-01T00:00:00Z"}\\n',
        ".azd/auth.json",
    ),
    Tool("AzurePowerShellCredential", "pwsh", "\\nazsdk%%%s%%4070908800\\n", ".Azure/AzureRmContext.json"),
)
each_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.program)


class Bench:
    """A folder on PATH for stand-ins, and a home folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.programs = folder, folder / "home", folder / "programs"
        self.home.mkdir()
        self.programs.mkdir()

    def install(self, program: str, script: str, interpreter: str = "/bin/sh") -> None:
        """Put a script on PATH. It finds its files in `$HERE`, and notes each run."""
        path = self.programs / program
        path.write_text(f"#!{interpreter}\nHERE='{self.folder}'\necho run >>\"$HERE/runs\"\n{script}\n")
        path.chmod(0o755)

    @property
    def runs(self) -> int:
        """How often the stand-in was started."""
        return len(self.read("runs").splitlines())

    def read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def open_gate(self) -> None:
        """Let the stand-in go on that waits for it."""
        (self.folder / "gate").write_text("")


GATE = 'while [ ! -e "$HERE/gate" ]; do sleep 0.02; done'


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path)
    monkeypatch.setenv("PATH", f"{made.programs}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(made.home))
    return made


def prints(tool: Tool, token: str = "T1") -> str:
    return f"printf '{tool.says}' '{token}'"


def failure(world: World, credential: Any, **asked: Any) -> Any:
    with pytest.raises(ClientAuthenticationError) as caught:
        world.ask(credential.get_token, SCOPE, **asked)
    return caught.value


# --- one run


@each_tool
def test_a_token_comes_out(world: World, bench: Bench, tool: Tool) -> None:
    """By both methods, from one run."""
    bench.install(tool.program, prints(tool))
    credential = world.make(tool.credential)

    token = world.ask(credential.get_token, SCOPE)
    info = world.ask(credential.get_token_info, SCOPE, options={"enable_cae": True})

    assert (token.token, token.expires_on) == (info.token, info.expires_on) == ("T1", YEAR_2099)
    assert (info.token_type, info.refresh_on) == ("Bearer", None)
    assert bench.runs == 1


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (TOOLS[0], f"account get-access-token --output json --resource {SCOPE[:-9]} --tenant t --subscription my sub"),
        (TOOLS[1], f"auth token --output json --no-prompt --scope {SCOPE} --tenant-id t"),
    ],
    ids=["az", "azd"],
)
def test_what_a_tool_sees(
    world: World, bench: Bench, tool: Tool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments as they are, the caller's environment and no colours, the system's folder, an empty standard input."""
    monkeypatch.setenv("SOMETHING_OF_THE_CALLERS", "kept")
    notes = 'printf "%s " "$@" >"$HERE/argv"; env >"$HERE/env"; pwd >"$HERE/cwd"; cat >"$HERE/stdin"'
    bench.install(tool.program, f"{notes}\n{prints(tool)}")
    options = {"subscription": "my sub"} if tool.program == "az" else {}

    world.ask(world.make(tool.credential, tenant_id="t", **options).get_token, SCOPE)

    assert bench.read("argv").strip() == expected
    assert {"SOMETHING_OF_THE_CALLERS=kept", f"HOME={bench.home}"} <= set(bench.read("env").splitlines())
    assert ("AZURE_CORE_NO_COLOR=true" if tool.program == "az" else "NO_COLOR=true") in bench.read("env").splitlines()
    assert bench.read("cwd").strip() == str(Path("/bin").resolve()) or bench.read("cwd").strip() == "/bin"
    assert bench.read("stdin") == ""


def test_what_powershell_is_given(world: World, bench: Bench) -> None:
    """A script in UTF-16, as base64."""
    bench.install("pwsh", f'printf "%s\\n" "$@" >"$HERE/argv"\n{prints(TOOLS[2])}')

    world.ask(world.make(TOOLS[2].credential, tenant_id="t").get_token, SCOPE)

    *flags, script = bench.read("argv").split()
    assert flags == ["-NoProfile", "-NonInteractive", "-EncodedCommand"]
    assert "$tenantId = 't'" in base64.b64decode(script).decode("utf-16-le")


def test_a_challenge_reaches_azd(world: World, bench: Bench) -> None:
    """The others need a person: their error is the command to run."""
    for tool in TOOLS:
        bench.install(tool.program, f'printf "%s\\n" "$@" >"$HERE/argv"\n{prints(tool)}')
    claims = '{"access_token":{"acrs":{"essential":true,"values":["p1"]}}}'

    world.ask(world.make(TOOLS[1].credential).get_token, SCOPE, claims=claims)
    hints = [str(failure(world, world.make(tool.credential), claims=claims)) for tool in (TOOLS[0], TOOLS[2])]

    challenge = base64.b64encode(claims.encode()).decode()
    assert bench.read("argv").split()[-2:] == ["--claims", challenge]
    assert f"az login --claims-challenge {challenge} --scope {SCOPE}" in hints[0]
    assert f"Connect-AzAccount -ClaimsChallenge {challenge}" in hints[1]
    assert bench.runs == 1


# --- caching, together


@each_tool
def test_a_sign_in_takes_effect_with_the_next_call(world: World, bench: Bench, tool: Tool) -> None:
    """Ten calls start one process; another account in the tool's own record starts another."""
    bench.install(tool.program, f'who=$(cat "$HOME/{tool.profile}")\nprintf \'{tool.says}\' "$who"')
    profile = bench.home / tool.profile
    profile.parent.mkdir()
    profile.write_text("ada")
    credential = world.make(tool.credential)

    assert {world.ask(credential.get_token, SCOPE).token for _ in range(10)} == {"ada"}
    profile.write_text("bobby")
    assert {world.ask(credential.get_token, SCOPE).token for _ in range(10)} == {"bobby"}
    assert bench.runs == 2


@each_tool
def test_a_token_is_renewed(world: World, bench: Bench, tool: Tool, clock: Any) -> None:
    """When it is due, by one more run."""
    bench.install(tool.program, prints(tool))
    credential = world.make(tool.credential)

    world.ask(credential.get_token, SCOPE)
    clock.advance(YEAR_2099 - time.time() - 200)
    world.ask(credential.get_token, SCOPE)

    assert bench.runs == 2


@each_tool
def test_fifty_threads_start_one_process(bench: Bench, tool: Tool) -> None:
    """All wait for it, and get what it brought."""
    import azure.identity

    bench.install(tool.program, f"{GATE}\n{prints(tool)}")
    credential = getattr(azure.identity, tool.credential)(process_timeout=60)

    with ThreadPoolExecutor(50) as pool:
        started = [pool.submit(credential.get_token, SCOPE) for _ in range(50)]
        assert eventually(lambda: bench.runs)
        bench.open_gate()
        tokens = {future.result(30).token for future in started}

    assert (tokens, bench.runs) == ({"T1"}, 1)


@each_tool
async def test_fifty_tasks_start_one_process_and_do_not_block_the_loop(bench: Bench, tool: Tool) -> None:
    """The loop itself opens the gate the tool waits at."""
    import azure.identity.aio

    bench.install(tool.program, f"{GATE}\n{prints(tool)}")
    credential = getattr(azure.identity.aio, tool.credential)(process_timeout=60)

    tasks = [asyncio.ensure_future(credential.get_token(SCOPE)) for _ in range(50)]
    while not bench.runs:
        await asyncio.sleep(0.01)
    bench.open_gate()
    tokens = await asyncio.wait_for(asyncio.gather(*tasks), 30)

    assert ({token.token for token in tokens}, bench.runs) == ({"T1"}, 1)


# --- what goes wrong


@each_tool
@pytest.mark.parametrize(
    ("script", "alone", "words"),
    [
        pytest.param("exit 127", "unavailable", ("not found", "could not be found", "not installed"), id="status 127"),
        pytest.param("printf '\\377\\376'", "failed", ("Unexpected output from ",), id="no UTF-8"),
        pytest.param("echo '[]'", "failed", ("Unexpected output from ",), id="a list"),
        pytest.param(
            f'echo \'{{"token": "{planted("tool")}", "accessToken": "{planted("tool")}"}}\'',
            "failed",
            ("Unexpected output from ",),
            id="no expiry",
        ),
        pytest.param(
            "echo warning >&2; printf '\\303\\244rger' >&2; exit 3", "depends", ("\u00e4rger",), id="words and a status"
        ),
    ],
)
def test_how_a_run_can_end(world: World, bench: Bench, tool: Tool, script: str, alone: str, words: Any) -> None:
    """Bytes that are no text are no reason to fail in another way. (The published package's async classes do.)"""
    bench.install(tool.program, script)

    raised = failure(world, world.make(tool.credential))

    assert any(some in str(raised) for some in words)
    if alone != "depends":
        assert isinstance(raised, CredentialUnavailableError) is (alone == "unavailable")


@each_tool
def test_a_program_that_cannot_be_started(world: World, bench: Bench, tool: Tool) -> None:
    """Its interpreter is missing, say."""
    bench.install(tool.program, "true", interpreter="/no/such/interpreter")

    raised = failure(world, world.make(tool.credential))

    assert isinstance(raised, CredentialUnavailableError)
    assert f"Failed to execute {bench.programs / tool.program}: No such file or directory" in str(raised)


@each_tool
def test_nothing_is_left_of_a_tool_that_is_too_slow(world: World, bench: Bench, tool: Tool) -> None:
    """Nor of what it started. (Of the published package's, that goes on running.)"""
    bench.install(tool.program, 'echo $$ >"$HERE/pids"\nsleep 300 &\necho $! >>"$HERE/pids"\nwait')

    raised = failure(world, world.make(tool.credential, process_timeout=0.5))

    assert isinstance(raised, CredentialUnavailableError)
    assert "Timed out waiting for Azure" in str(raised)
    assert "no answer within 0.5 seconds. A cold start can take that long" in str(raised)
    pids = [int(line) for line in bench.read("pids").split()]
    assert len(pids) == 2
    assert eventually(lambda: not any(alive(pid) for pid in pids))


@each_tool
async def test_nothing_is_left_when_the_caller_gives_up(bench: Bench, tool: Tool) -> None:
    """Cancelling the task ends the tool."""
    import azure.identity.aio

    bench.install(tool.program, 'sleep 300 &\necho $$ $! >"$HERE/pids"\nwait')
    credential = getattr(azure.identity.aio, tool.credential)(process_timeout=60)

    task = asyncio.ensure_future(credential.get_token(SCOPE))
    while not bench.read("pids"):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    pids = [int(pid) for pid in bench.read("pids").split()]
    assert eventually(lambda: not any(alive(pid) for pid in pids))


def test_the_default_chain_goes_from_tool_to_tool(world: World, bench: Bench) -> None:
    """One is not installed, one fails, one has a token."""
    bench.install("pwsh", "echo boom >&2; exit 1")
    bench.install("azd", prints(TOOLS[1], "from azd"))
    options = {
        f"exclude_{name}_credential": True
        for name in ("environment", "workload_identity", "managed_identity", "visual_studio_code", "broker")
    }
    chain = world.make("DefaultAzureCredential", **options)

    assert world.ask(chain.get_token, SCOPE).token == "from azd"
    assert type(chain.selected_credential).__name__ == "AzureDeveloperCliCredential"


def test_the_default_chain_reports_all_tools(world: World, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what each said, once."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "dev")
    bench.install("az", "echo \"Please run 'az login' to setup account.\" >&2; exit 1")
    bench.install("pwsh", "echo boom >&2; exit 1")
    bench.install("azd", 'echo \'{"error": "AADSTS50076: mfa"}\' >&2; exit 1')

    raised = failure(world, world.make("DefaultAzureCredential"))

    assert isinstance(raised, CredentialUnavailableError)
    said = {attempt.name: attempt.reason for attempt in raised.attempts}
    assert "Please run 'az login'" in said["AzureCliCredential"]
    assert "boom" in said["AzurePowerShellCredential"]
    assert "AADSTS50076: mfa" in said["AzureDeveloperCliCredential"]
    assert all(str(raised).count(f"\t{name}: ") == 1 for name in said)


def test_no_thread_is_left(world: World, bench: Bench) -> None:
    """The async world runs a tool on a thread of its own."""
    bench.install("az", prints(TOOLS[0]))
    world.ask(world.make("AzureCliCredential").get_token, SCOPE)

    assert eventually(lambda: not [t for t in threading.enumerate() if t.name == "azure-identity-work"])

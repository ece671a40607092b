"""Azure Arc's challenge: which file it may name, and what a key is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azure.identity._protocols import arc
from azure.identity._protocols.arc import BadChallenge
from azure.identity._values.messages import Response

KEYS = "/var/opt/azcmagent/tokens"
WINDOWS = "C:\\ProgramData\\AzureConnectedMachineAgent\\Tokens"


def challenge(header: str) -> Response:
    return Response(401, {"www-authenticate": header})


@pytest.mark.parametrize(
    ("header", "path"),
    [
        (f"Basic realm={KEYS}/a.key", f"{KEYS}/a.key"),
        (f"basic REALM={KEYS}/a.key", f"{KEYS}/a.key"),
        (f'Basic realm="{KEYS}/a.key"', f"{KEYS}/a.key"),
        (f"Basic realm={KEYS}/a=b.key", f"{KEYS}/a=b.key"),
        (f"Basic realm={KEYS}/a.key, charset=UTF-8", f"{KEYS}/a.key"),
        (f'Basic charset="UTF-8", realm="{KEYS}/a.key"', f"{KEYS}/a.key"),
        (f"Bearer, Basic realm={KEYS}/a.key", f"{KEYS}/a.key"),
        (f"Basic realm={WINDOWS}\\a b.key", f"{WINDOWS}\\a b.key"),
        (f'Basic realm="{WINDOWS}\\a.key"', f"{WINDOWS}\\a.key"),
    ],
)
def test_the_file_a_challenge_names(header: str, path: str) -> None:
    """The realm of the scheme Basic, quoted or not."""
    assert path == arc.challenged_path(challenge(header))


@pytest.mark.parametrize(
    "header", ["Basic foo", "Basic", "Basic realm=", 'Basic realm=""', f"Bearer realm={KEYS}/a.key", "realm=/x.key"]
)
def test_other_challenges_are_refused(header: str) -> None:
    """A challenge that names no file cannot be answered."""
    with pytest.raises(BadChallenge, match="not 'Basic realm=<path>'"):
        arc.challenged_path(challenge(header))


def test_a_refusal_without_challenge() -> None:
    """The header is missing."""
    with pytest.raises(BadChallenge, match="no WWW-Authenticate header"):
        arc.challenged_path(Response(401))


@pytest.mark.parametrize(
    ("path", "normal"), [("a.key", "a.key"), ("./a.key", "a.key"), ("b/../a.key", "a.key"), ("A.KEY", "A.KEY")]
)
def test_key_files_in_the_directory(path: str, normal: str) -> None:
    """Directly in it, once the path is normal."""
    assert f"{KEYS}/{normal}" == arc.checked_path(f"{KEYS}/{path}", KEYS, "linux")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/etc/shadow.key",
        "a.key",
        "tokens/a.key",
        f"{KEYS}/../a.key",
        f"{KEYS}/../x/a.key",
        f"{KEYS}/sub/a.key",
        f"{KEYS}/sub/../../a.key",
        f"{KEYS}x/a.key",
        f"{KEYS}/a.txt",
        f"{KEYS}/a",
        f"{KEYS}/.key",
        f"{KEYS}/a.key\0.txt",
        "//server/share/a.key",
        "",
    ],
)
def test_other_files_are_not_read(path: str) -> None:
    """Whoever answers at the port must not be able to choose what this program reads and sends."""
    with pytest.raises(BadChallenge, match="Unexpected file"):
        arc.checked_path(path, KEYS, "linux")


def test_paths_on_windows() -> None:
    """Case and the kind of slash do not matter there; drives and shares do."""
    assert arc.checked_path(f"{WINDOWS.upper()}\\a.key", WINDOWS, "win32").lower() == f"{WINDOWS}\\a.key".lower()
    assert arc.checked_path(WINDOWS.replace("\\", "/") + "/a.key", WINDOWS, "win32") == f"{WINDOWS}\\a.key"
    for path in (f"D{WINDOWS[1:]}\\a.key", "\\\\server\\share\\a.key", f"{WINDOWS}\\..\\a.key", f"{WINDOWS}\\a.key:x"):
        with pytest.raises(BadChallenge):
            arc.checked_path(path, WINDOWS, "win32")


@given(st.text(max_size=60))
def test_no_path_leads_out_of_the_directory(text: str) -> None:
    """Whatever follows the directory: a file in it, or a refusal."""
    try:
        path = arc.checked_path(f"{KEYS}/{text}", KEYS, "linux")
    except BadChallenge:
        return
    assert path.rpartition("/")[0] == KEYS and ".." not in path.split("/")


@given(st.text(max_size=80))
def test_reading_challenges_never_fails_otherwise(header: str) -> None:
    """A header is a challenge or it is not."""
    try:
        assert arc.challenged_path(challenge(header)).strip()
    except BadChallenge:
        pass


def test_where_keys_are() -> None:
    """Linux and Windows; Azure Arc runs on nothing else."""
    assert arc.key_directory("linux", None) == KEYS
    assert arc.key_directory("win32", "C:\\ProgramData") == WINDOWS
    with pytest.raises(BadChallenge, match="ProgramData"):
        arc.key_directory("win32", None)
    with pytest.raises(BadChallenge, match="not supported on this platform"):
        arc.key_directory("darwin", None)


@pytest.mark.parametrize("content", [b"S", b"S\n", b"S\r\n", b"  S  "])
def test_blanks_around_a_key_do_not_matter(content: bytes) -> None:
    """Files end with a newline."""
    assert arc.parse_key(content) == "S"


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nX-Evil: 1", b"a\x00b", "é".encode()])
def test_keys_that_no_header_may_have(content: bytes) -> None:
    """Nothing in the file can become another header."""
    with pytest.raises(BadChallenge, match="key file"):
        arc.parse_key(content)


def test_the_answer_carries_the_key_as_it_is() -> None:
    """The second request is the first with the key."""
    first, second = (arc.token_request("http://h/t", "r", [("client_id", "c")], key) for key in (None, "S"))

    assert first.url == second.url == "http://h/t?api-version=2020-06-01&resource=r&client_id=c"
    assert (
        dict(first.headers),
        dict(second.headers),
    ) == ({"Metadata": "true"}, {"Metadata": "true", "Authorization": "Basic S"})

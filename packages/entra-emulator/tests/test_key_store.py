from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path
from typing import List

import pytest

from entra_emulator import EntraEmulator
from entra_emulator.keys import key_store
from entra_emulator.keys.certificate_authority import CertificateAuthority, new_authority, parse_authority
from entra_emulator.keys.key_store import KeyStore, UnusableFileError, default_key_dir
from entra_emulator.keys.signing import new_signing_key, parse_signing_key

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")


def parse(data: bytes) -> bytes:
    if not data.startswith(b"good"):
        raise UnusableFileError("not good")
    return data


def names(directory: Path) -> List[str]:
    return sorted(path.name for path in directory.iterdir())


@posix
def test_private(tmp_path: Path):
    """The directory is the user's alone, and so is every file."""
    store = KeyStore(tmp_path / "keys")
    store.load_or_create("a", parse, lambda: b"good")
    store.write("b", b"x")

    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in store.directory.iterdir()} == {0o600}


@posix
def test_directory_is_tightened(tmp_path: Path):
    """A directory that others could read is closed to them."""
    loose = tmp_path / "keys"
    loose.mkdir(mode=0o777)
    loose.chmod(0o777)
    KeyStore(loose)

    assert stat.S_IMODE(loose.stat().st_mode) == 0o700


@posix
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root to make a foreign directory")
def test_foreign_directory(tmp_path: Path):
    """Keys are never kept in a directory of another user's."""
    foreign = tmp_path / "keys"
    foreign.mkdir()
    os.chown(foreign, 12345, 12345)

    with pytest.raises(PermissionError, match="belongs to another user"):
        KeyStore(foreign)


def test_created_once(tmp_path: Path):
    """A file is made when it is missing, and read afterwards."""
    store = KeyStore(tmp_path)
    first = store.load_or_create("a", parse, lambda: b"good 1")
    second = store.load_or_create("a", parse, lambda: b"good 2")

    assert first == second == b"good 1"
    assert names(tmp_path) == ["a"]


def test_broken_file_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """An unusable file is kept under another name, and made again."""
    store = KeyStore(tmp_path)
    (tmp_path / "a").write_bytes(b"bad")

    assert store.peek("a", parse) is None
    assert store.load_or_create("a", parse, lambda: b"good") == b"good"
    assert "is made again: not good" in caplog.text
    aside = [path for path in tmp_path.iterdir() if path.name != "a"]
    assert [path.read_bytes() for path in aside] == [b"bad"]


def test_a_maker_that_fails_ends(tmp_path: Path):
    """What stays unusable is an error, not an endless loop."""
    with pytest.raises(UnusableFileError, match="stays unusable"):
        KeyStore(tmp_path).load_or_create("a", parse, lambda: b"bad")


def test_first_of_many_wins(tmp_path: Path):
    """When several start at once, all end up with one file."""
    store = KeyStore(tmp_path)
    barrier = threading.Barrier(8)
    found: List[bytes] = []

    def run(number: int) -> None:
        barrier.wait()
        found.append(store.load_or_create("a", parse, lambda: b"good %d" % number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert names(tmp_path) == ["a"]


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """File systems without hard links do as well."""

    def refuse(*_: object) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(os, "link", refuse)

    assert KeyStore(tmp_path).load_or_create("a", parse, lambda: b"good") == b"good"
    assert names(tmp_path) == ["a"]


def test_write_leaves_equal_files_alone(tmp_path: Path):
    """A file that has the contents already is not touched."""
    store = KeyStore(tmp_path)
    path = store.write("a", b"x")
    inode = path.stat().st_ino
    store.write("a", b"x")
    same = path.stat().st_ino
    store.write("a", b"y")

    assert same == inode
    assert path.read_bytes() == b"y"


def test_default_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Keys rest in the user's cache directory."""
    if sys.platform in ("win32", "darwin"):
        pytest.skip("the XDG specification is for other systems")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    absolute = default_key_dir()
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    relative = default_key_dir()

    assert absolute == tmp_path / "entra-emulator"
    assert relative == Path.home() / ".cache" / "entra-emulator"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert KeyStore().directory == tmp_path / "entra-emulator"


def test_unusable_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """Where the cache cannot be written, keys last for this run, and that is said."""
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setattr(key_store, "default_key_dir", lambda: blocked)
    store = KeyStore()

    assert store.load_or_create("a", parse, lambda: b"good") == b"good"
    assert "keys will not outlive this run" in caplog.text
    store.directory.joinpath("a").unlink()
    store.directory.rmdir()


def test_signing_keys():
    """A signing key survives a round trip; anything else is unusable."""
    pem = new_signing_key("test")
    key = parse_signing_key(pem)
    other = new_signing_key("other")
    mixed = pem.split(b"-----BEGIN CERTIFICATE-----")[0] + other[other.index(b"-----BEGIN CERTIFICATE-----") :]

    assert parse_signing_key(pem).kid == key.kid != parse_signing_key(other).kid
    for broken in (b"", b"text", pem[:500], mixed, new_authority()):
        with pytest.raises(UnusableFileError):
            parse_signing_key(broken)


def test_authorities():
    """An authority survives a round trip; anything else is unusable."""
    pem = new_authority()
    other = new_authority()
    mixed = pem.split(b"-----BEGIN CERTIFICATE-----")[0] + other[other.index(b"-----BEGIN CERTIFICATE-----") :]

    assert parse_authority(pem).certificate_pem == CertificateAuthority(pem).certificate_pem
    for broken in (b"", b"text", pem[:100], mixed, new_signing_key("x")):
        with pytest.raises(UnusableFileError):
            parse_authority(broken)


def test_ending_certificates_are_replaced(monkeypatch: pytest.MonkeyPatch):
    """A certificate that ends within a month is not used any more."""
    import datetime

    from entra_emulator.keys import certificate_authority
    from entra_emulator.keys import signing as keys

    soon = datetime.timedelta(days=29)
    monkeypatch.setattr(certificate_authority, "_TEN_YEARS", soon)
    monkeypatch.setattr(keys, "_TEN_YEARS", soon)

    with pytest.raises(UnusableFileError, match="ends soon"):
        parse_authority(new_authority())
    with pytest.raises(UnusableFileError, match="ends soon"):
        parse_signing_key(new_signing_key("test"))


def test_emulator_replaces_broken_keys(tmp_path: Path):
    """An emulator starts although its key files are damaged."""
    EntraEmulator(key_dir=tmp_path)
    for path in tmp_path.glob("*.pem"):
        path.write_bytes(b"damaged")

    with EntraEmulator(key_dir=tmp_path) as entra:
        assert entra.authority
    assert parse_authority((tmp_path / "authority.pem").read_bytes())

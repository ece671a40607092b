"""Where keys rest between runs: a private directory of the user's, and files that appear whole or not at all.

Keys are kept for two reasons: making an RSA key costs more than everything else at start, and tokens issued before a
restart must stay valid after it.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Optional, TypeVar

_LOGGER = logging.getLogger("entra_emulator")

T = TypeVar("T")


class UnusableFileError(ValueError):
    """A stored file is broken or out of date and has to be made again."""


def default_key_dir() -> Path:
    """The user's cache directory for this program."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        # XDG Base Directory Specification: relative paths are to be ignored.
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "")
        base = cache if cache.is_absolute() else Path.home() / ".cache"
    return base / "entra-emulator"


class KeyStore:
    """Files in one private directory (mode 700; files 600).

    :param directory: created if missing. None takes the user's cache directory, and where that cannot be written, a
        temporary one.
    :raises OSError: the given directory cannot be used.
    """

    def __init__(self, directory: Optional[Path] = None) -> None:
        if directory is not None:
            self.directory = _private(Path(directory))
            return
        try:
            self.directory = _private(default_key_dir())
        except (OSError, RuntimeError) as error:  # RuntimeError: no home directory
            self.directory = Path(tempfile.mkdtemp(prefix="entra-emulator-keys-"))
            _LOGGER.warning("keys will not outlive this run: %s. They are in %s", error, self.directory)

    def load_or_create(self, name: str, parse: Callable[[bytes], T], create: Callable[[], bytes]) -> T:
        """What `parse` makes of the file `name`; the file is created when it is missing or unusable.

        Several processes may start at once: the first file wins, and all of them read it.

        :param parse: raises `UnusableFileError` for contents that must be replaced.
        """
        path = self.directory / name
        for _ in range(3):
            try:
                return parse(path.read_bytes())
            except FileNotFoundError:
                self._create(path, create())
            except UnusableFileError as error:
                _LOGGER.warning("%s is made again: %s", path, error)
                _set_aside(path)
        raise UnusableFileError(f"{path} stays unusable; delete it")

    def peek(self, name: str, parse: Callable[[bytes], T]) -> Optional[T]:
        """What `parse` makes of the file `name`, or None if it is missing or unusable."""
        try:
            return parse((self.directory / name).read_bytes())
        except (FileNotFoundError, UnusableFileError):
            return None

    def write(self, name: str, data: bytes) -> Path:
        """Make the file `name` hold `data`, replacing it in one step. Returns its path."""
        path = self.directory / name
        if not (path.exists() and path.read_bytes() == data):
            temporary = self._temporary(data)
            temporary.replace(path)
        return path

    def _create(self, path: Path, data: bytes) -> None:
        temporary = self._temporary(data)
        try:
            os.link(temporary, path)  # unlike a rename, fails when another process was faster
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            temporary.replace(path)
            return
        temporary.unlink()

    def _temporary(self, data: bytes) -> Path:
        descriptor, name = tempfile.mkstemp(dir=self.directory, prefix=".new-")  # mode 600
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        return Path(name)


def _private(directory: Path) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform != "win32":
        if directory.stat().st_uid != os.getuid():
            raise PermissionError(f"key_dir: {directory} belongs to another user")
        directory.chmod(0o700)
    if not os.access(directory, os.W_OK):
        raise PermissionError(f"key_dir: {directory} is not writable")
    return directory


def _set_aside(path: Path) -> None:
    try:
        path.replace(path.with_name(f"{path.name}.unusable-{time.time_ns()}"))
    except FileNotFoundError:
        pass  # another process was faster

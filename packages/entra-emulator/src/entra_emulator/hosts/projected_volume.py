"""A directory as kubelet fills it: the files are links into a hidden directory, and all of them change at one moment.

Kubernetes documentation, "Projected Volumes"; the order of steps is that of kubelet's `AtomicWriter`.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Mapping

_DATA = "..data"


class ProjectedVolume:
    """Files in `directory`, which has to exist and belongs to this object alone."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()

    def write(self, files: Mapping[str, bytes]) -> None:
        """Replace the contents by `files` in one step."""
        with self._lock:
            if sys.platform == "win32":  # links need a privilege there
                for name, data in files.items():
                    fresh = self._directory / f"{name}.new"
                    fresh.write_bytes(data)
                    fresh.replace(self._directory / name)
                return
            self._replace(files)

    def _replace(self, files: Mapping[str, bytes]) -> None:
        data_link = self._directory / _DATA
        old = data_link.resolve() if data_link.is_symlink() else None
        fresh = self._directory / f"..{time.strftime('%Y_%m_%d_%H_%M_%S')}.{time.time_ns()}"
        fresh.mkdir(mode=0o700)
        for name, data in files.items():
            path = fresh / name
            path.write_bytes(data)
            path.chmod(0o600)
        new_link = self._directory / f"{_DATA}_tmp"
        new_link.symlink_to(fresh.name)
        new_link.replace(data_link)
        for name in files:
            visible = self._directory / name
            if not visible.is_symlink():
                visible.symlink_to(Path(_DATA) / name)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)

"""Child processes that end when their caller does. The only place that starts any.

One implementation serves both ports: the blocking port runs it on the caller's thread, the async port on a thread of
its own. That makes the event loop's own subprocess support unnecessary, which needs a particular loop on Windows and a
watcher on old Pythons.

1. No shell, no standard input, output read as bytes and decoded as UTF-8 with replacement (a tool's locale must not
   break us).
2. The child leads a new session (POSIX) or process group (Windows), so that the whole tree can be ended: tools such as
   `az` are scripts that start the real program, and killing only the script leaves that running.
3. However the wait is cut short (timeout, cancellation, Ctrl-C, anything), no process of the tree is left and the child
   is reaped. A child that ended by itself may leave something running (the Azure CLI reports telemetry that way): that
   is its business.
4. After a kill the wait for the pipes is bounded: a descendant that escaped the session may still hold them open.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from .._values.messages import CannotRun, Completed, TimedOut

if TYPE_CHECKING:
    from .._values.messages import Command

T = TypeVar("T")
GRACE = 2.0
"""Seconds to wait for a killed process tree's pipes to close."""


async def in_thread(work: Callable[[], T], cancel: Callable[[], None]) -> T:
    """What `work` returns, run on a thread of its own. When the task is cancelled, `cancel` must make it end soon."""
    import asyncio

    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def report(result: Any, error: Optional[BaseException]) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001 - whatever it is, it belongs to the waiting task
            error = raised
        try:
            loop.call_soon_threadsafe(report, result, error)
        except RuntimeError:
            return  # the loop was closed meanwhile; nobody is left to tell

    thread = threading.Thread(target=run, name="azure-identity-work", daemon=True)
    thread.start()
    try:
        return await outcome
    except BaseException:
        cancel()
        thread.join(GRACE)
        raise


class Process:
    """One run of one command."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._child: Optional[subprocess.Popen[bytes]] = None
        self._cancelled = False
        self._lock = threading.Lock()

    def run(self) -> Completed:
        """Run to the end on this thread."""
        try:
            child = self._start()
            stdout, stderr = child.communicate(timeout=self._command.timeout)
        except subprocess.TimeoutExpired:
            self._end()
            raise TimedOut(f"no answer within {self._command.timeout:g} seconds") from None
        except BaseException:
            self._end()
            raise
        return Completed(child.returncode, _text(stdout), _text(stderr))

    async def run_in_thread(self) -> Completed:
        """Run to the end without blocking the event loop. Cancelling the task kills the process tree first."""
        return await in_thread(self.run, self._cancel)

    def _start(self) -> subprocess.Popen[bytes]:
        command = self._command
        options: dict[str, Any] = {}
        if sys.platform == "win32":
            options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        else:
            options["start_new_session"] = True
        with self._lock:
            if self._cancelled:
                raise CannotRun("cancelled before it started")
            # Known before it runs: Ctrl-C may come while the child exists already and the constructor has not returned.
            child = self._child = subprocess.Popen.__new__(subprocess.Popen)
            try:
                child.__init__(  # type: ignore[misc]
                    command.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=command.cwd,
                    env={**os.environ, **command.env},
                    **options,
                )
            except OSError as error:
                self._child = None
                raise CannotRun(error.strerror or str(error)) from error
            return child

    def _cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            if self._child is not None and getattr(self._child, "pid", None) and self._child.poll() is None:
                _kill_tree(self._child)

    def _end(self) -> None:
        child = self._child
        if child is None or getattr(child, "pid", None) is None or child.returncode is not None:
            return
        _kill_tree(child)
        try:
            child.communicate(timeout=GRACE)
        except (subprocess.TimeoutExpired, ValueError, OSError):
            for pipe in (child.stdout, child.stderr):
                if pipe is not None:
                    pipe.close()
            child.wait()


def _kill_tree(child: subprocess.Popen[bytes]) -> None:
    """End the child and its descendants. Harmless when they are gone already."""
    if sys.platform == "win32":
        if child.poll() is None:
            system = os.environ.get("SYSTEMROOT", r"C:\Windows")
            subprocess.run(  # noqa: S603 - a fixed program of the system directory, and a number
                [os.path.join(system, "System32", "taskkill.exe"), "/T", "/F", "/PID", str(child.pid)],  # noqa: PTH118
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
            child.kill()
        return
    import signal

    try:
        # The child leads its process group and has not been reaped yet, so the number is still its own.
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        if child.returncode is None and child.poll() is None:
            child.kill()


def _text(output: bytes) -> str:
    return output.decode("utf-8-sig", "replace").replace("\r\n", "\n")

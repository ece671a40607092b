"""The two I/O ports against real servers and real processes: one suite, and both must do and say the same."""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import signal
import subprocess
import sys
import textwrap
import threading
import weakref
from pathlib import Path
from typing import Any, Callable, Iterator
from urllib.parse import parse_qs

import loopback
import pytest
from loopback import HANG_UP, RESET, SILENT, Received, Server, alive, eventually, reply, torn
from worlds import Async, Sync, World

from azure.identity._outside.blocking import BlockingIO
from azure.identity._outside.flights import FlightTable
from azure.identity._outside.http import blocking_pool as _blocking_pool
from azure.identity._outside.http import pipes as _pipes
from azure.identity._outside.http import suspending_pool as _suspending_pool
from azure.identity._outside.port import run_blocking
from azure.identity._outside.suspending import AsyncIO
from azure.identity._values.messages import CannotRun, Closed, Command, Request, Response, TimedOut, Unreachable

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="tests process trees by POSIX means")

ONCE = {"retry_total": 0}


def python(*code: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", "\n".join(code))


class PortContract:
    """What flows may rely on, whichever port they are given."""

    kind: type[World]

    @pytest.fixture
    def world(self) -> Iterator[World]:
        made = self.kind()
        yield made
        made.end()

    def send(self, world: World, request: Request, **options: Any) -> Response:
        return world.run(world.port(**options).send(request))

    # --- answers

    def test_an_answer_has_status_headers_and_body(self, world: World) -> None:
        """Header names arrive in lower case, the body as bytes, whatever the status."""
        with Server(reply(418, b"short and stout", {"X-Kind": "Teapot"})) as server:
            response = self.send(world, Request("GET", server.url))

        assert (response.status, response.headers["x-kind"], response.body) == (418, "Teapot", b"short and stout")
        assert response.raw.status_code == 418

    def test_a_form_is_sent_urlencoded(self, world: World) -> None:
        """Blanks, ampersands, plus signs and other alphabets arrive as they were."""
        form = {"scope": "a b", "secret": "&=+%~", "name": "Zoë 🚀"}
        with Server(reply()) as server:
            self.send(world, Request("POST", server.url, {"X-Own": "1"}, form))
        [request] = server.requests

        assert (
            request.method,
            request.headers["content-type"],
            request.headers["x-own"],
        ) == ("POST", "application/x-www-form-urlencoded", "1")
        assert {name: [value] for name, value in form.items()} == parse_qs(request.body.decode("ascii"))

    def test_a_request_without_form_has_no_body(self, world: World) -> None:
        with Server(reply()) as server:
            self.send(world, Request("GET", server.url + "?a=b%20c"))
        [request] = server.requests

        assert (request.target, request.body) == ("/token?a=b%20c", b"")
        assert "content-type" not in request.headers

    def test_a_compressed_answer_is_unpacked(self, world: World) -> None:
        body = b'{"access_token": "x"}' * 50
        with Server(reply(200, gzip.compress(body), {"Content-Encoding": "gzip"})) as server:
            assert self.send(world, Request("GET", server.url)).body == body

    def test_an_answer_that_is_not_ascii_arrives_unchanged(self, world: World) -> None:
        body = '{"error_description": "Zugriff verweigert für 利用者"}'.encode()
        with Server(reply(400, body)) as server:
            assert self.send(world, Request("GET", server.url)).body == body

    def test_an_empty_answer_is_an_answer(self, world: World) -> None:
        with Server(reply(204, b"", {"Content-Length": "0"})) as server:
            assert self.send(world, Request("GET", server.url))[0:3:2] == (204, b"")

    def test_redirects_are_not_followed(self, world: World) -> None:
        """A token request must not go where some answer says."""
        with Server(reply(302, b"", {"Location": "http://127.0.0.1:1/elsewhere"})) as server:
            assert self.send(world, Request("GET", server.url)).status == 302
        assert len(server.requests) == 1

    def test_cookies_are_not_kept(self, world: World) -> None:
        """What one request is told must not travel with another credential's."""
        with Server(reply(headers={"Set-Cookie": "a=b; Path=/"})) as server:
            port = world.port()
            world.run(port.send(Request("GET", server.url)))
            world.run(port.send(Request("GET", server.url)))

        assert ["cookie" in request.headers for request in server.requests] == [False, False]

    def test_connections_are_used_again(self, world: World) -> None:
        with Server(reply()) as server:
            port = world.port()
            for _ in range(3):
                world.run(port.send(Request("GET", server.url)))

        assert (len(server.requests), server.connections) == (3, 1)

    # --- retries

    def test_a_busy_service_is_asked_again(self, world: World, pauses: list[float]) -> None:
        """503 and then 200 is a success; the first repetition comes at once."""
        with Server(_in_turn(reply(503), reply(200, b"now"))) as server:
            assert self.send(world, Request("POST", server.url, form={"a": "b"})).body == b"now"
        assert (pauses, len(server.requests)) == ([], 2)

    def test_a_short_retry_after_is_waited_for(self, world: World, pauses: list[float]) -> None:
        with Server(_in_turn(reply(429, headers={"Retry-After": "7"}), reply())) as server:
            assert self.send(world, Request("POST", server.url, form={"a": "b"})).status == 200
        assert pauses == [7]

    @pytest.mark.parametrize("header", ["Retry-After", "retry-after-ms", "x-ms-retry-after-ms"])
    def test_a_long_retry_after_is_not(self, world: World, pauses: list[float], header: str) -> None:
        """The caller gets the answer instead of a minute's silence, and can decide."""
        wait = "60" if header == "Retry-After" else "60000"
        with Server(reply(429, headers={header: wait})) as server:
            assert self.send(world, Request("POST", server.url, form={"a": "b"})).status == 429
        assert (pauses, len(server.requests)) == ([], 1)

    def test_the_longest_pause_is_an_option(self, world: World, pauses: list[float]) -> None:
        with Server(_in_turn(reply(429, headers={"Retry-After": "60"}), reply())) as server:
            assert self.send(world, Request("GET", server.url), retry_backoff_max=60).status == 200
        assert pauses == [60]

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 505])
    def test_a_refusal_is_final(self, world: World, pauses: list[float], status: int) -> None:
        with Server(reply(status)) as server:
            assert self.send(world, Request("POST", server.url, form={"a": "b"})).status == status
        assert (pauses, len(server.requests)) == ([], 1)

    @pytest.mark.parametrize(("options", "attempts"), [({}, 4), ({"retry_total": 2}, 3), ({"retry_total": 0}, 1)])
    def test_attempts_are_bounded(
        self, world: World, pauses: list[float], options: dict[str, Any], attempts: int
    ) -> None:
        with Server(reply(500)) as server:
            assert self.send(world, Request("POST", server.url, form={"a": "b"}), **options).status == 500
        assert len(server.requests) == attempts
        assert pauses == [1.6, 3.2][: max(0, attempts - 2)]

    def test_a_flow_can_ask_for_one_attempt(self, world: World, pauses: list[float]) -> None:
        """Flows that wait by rules of their own get every answer."""
        with Server(reply(503)) as server:
            assert self.send(world, Request("GET", server.url, retry=False)).status == 503
        assert len(server.requests) == 1

    def test_a_broken_connection_is_tried_again(self, world: World, pauses: list[float]) -> None:
        with Server(_in_turn(RESET, reply(200, b"now"))) as server:
            assert self.send(world, Request("POST", server.url, form={"a": "b"})).body == b"now"
        assert len(server.requests) == 2

    def test_an_untrusted_certificate_is_not_tried_again(
        self, world: World, pauses: list[float], tmp_path: Path
    ) -> None:
        """It will be the same one in a second; the caller is told at once."""
        with Server(reply(), tls=_tls(tmp_path, "127.0.0.1")) as server:
            with pytest.raises(Unreachable, match="not trusted"):
                self.send(world, Request("GET", server.url))
            assert (pauses, len(server._open)) == ([], 1)

    # --- programs

    def test_a_program_ends_with_its_output(self, world: World) -> None:
        command = Command(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"), 10)
        done = world.run(world.port().run(command))

        assert done == (3, "out\n", "err\n")

    def test_a_program_gets_variables_on_top_of_ours(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OURS", "1")
        command = Command(python("import os; print(os.environ['OURS'], os.environ['ITS'])"), 10, {"ITS": "2"})

        assert world.run(world.port().run(command)).stdout == "1 2\n"

    def test_a_program_starts_where_it_is_told(self, world: World, tmp_path: Path) -> None:
        command = Command(python("import os; print(os.getcwd())"), 10, cwd=str(tmp_path))

        assert world.run(world.port().run(command)).stdout.strip() == os.path.realpath(tmp_path)

    def test_a_program_has_no_standard_input(self, world: World) -> None:
        """A tool that asks a question gets no answer, instead of taking the terminal."""
        command = Command(python("import sys; print(repr(sys.stdin.read()))"), 10)

        assert world.run(world.port().run(command)).stdout == "''\n"

    def test_output_is_utf8_with_replacement(self, world: World) -> None:
        write = (
            r"import sys; sys.stdout.buffer.write(b'\xef\xbb\xbfa\r\n\xff\xc3\xa9'); sys.stderr.buffer.write(b'\xfe')"
        )
        done = world.run(world.port().run(Command(python(write), 10)))

        assert (done.stdout, done.stderr) == ("a\n\ufffdé", "\ufffd")

    def test_much_output_does_not_block(self, world: World) -> None:
        write = "import sys; sys.stderr.write('e' * 1_000_000); sys.stdout.write('o' * 1_000_000)"
        done = world.run(world.port().run(Command(python(write), 20)))

        assert (len(done.stdout), len(done.stderr)) == (1_000_000, 1_000_000)

    def test_a_program_that_is_not_there_cannot_run(self, world: World) -> None:
        with pytest.raises(CannotRun, match="No such file or directory"):
            world.run(world.port().run(Command(("/nowhere/at/all",), 10)))

    def test_a_program_that_may_not_be_started_cannot_run(self, world: World, tmp_path: Path) -> None:
        (tmp_path / "tool").write_text("no program")
        with pytest.raises(CannotRun, match="Permission denied"):
            world.run(world.port().run(Command((str(tmp_path / "tool"),), 10)))

    @posix_only
    def test_a_timeout_ends_the_whole_tree(self, world: World, tmp_path: Path) -> None:
        """No process is left, not even a grandchild that ignores signals."""
        pids = tmp_path / "pids"
        with pytest.raises(TimedOut, match=r"no answer within 0\.3 seconds"):
            world.run(world.port().run(Command(_stubborn_tree(pids), 0.3)))
        child, grandchild = _read_pids(pids)

        assert eventually(lambda: not alive(child) and not alive(grandchild))

    @posix_only
    def test_a_descendant_that_escaped_does_not_hold_the_caller(
        self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process of another session keeps the pipes open. After a moment nobody waits for it any more."""
        monkeypatch.setattr("azure.identity._outside.processes.GRACE", 0.1)
        pids = tmp_path / "pid"
        code = (
            "import os, time\npid = os.fork()\nif pid == 0: os.setsid()\n"
            f"else: open({str(pids)!r}, 'w').write(str(pid))\ntime.sleep(20)"
        )
        with pytest.raises(TimedOut):
            world.run(world.port().run(Command(python(code), 0.3)))

        os.kill(int(pids.read_text()), signal.SIGKILL)

    # --- the rest of the port

    def test_the_clock_is_whole_seconds(self, world: World, clock: Any) -> None:
        before = world.port().now()
        clock.advance(100)

        assert 100 <= world.port().now() - before <= 101
        assert isinstance(before, int)

    def test_ids_are_random(self, world: World) -> None:
        port = world.port()
        ids = {port.new_id() for _ in range(100)}

        assert (100, {"4"}) == (len(ids), {one[14] for one in ids})

    def test_sleep_waits(self, world: World) -> None:
        port = world.port()
        started = port.stopwatch()
        world.run(port.sleep(0.05))

        assert port.stopwatch() - started >= 0.049

    def test_call_passes_arguments_and_errors_through(self, world: World) -> None:
        """What a user's function raises is theirs, and arrives unchanged."""
        assert world.run(world.port().call(divmod, 7, 2)) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            world.run(world.port().call(divmod, 7, 0))

    def test_a_flight_ends_with_an_error(self, world: World) -> None:
        """The next caller is not held up by one that failed."""
        port = world.port()

        async def fail() -> None:
            async with port.single_flight("key"):
                raise LookupError

        for _ in range(2):
            with pytest.raises(LookupError):
                world.run(fail())
        assert len(port._flights) == 0

    def test_a_closed_port_does_not_send(self, world: World) -> None:
        with Server(reply()) as server:
            port = world.port()
            world.run(port.send(Request("GET", server.url)))
            world.run(port.close())
            world.run(port.close())

            with pytest.raises(Closed):
                world.run(port.send(Request("GET", server.url)))
            with pytest.raises(Closed):
                world.run(port.open())

    def test_a_port_that_was_never_opened_stays_usable(self, world: World) -> None:
        with Server(reply()) as server:
            port = world.port()
            world.run(port.close())

            assert world.run(port.send(Request("GET", server.url))).status == 200

    # --- pipes

    def test_equal_options_share_connections(self, world: World) -> None:
        """A web API that makes a credential per request must not open a connection per request."""
        with Server(reply()) as server:
            for _ in range(2):
                self.send(world, Request("GET", server.url), headers={"a": "b"}, retry_total=1)
            self.send(world, Request("GET", server.url), headers={"a": "c"}, retry_total=1)

        assert (len(server.requests), server.connections) == (3, 2)

    def test_a_shared_pipe_closes_with_its_last_user(self, world: World) -> None:
        with Server(reply()) as server:
            first, second = world.port(retry_total=1), world.port(retry_total=1)
            for port in (first, second):
                world.run(port.send(Request("GET", server.url)))
            session = _pipe(world, second)._session
            world.run(first.close())
            world.run(second.send(Request("GET", server.url)))
            assert server.connections == 1
            world.run(second.close())

            assert not _shared_pipes(world)
            assert eventually(lambda: _is_closed(session))

    def test_options_that_cannot_be_compared_are_not_shared(self, world: World) -> None:
        """A hook made anew each time is another hook."""
        with Server(reply()) as server:
            for _ in range(2):
                self.send(world, Request("GET", server.url), raw_request_hook=lambda request: None)

        assert server.connections == 2

    def test_a_transport_of_the_users_survives_a_forgotten_credential(self, world: World) -> None:
        """Two credentials may share a transport; when one is collected, the other goes on."""
        transport = world.transport()
        with Server(reply()) as server:
            kind = type(world.port())
            forgotten = kind({"transport": transport}, FlightTable())
            world.run(forgotten.send(Request("GET", server.url)))
            gone = weakref.ref(forgotten)
            del forgotten
            gc.collect()
            assert gone() is None

            assert self.send(world, Request("GET", server.url), transport=transport).status == 200


class TestBlockingIO(PortContract):
    kind = Sync

    def test_an_async_callback_is_refused(self) -> None:
        """A sync credential cannot await, and says which function it was and where it would belong."""

        async def assertion() -> str:
            raise AssertionError("never runs")

        with pytest.raises(TypeError, match=r"assertion is asynchronous.*azure\.identity\.aio"):
            run_blocking(BlockingIO({}, FlightTable()).call(assertion))

    def test_a_flow_that_awaits_something_else_is_a_bug_and_said_to_be_one(self) -> None:
        async def flow() -> None:
            await asyncio.sleep(0)

        with pytest.raises(RuntimeError, match=r"flow awaited something other than its I/O port"):
            run_blocking(flow())

    def test_the_pipe_of_a_collected_port_waits_for_the_next_one(self) -> None:
        """A web API leaves its credentials to the collector: the next request finds the connection open."""
        with Server(reply()) as server:
            sessions = []
            for _ in range(3):
                port = BlockingIO({"retry_total": 7}, FlightTable())
                run_blocking(port.send(Request("GET", server.url)))
                sessions.append(port._pipe._session)
                del port
                gc.collect()

            assert sessions[0] is sessions[1] is sessions[2]
            assert not _is_closed(sessions[0])

    def test_a_pipe_does_not_wait_for_ever(self) -> None:
        """When another one is asked for after a while, it closes; so it does with the process."""
        with Server(reply()) as server:
            port = BlockingIO({"retry_total": 7}, FlightTable())
            run_blocking(port.send(Request("GET", server.url)))
            pipe = port._pipe
            del port
            gc.collect()
            pipe.idle_since -= _blocking_pool.LINGER + 1
            other = BlockingIO({"retry_total": 6}, FlightTable())
            run_blocking(other.send(Request("GET", server.url)))

            assert _is_closed(pipe._session)
            assert list(_blocking_pool._blocking_pipes.values()) == [other._pipe]
            run_blocking(other.close())

    def test_a_port_collected_while_pipes_are_locked_does_not_deadlock(self) -> None:
        """The collector may run in the thread that holds the lock: a pipe is made under it, out of many objects."""
        with Server(reply()) as server:
            ports = [BlockingIO({"retry_total": 7}, FlightTable())]
            run_blocking(ports[0].send(Request("GET", server.url)))

            def collect() -> None:
                with _pipes.lock():
                    ports.clear()

            thread = threading.Thread(target=collect, daemon=True)
            thread.start()
            thread.join(5)

            assert not thread.is_alive()
            _blocking_pool._close_idle(float("inf"))

    def test_threads_share_one_pipe(self) -> None:
        port = BlockingIO({"retry_total": 7}, FlightTable())
        gate = threading.Barrier(8)

        def send() -> None:
            gate.wait()
            run_blocking(port.send(Request("GET", server.url)))

        with Server(reply()) as server:
            threads = [threading.Thread(target=send) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(_blocking_pool._blocking_pipes) == 1
            run_blocking(port.close())

            assert not _blocking_pool._blocking_pipes

    @posix_only
    def test_ctrl_c_ends_the_whole_tree(self, tmp_path: Path) -> None:
        """KeyboardInterrupt while a tool runs leaves no process behind."""
        pids = tmp_path / "pids"
        program = textwrap.dedent(
            f"""
            from azure.identity._outside.flights import FlightTable
            from azure.identity._outside.blocking import BlockingIO
            from azure.identity._outside.port import run_blocking
            from azure.identity._values.messages import Command
            run_blocking(BlockingIO({{}}, FlightTable()).run(Command({_stubborn_tree(pids)!r}, 60)))
            """
        )
        process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
        try:
            assert eventually(lambda: len(_read_pids(pids)) == 2, 10)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=10)
        finally:
            process.kill()
            process.wait()
        child, grandchild = _read_pids(pids)

        assert stderr.strip().endswith(b"KeyboardInterrupt")
        assert eventually(lambda: not alive(child) and not alive(grandchild))

    @posix_only
    def test_ctrl_c_while_a_program_starts_ends_it_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The child may exist already while the call that starts it has not returned yet."""
        pids = tmp_path / "pids"
        execute = subprocess.Popen._execute_child  # type: ignore[attr-defined]

        def interrupted(self: Any, *args: Any) -> None:
            execute(self, *args)
            assert eventually(lambda: len(_read_pids(pids)) == 2)
            raise KeyboardInterrupt

        monkeypatch.setattr(subprocess.Popen, "_execute_child", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_blocking(BlockingIO({}, FlightTable()).run(Command(_stubborn_tree(pids), 60)))
        child, grandchild = _read_pids(pids)

        assert eventually(lambda: not alive(child) and not alive(grandchild))

    @posix_only
    def test_a_forked_child_starts_with_connections_of_its_own(self) -> None:
        """Two processes must not write into one TLS stream."""
        program = textwrap.dedent(
            """
            import os, sys
            from azure.identity._outside.flights import FlightTable
            from azure.identity._outside.blocking import BlockingIO
            from azure.identity._outside.port import run_blocking
            from azure.identity._values.messages import Request
            port = BlockingIO({}, FlightTable())
            send = lambda who: run_blocking(port.send(Request("GET", sys.argv[1] + "?" + who)))
            send("parent")
            child = os.fork()
            if child == 0:
                send("child"); send("child")
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            send("parent")
            """
        )
        with Server(reply()) as server:
            subprocess.run([sys.executable, "-W", "error", "-c", program, server.url], check=True, timeout=20)
        ports: dict[str, set[int]] = {}
        for request in server.requests:
            ports.setdefault(request.target, set()).add(request.peer_port)

        assert [len(one) for one in ports.values()] == [1, 1]
        assert len(set().union(*ports.values())) == 2


class TestAsyncIO(PortContract):
    kind = Async

    async def test_an_async_callback_is_awaited(self) -> None:
        async def assertion(text: str) -> str:
            await asyncio.sleep(0)
            return text

        assert await AsyncIO({}, FlightTable()).call(assertion, "signed") == "signed"

    async def test_waiting_does_not_block_the_event_loop(self) -> None:
        """Neither a silent server, nor a program, nor a pause holds up other tasks."""
        port = AsyncIO({"retry_total": 0, "read_timeout": 0.2}, FlightTable())
        turns = 0

        async def tick() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.01)

        ticking = asyncio.create_task(tick())
        with Server(SILENT) as server:
            answers = await asyncio.gather(
                port.send(Request("GET", server.url)),
                port.run(Command(python("import time; time.sleep(0.2)"), 10)),
                port.sleep(0.2),
                return_exceptions=True,
            )
        ticking.cancel()
        await port.close()

        assert turns >= 10
        assert isinstance(answers[0], Unreachable)

    @posix_only
    async def test_cancelling_ends_the_whole_tree(self, tmp_path: Path) -> None:
        pids = tmp_path / "pids"
        task = asyncio.ensure_future(AsyncIO({}, FlightTable()).run(Command(_stubborn_tree(pids), 60)))
        while len(_read_pids(pids)) < 2:
            await asyncio.sleep(0.01)
        child, grandchild = _read_pids(pids)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert eventually(lambda: not alive(child) and not alive(grandchild))

    @posix_only
    async def test_cancelling_before_the_program_started_starts_none(self, tmp_path: Path) -> None:
        touched = tmp_path / "touched"
        task = asyncio.ensure_future(AsyncIO({}, FlightTable()).run(Command(("/usr/bin/touch", str(touched)), 10)))
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert not touched.exists()

    async def test_cancelling_a_request_is_a_cancellation(self) -> None:
        """It is not taken for a failure of the network, nor tried again."""
        port = AsyncIO({}, FlightTable())
        with Server(SILENT) as server:
            task = asyncio.ensure_future(port.send(Request("GET", server.url)))
            while not server.requests:
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await port.close()

        assert len(server.requests) == 1

    def test_each_event_loop_has_its_own_pipe(self) -> None:
        """One credential serves several loops at a time; connections belong to the loop that made them."""
        port = AsyncIO({}, FlightTable())
        gate = threading.Barrier(3)
        errors: list[BaseException] = []

        async def talk() -> None:
            await port.send(Request("GET", server.url))
            gate.wait(5)
            await port.send(Request("GET", server.url))
            gate.wait(5)
            await port._pipes.get()._session.close()

        def run() -> None:
            try:
                asyncio.run(talk())
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                errors.append(error)

        with Server(reply()) as server:
            threads = [threading.Thread(target=run) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert not errors
        assert (len(server.requests), server.connections) == (6, 3)

    @pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the sockets, which nobody closed in time
    def test_loops_that_ended_leave_nothing_behind(self) -> None:
        """A credential kept over many `asyncio.run` keeps no pipe, session or loop of those that ended."""
        port = AsyncIO({}, FlightTable())
        loops = []

        async def talk() -> None:
            loops.append(weakref.ref(asyncio.get_running_loop()))
            await port.send(Request("GET", server.url))

        with Server(reply()) as server:
            for _ in range(4):
                asyncio.run(talk())
            gc.collect()
            kept = [one for one in loops if one() is not None]
            asyncio.run(port.close())
            gc.collect()

        assert len(kept) <= 1
        assert [one() for one in loops] == [None] * 4
        assert not [pipe for pipes in _suspending_pool._async_pipes.values() for pipe in pipes.values() if pipe._owners]

    def test_aiohttp_is_asked_for_by_name_when_it_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "aiohttp", None)
        with pytest.raises(ImportError, match=r"aiohttp package is not installed.*pip install azure-identity\[aio\]"):
            asyncio.run(AsyncIO({}, FlightTable()).send(Request("GET", "http://127.0.0.1:1/")))


# --- failures: what both say


FAILURES: dict[str, tuple[Callable[[Path], Any], dict[str, Any], str, str]] = {
    # name: (server, options, kind, reason)
    "refused": (lambda _: loopback.refusing_url(), {}, "connection", "the connection was refused"),
    "unknown host": (
        lambda _: "http://nobody.invalid/token",
        {},
        "connection",
        "the host name cannot be resolved",
    ),
    "connecting takes too long": (
        lambda _: loopback.unconnectable(),
        {"connection_timeout": 0.1},
        "timeout",
        "connecting took too long",
    ),
    "silence": (lambda _: Server(SILENT), {"read_timeout": 0.1}, "timeout", "the answer took too long"),
    "silence after the head": (
        lambda _: _ThenSilence(torn()),
        {"read_timeout": 0.1},
        "timeout",
        "the answer took too long",
    ),
    "reset": (lambda _: Server(RESET), {}, "response", "the connection was cut before the answer was complete"),
    "hung up": (lambda _: Server(HANG_UP), {}, "response", "the connection was cut before the answer was complete"),
    "torn body": (lambda _: Server(torn()), {}, "response", "the connection was cut before the answer was complete"),
    "torn chunks": (
        lambda _: Server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"),
        {},
        "response",
        "the connection was cut before the answer was complete",
    ),
    "not HTTP": (lambda _: Server(b"SSH-2.0-OpenSSH\r\n\r\n"), {}, "response", "the answer is not HTTP"),
    "broken compression": (
        lambda _: Server(reply(200, b"not gzip at all", {"Content-Encoding": "gzip"})),
        {},
        "response",
        "the answer's compression is damaged",
    ),
    "untrusted authority": (
        lambda folder: Server(reply(), tls=_tls(folder, "127.0.0.1")),
        {},
        "tls",
        "the server's certificate is not trusted (unable to get local issuer certificate)",
    ),
    "another host's certificate": (
        lambda folder: Server(reply(), tls=_tls(folder, "elsewhere.example")),
        {"connection_verify": "authority.pem"},
        "tls",
        "the server's certificate is not trusted (IP address mismatch, certificate is not valid for '127.0.0.1'.)",
    ),
    "plain text on a TLS port": (
        lambda _: _NoTls(b""),
        {},
        "tls",
        "",  # OpenSSL's word for it changes
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_called_the_same_in_both_worlds(name: str, tmp_path: Path) -> None:
    """Whatever goes wrong on the way to an answer has one kind and one sentence, and the error behind it is kept."""
    make, options, kind, reason = FAILURES[name]
    told = []
    for one in (Sync, Async):
        world = one()
        server = make(tmp_path)
        given = {**ONCE, **options}
        if isinstance(given.get("connection_verify"), str):
            given["connection_verify"] = str(tmp_path / given["connection_verify"])
        try:
            with pytest.raises(Unreachable) as caught:
                if isinstance(server, str):
                    world.run(world.port(**given).send(Request("POST", server, form={"a": "b"})))
                else:
                    with server as running:
                        url = running if isinstance(running, str) else running.url
                        world.run(world.port(**given).send(Request("POST", url + "?secret=1", form={"a": "b"})))
        finally:
            world.end()
        told.append((caught.value.kind, caught.value.reason))
        assert caught.value.__cause__ is not None
        assert "secret" not in str(caught.value)

    assert told[0] == told[1]
    assert (kind, reason or told[0][1]) == told[0]


def test_a_request_can_have_a_time_limit_of_its_own(world: World) -> None:
    """It wins over the pipeline's."""
    with Server(SILENT) as server:
        with pytest.raises(Unreachable) as caught:
            world.run(world.port(**ONCE, read_timeout=60).send(Request("GET", server.url, timeout=0.1)))
    assert caught.value.kind == "timeout"


# --- tools of these tests


def _in_turn(*answers: Any) -> Callable[[Received], Any]:
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


class _ThenSilence(Server):
    def _respond(self, connection: Any, request: Received) -> bool:
        self.requests.append(request)
        connection.sendall(self._answer(request))
        while not self._stopped and connection.recv(1):
            pass
        return False


class _NoTls(Server):
    """Answers a TLS client in plain text."""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/token"

    def _serve(self, connection: Any, peer_port: int) -> None:
        connection.recv(1)
        connection.sendall(reply(400))
        connection.close()


def _tls(folder: Path, *names: str) -> Any:
    pem, _ = loopback.new_authority(folder)
    return loopback.server_context(pem, *names)


def _stubborn_tree(pids: Path) -> tuple[str, ...]:
    """A program that starts another; both ignore every signal they can, and write down who they are."""
    # The dollars are for the inner shell: unescaped, the outer one would write its own number twice.
    inner = f"trap '' TERM INT HUP; echo \\$\\$ >> '{pids}'; sleep 30; sleep 30"
    return ("/bin/sh", "-c", f"trap '' TERM INT HUP; echo $$ >> '{pids}'; /bin/sh -c \"{inner}\"; sleep 30")


def _read_pids(path: Path) -> list[int]:
    pids = [int(line) for line in path.read_text().split()] if path.exists() else []
    assert len(set(pids)) == len(pids)
    return pids


def _pipe(world: World, port: Any) -> Any:
    async def running() -> Any:
        return port._pipes.get()

    return port._pipe if world.name == "sync" else world.run(running())


def _shared_pipes(world: World) -> list[Any]:
    if world.name == "sync":
        return list(_blocking_pool._blocking_pipes.values())
    return list(_suspending_pool._async_pipes.get(world.loop, {}).values())  # type: ignore[attr-defined]


def _is_closed(session: Any) -> bool:
    if hasattr(session, "closed"):
        return bool(session.closed)
    return all(len(adapter.poolmanager.pools) == 0 for adapter in session.adapters.values())

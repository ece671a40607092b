"""Single flight: of all who want the same token at the same time one acquires it, whatever threads and loops they are
on, and whatever happens to the one.

The leader of a flight here waits until everybody else has arrived, so no test depends on who is faster.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Awaitable, Callable, Iterator, Optional

import pytest
from loopback import eventually

from azure.identity._cache.memory import TokenKey
from azure.identity._flows.flow import Flow
from azure.identity._flows.shells import AsyncCredential, SyncCredential
from azure.identity._outside import flights as _flights
from azure.identity._outside.blocking import BlockingIO
from azure.identity._outside.flights import FlightTable
from azure.identity._outside.port import run_blocking
from azure.identity._outside.suspending import AsyncIO
from azure.identity._protocols.scopes import canonical_scopes
from azure.identity._values.messages import Token

SCOPE = "https://vault.azure.net/.default"


# --- a credential that gets its tokens from a function of the test


class Supplied(Flow):
    """Calls `supply` with the number of the acquisition, from 1 on."""

    def __init__(self, supply: Callable[[int], Any]) -> None:
        self._supply = supply
        self.acquisitions = 0

    def _key(self, ask: Any) -> TokenKey:
        return TokenKey("cloud", ask.tenant or "", "client", "", canonical_scopes(ask.scopes), ask.cae)

    async def _acquire(self, io: Any, ask: Any) -> Token:
        self.acquisitions += 1
        now = io.now()
        text = await io.call(self._supply, self.acquisitions)
        return Token(text, now + 3600, now + 1800)


class SyncSupplied(Supplied, SyncCredential):
    """The blocking face."""


class AsyncSupplied(Supplied, AsyncCredential):
    """The suspending face."""


def waiting(table: FlightTable) -> int:
    """How many wait for a leader."""
    return sum(len(departure.waiters) for departure in list(table._departures.values()))


async def fly(io: Any, key: object, work: Callable[[], Awaitable[Any]]) -> Any:
    """What a flow does with single flight."""
    async with io.single_flight(key) as flight:
        if not flight.shared:
            flight.result = await work()
        return flight.result


@pytest.fixture
def table() -> Iterator[FlightTable]:
    """A table in which nothing is left when the test ends."""
    made = FlightTable()
    yield made
    assert len(made) == 0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as made:
        yield made


def outcomes(futures: list[Any]) -> list[Any]:
    """Results and errors."""
    return [future.exception(20) or future.result() for future in futures]


# --- threads


def test_64_threads_make_one_acquisition(pool: ThreadPoolExecutor) -> None:
    def supply(number: int) -> str:
        assert eventually(lambda: waiting(credential._flights) == 63)
        return f"token {number}"

    credential = SyncSupplied(supply)
    answers = outcomes([pool.submit(credential.get_token, SCOPE) for _ in range(64)])

    assert ({"token 1"}, 1) == ({answer.token for answer in answers}, credential.acquisitions)
    assert len(credential._flights) == 0


def test_both_methods_share_a_flight(pool: ThreadPoolExecutor) -> None:
    """`get_token` and `get_token_info` for the same token are the same request."""

    def supply(number: int) -> str:
        assert eventually(lambda: waiting(credential._flights) == 1)
        return "token"

    credential = SyncSupplied(supply)
    answers = outcomes([pool.submit(credential.get_token, SCOPE), pool.submit(credential.get_token_info, SCOPE)])

    assert ([answer.token for answer in answers], credential.acquisitions) == (["token", "token"], 1)


def test_different_tokens_do_not_wait_for_each_other(pool: ThreadPoolExecutor) -> None:
    """A slow tenant must not hold up the others."""
    release = threading.Event()

    def supply(number: int) -> str:
        if number == 1:
            assert release.wait(10)
        return f"token {number}"

    credential = SyncSupplied(supply)
    slow = pool.submit(credential.get_token, SCOPE)
    assert eventually(lambda: credential.acquisitions == 1)
    others = [
        credential.get_token("other/.default"),
        credential.get_token(SCOPE, tenant_id="other"),
        credential.get_token(SCOPE, enable_cae=True),
        credential.get_token(SCOPE, claims='{"access_token": {}}'),
    ]
    release.set()

    assert [f"token {number}" for number in (2, 3, 4, 5)] == [token.token for token in others]
    assert slow.result(10).token == "token 1"


def test_after_a_failed_leader_another_one_tries(pool: ThreadPoolExecutor) -> None:
    def supply(number: int) -> str:
        if number == 1:
            assert eventually(lambda: waiting(credential._flights) == 9)
            raise LookupError("the first")
        return f"token {number}"

    credential = SyncSupplied(supply)
    answers = outcomes([pool.submit(credential.get_token, SCOPE) for _ in range(10)])

    errors = [answer for answer in answers if isinstance(answer, LookupError)]
    assert (len(errors), credential.acquisitions) == (1, 2)
    assert {answer.token for answer in answers if answer not in errors} == {"token 2"}


def test_a_failure_that_repeats_is_shared(pool: ThreadPoolExecutor) -> None:
    """A wrong secret costs a crowd two requests, not one for each."""

    def supply(number: int) -> str:
        assert eventually(lambda: waiting(credential._flights) == (9 if number == 1 else 8))
        raise LookupError(f"failure {number}")

    credential = SyncSupplied(supply)
    answers = outcomes([pool.submit(credential.get_token, SCOPE) for _ in range(10)])

    assert ["failure 1", *["failure 2"] * 9] == sorted(answer.args[0] for answer in answers)
    assert (credential.acquisitions, len(credential._flights)) == (2, 0)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interrupted_leader_hands_over(pool: ThreadPoolExecutor, kind: type[BaseException]) -> None:
    """What stops one thread is not a failure of the others, and does not count as one."""

    def supply(number: int) -> str:
        if number <= 3:
            assert eventually(lambda: waiting(credential._flights) == 10 - number)
            raise kind
        return f"token {number}"

    credential = SyncSupplied(supply)
    answers = outcomes([pool.submit(credential.get_token, SCOPE) for _ in range(10)])

    assert (sum(isinstance(answer, kind) for answer in answers), credential.acquisitions) == (3, 4)
    assert {answer.token for answer in answers if not isinstance(answer, kind)} == {"token 4"}


def test_one_thread_renews_early_and_the_others_go_on(pool: ThreadPoolExecutor, clock: Any) -> None:
    """Past `refresh_on` 63 of 64 threads get the current token at once, while one fetches the next."""
    release = threading.Event()

    def supply(number: int) -> str:
        if number == 2:
            assert release.wait(10)
        return f"token {number}"

    credential = SyncSupplied(supply)
    credential.get_token(SCOPE)
    clock.advance(1801)
    futures = [pool.submit(credential.get_token, SCOPE) for _ in range(64)]
    assert eventually(lambda: sum(future.done() for future in futures) == 63)
    release.set()

    assert sorted(answer.token for answer in outcomes(futures)) == ["token 1"] * 63 + ["token 2"]
    assert (credential.acquisitions, credential.get_token(SCOPE).token) == (2, "token 2")


def test_in_the_last_minutes_all_wait_for_one(pool: ThreadPoolExecutor, clock: Any) -> None:
    def supply(number: int) -> str:
        if number == 2:
            assert eventually(lambda: waiting(credential._flights) == 15)
        return f"token {number}"

    credential = SyncSupplied(supply)
    credential.get_token(SCOPE)
    clock.advance(3600 - 299)
    answers = outcomes([pool.submit(credential.get_token, SCOPE) for _ in range(16)])

    assert ({"token 2"}, 2) == ({answer.token for answer in answers}, credential.acquisitions)


# --- tasks


async def test_1000_tasks_make_one_acquisition() -> None:
    async def supply(number: int) -> str:
        while waiting(credential._flights) < 999:
            await asyncio.sleep(0)
        return f"token {number}"

    credential = AsyncSupplied(supply)
    answers = await asyncio.gather(*(credential.get_token(SCOPE) for _ in range(1000)))

    assert ({"token 1"}, 1) == ({answer.token for answer in answers}, credential.acquisitions)
    assert len(credential._flights) == 0


async def test_a_cancelled_leader_hands_over() -> None:
    """Its followers neither hang nor are cancelled; one of them makes the request."""

    async def supply(number: int) -> str:
        if number == 1:
            await asyncio.sleep(60)
        return f"token {number}"

    credential = AsyncSupplied(supply)
    tasks = [asyncio.ensure_future(credential.get_token(SCOPE)) for _ in range(10)]
    while waiting(credential._flights) < 9:
        await asyncio.sleep(0)
    tasks[0].cancel()
    answers = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert ({"token 2"}, 2) == ({answer.token for answer in answers[1:]}, credential.acquisitions)
    assert len(credential._flights) == 0


async def test_a_cancelled_follower_leaves_the_others_alone() -> None:
    release = asyncio.Event()

    async def supply(number: int) -> str:
        await release.wait()
        return f"token {number}"

    credential = AsyncSupplied(supply)
    tasks = [asyncio.ensure_future(credential.get_token(SCOPE)) for _ in range(10)]
    while waiting(credential._flights) < 9:
        await asyncio.sleep(0)
    tasks[5].cancel()
    await asyncio.sleep(0)
    assert waiting(credential._flights) == 8
    release.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(answers.pop(5), asyncio.CancelledError)
    assert ({"token 1"}, 1) == ({answer.token for answer in answers}, credential.acquisitions)


async def test_a_follower_with_a_time_limit_gives_up_alone() -> None:
    """`asyncio.wait_for` around one call ends that call, and not the request that others wait for."""
    release = asyncio.Event()

    async def supply(number: int) -> str:
        await release.wait()
        return f"token {number}"

    credential = AsyncSupplied(supply)
    leader = asyncio.ensure_future(credential.get_token(SCOPE))
    await asyncio.sleep(0)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(credential.get_token(SCOPE), 0.02)
    release.set()

    assert (await leader).token == "token 1"
    assert (credential.acquisitions, len(credential._flights)) == (1, 0)


async def test_tasks_share_a_failure_that_repeats() -> None:
    async def supply(number: int) -> str:
        while waiting(credential._flights) < (99 if number == 1 else 98):
            await asyncio.sleep(0)
        raise LookupError(f"failure {number}")

    credential = AsyncSupplied(supply)
    answers = await asyncio.gather(*(credential.get_token(SCOPE) for _ in range(100)), return_exceptions=True)

    assert ["failure 1", *["failure 2"] * 99] == sorted(str(answer) for answer in answers)
    assert credential.acquisitions == 2


async def test_one_task_renews_early_and_the_others_go_on(clock: Any) -> None:
    release = asyncio.Event()

    async def supply(number: int) -> str:
        if number == 2:
            await release.wait()
        return f"token {number}"

    credential = AsyncSupplied(supply)
    await credential.get_token(SCOPE)
    clock.advance(1801)
    renewing = asyncio.ensure_future(credential.get_token(SCOPE))
    await asyncio.sleep(0)
    others = await asyncio.wait_for(asyncio.gather(*(credential.get_token(SCOPE) for _ in range(63))), 5)
    release.set()

    assert {answer.token for answer in others} == {"token 1"}
    assert (await renewing).token == "token 2"
    assert credential.acquisitions == 2


async def test_a_cancelled_early_renewal_can_be_tried_again(clock: Any) -> None:
    """The claim to renew does not stay with a task that is gone."""

    async def supply(number: int) -> str:
        if number == 2:
            await asyncio.sleep(60)
        return f"token {number}"

    credential = AsyncSupplied(supply)
    await credential.get_token(SCOPE)
    clock.advance(1801)
    renewing = asyncio.ensure_future(credential.get_token(SCOPE))
    await asyncio.sleep(0)
    renewing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await renewing
    clock.advance(31)

    assert (await credential.get_token(SCOPE)).token == "token 3"


# --- threads and event loops together


def test_threads_and_tasks_of_several_loops_share_one_flight(table: FlightTable, pool: ThreadPoolExecutor) -> None:
    """Three event loops with 20 tasks each, and 20 threads, at the same time: one acquisition."""
    everybody, led = 80, []

    async def work(pause: Callable[[], Awaitable[None]]) -> str:
        led.append(threading.current_thread())
        deadline = time.monotonic() + 10
        while waiting(table) < everybody - 1 and time.monotonic() < deadline:
            await pause()
        return "token"

    def in_thread() -> list[str]:
        io = BlockingIO({}, table)
        return [run_blocking(fly(io, "key", lambda: work(lambda: io.sleep(0.002))))]

    def in_loop() -> list[str]:
        async def main() -> list[str]:
            io = AsyncIO({}, table)
            return await asyncio.gather(*(fly(io, "key", lambda: work(lambda: io.sleep(0.002))) for _ in range(20)))

        return asyncio.run(main())

    futures = [pool.submit(in_loop) for _ in range(3)] + [pool.submit(in_thread) for _ in range(20)]
    answers = [answer for future in futures for answer in future.result(20)]

    assert (["token"] * everybody, 1) == (answers, len(led))


@pytest.mark.parametrize("waits", ["thread", "task of another loop"])
def test_a_leader_whose_loop_stopped_is_given_up(
    table: FlightTable, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, waits: str
) -> None:
    """An event loop may stop in the middle of a request and never run again. Others do not wait for it for ever."""
    monkeypatch.setattr(_flights, "STALLED_AFTER", 0.02)
    loop = asyncio.new_event_loop()
    stop = threading.Event()

    async def lead() -> str:
        return await fly(AsyncIO({}, table), "key", lambda: asyncio.sleep(60, "late"))

    async def until_stopped(task: Any) -> None:
        await asyncio.sleep(0)
        while not stop.is_set():
            await asyncio.sleep(0)

    leader = loop.create_task(lead())
    running = pool.submit(loop.run_until_complete, until_stopped(leader))
    assert eventually(lambda: len(table) == 1)

    async def answer() -> str:
        return "token"

    if waits == "thread":
        follower = pool.submit(lambda: run_blocking(fly(BlockingIO({}, table), "key", answer)))
    else:

        async def follow() -> Any:
            return await fly(AsyncIO({}, table), "key", answer)

        follower = pool.submit(lambda: asyncio.run(follow()))
    assert eventually(lambda: waiting(table) == 1)
    stop.set()
    running.result(5)

    assert follower.result(5) == "token"
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(leader)
    loop.close()


def test_a_follower_whose_loop_was_closed_holds_up_nobody(table: FlightTable, pool: ThreadPoolExecutor) -> None:
    release = threading.Event()

    async def work() -> str:
        assert release.wait(10)
        return "token"

    async def follow() -> None:
        task = asyncio.ensure_future(fly(AsyncIO({}, table), "key", work))
        while waiting(table) < 1:
            await asyncio.sleep(0)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is left behind on purpose
        abandoned.append(task)

    abandoned: list[Any] = []
    leader = pool.submit(lambda: run_blocking(fly(BlockingIO({}, table), "key", work)))
    assert eventually(lambda: len(table) == 1)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(follow())
    other = pool.submit(lambda: run_blocking(fly(BlockingIO({}, table), "key", work)))
    assert eventually(lambda: waiting(table) == 2)
    loop.close()
    release.set()

    assert (leader.result(5), other.result(5)) == ("token", "token")


# --- coroutines that are thrown away


class _Suspend:
    def __await__(self) -> Iterator[None]:
        yield


async def _suspend() -> None:
    await _Suspend()


def test_a_flight_ends_when_its_leader_is_thrown_away(table: FlightTable) -> None:
    """A coroutine that nobody drives any more is closed by the garbage collector: GeneratorExit inside."""
    leader = fly(BlockingIO({}, table), "key", _suspend)
    leader.send(None)
    assert len(table) == 1
    del leader

    async def answer() -> str:
        return "token"

    assert run_blocking(fly(BlockingIO({}, table), "key", answer)) == "token"


def test_a_leader_thrown_away_while_the_table_is_locked_does_not_deadlock(table: FlightTable) -> None:
    """The collector may run in the thread that is just using the table."""
    leader = [fly(BlockingIO({}, table), "key", _suspend)]
    leader[0].send(None)

    def collect() -> None:
        with table._lock:
            leader.clear()

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    thread.join(5)

    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_wait_for_a_thread_of_its_parent() -> None:
    """A server that forks its workers while a thread fetches a token: that thread does not exist in the worker."""
    program = textwrap.dedent(
        """
        import os, threading, warnings
        warnings.simplefilter("ignore")
        from azure.identity._outside.flights import FlightTable
        from azure.identity._outside.blocking import BlockingIO
        from azure.identity._outside.port import run_blocking
        io = BlockingIO({}, FlightTable())
        started, release = threading.Event(), threading.Event()

        async def fly(work):
            async with io.single_flight("key") as flight:
                if not flight.shared:
                    flight.result = work()
                return flight.result

        def lead():
            started.set()
            release.wait(20)
            return "parent"

        thread = threading.Thread(target=lambda: run_blocking(fly(lead)))
        thread.start()
        started.wait(20)
        child = os.fork()
        if child == 0:
            os._exit(0 if run_blocking(fly(lambda: "child")) == "child" else 1)
        status = os.waitpid(child, 0)[1]
        release.set()
        thread.join()
        raise SystemExit(status)
        """
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)


def test_a_flight_without_result_is_no_answer(table: FlightTable, pool: ThreadPoolExecutor) -> None:
    """A leader that ends without a result (it found nothing to do) hands over, like one that was cancelled."""
    led: list[Optional[str]] = []

    async def work() -> Optional[str]:
        led.append(None)
        if len(led) == 1:
            assert eventually(lambda: waiting(table) == 1)
            return None
        return "token"

    answers = outcomes([pool.submit(lambda: run_blocking(fly(BlockingIO({}, table), "key", work))) for _ in range(2)])

    assert ({None, "token"}, 2) == (set(answers), len(led))

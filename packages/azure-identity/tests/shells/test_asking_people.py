"""Many callers and one person: threads and tasks that all need a sign-in."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

import pytest
from azure.core.exceptions import ClientAuthenticationError
from loopback import eventually
from people import ADA, BOB, Person

from azure.identity import AuthenticationRecord
from azure.identity._errors.errors import AuthenticationFailedError
from azure.identity._flows.shells import AsyncCredential, AsyncSignIn, SyncCredential, SyncSignIn
from azure.identity._flows.users import UserFlow
from azure.identity._protocols.entra import Granted, json_object
from azure.identity._values.messages import Token

CROWD = 50


class Scene(UserFlow):
    """A credential whose person is a test: it waits until the test says how the sign-in ends."""

    def __init__(self) -> None:
        super().__init__("tid", "cid", {})
        self.asked: list[tuple[str, ...]] = []
        self.renewed: list[tuple[str, ...]] = []
        self.answers: list[Any] = []
        self.waiting = 0

    async def _ask_person(self, io: Any, ask: Any) -> Granted:
        self.asked.append(ask.scopes)
        while not self.answers:
            await io.sleep(0.001)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return granted(answer, f"asked {ask.scopes[0]}")

    async def _renew(self, io: Any, ask: Any, record: AuthenticationRecord) -> Optional[Token]:
        self.renewed.append(ask.scopes)
        return granted(ADA, f"renewed {ask.scopes[0]}").token

    async def _answer(self, io: Any, ask: Any) -> Any:
        self.waiting += 1
        return await super()._answer(io, ask)


def granted(person: Person, access_token: str) -> Granted:
    return Granted(Token(access_token, int(time.time()) + 3600), json_object(person.token(access_token).body) or {})


class Blocking(Scene, SyncSignIn, SyncCredential):
    pass


class Suspending(Scene, AsyncSignIn, AsyncCredential):
    pass


def declined() -> Exception:
    return AuthenticationFailedError("Declined.")


def crowd(scopes: list[str], answers: list[Any], expect: int = CROWD) -> tuple[Blocking, list[Any]]:
    """What `CROWD` threads get, once all wait."""
    scene = Blocking()

    def one(i: int) -> Any:
        try:
            return scene.get_token(scopes[i % len(scopes)]).token
        except ClientAuthenticationError as error:
            return error

    with ThreadPoolExecutor(CROWD) as pool:
        futures = [pool.submit(one, i) for i in range(CROWD)]
        assert eventually(lambda: scene.waiting >= CROWD and scene.asked)
        scene.answers += answers
        return scene, [future.result(20) for future in futures]


def test_fifty_threads_and_one_prompt() -> None:
    """All get the token."""
    scene, got = crowd(["a"], [ADA])

    assert (len(scene.asked), scene.renewed, set(got)) == (1, [], {"asked a"})


def test_fifty_tasks_and_one_prompt() -> None:
    """The same."""

    async def main() -> None:
        scene = Suspending()
        tasks = [asyncio.ensure_future(scene.get_token("a")) for _ in range(CROWD)]
        while scene.waiting < CROWD:
            await asyncio.sleep(0)
        scene.answers.append(ADA)
        got = {token.token for token in await asyncio.gather(*tasks)}
        assert (len(scene.asked), scene.renewed, got) == (1, [], {"asked a"})

    asyncio.run(main())


def test_callers_with_other_scopes_wait_for_the_prompt_and_renew() -> None:
    """A person is asked one thing at a time, and their refresh token does for the rest: one request per scope."""
    scene, got = crowd(["a", "b", "c"], [ADA])

    asked = scene.asked[0][0]
    others = {"a", "b", "c"} - {asked}
    assert len(scene.asked) == 1
    assert sorted(scopes[0] for scopes in scene.renewed) == sorted(others)
    assert set(got) == {f"asked {asked}", *(f"renewed {scope}" for scope in others)}


@pytest.mark.parametrize("scopes", [["a"], ["a", "b", "c"]])
def test_a_person_who_declines_is_not_asked_again_because_others_wait(scopes: list[str]) -> None:
    """It is the answer for all of them. Who asks later asks anew."""
    scene, got = crowd(scopes, [declined()])

    assert len(scene.asked) == 1
    assert {str(error) for error in got} == {"Declined."}
    scene.answers.append(ADA)
    assert scene.get_token("a").token == "asked a"


def test_a_caller_that_is_cancelled_while_it_asks_hands_the_asking_on() -> None:
    """Nobody declined: the next of those who wait asks."""

    async def main() -> None:
        scene = Suspending()
        first = asyncio.ensure_future(scene.get_token("a"))
        while not scene.asked:
            await asyncio.sleep(0)
        others = [asyncio.ensure_future(scene.get_token(scope)) for scope in ("a", "a", "b")]
        while scene.waiting < 4:
            await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        scene.answers.append(ADA)
        got = [token.token for token in await asyncio.gather(*others)]

        assert len(scene.asked) == 2
        assert len(got) == 3

    asyncio.run(main())


# --- authenticate


def test_authenticate_waits_for_a_prompt_and_asks_for_itself() -> None:
    """Two browsers at a time would confuse; who asks for something else is asked after."""
    scene = Blocking()
    with ThreadPoolExecutor(2) as pool:
        token = pool.submit(scene.get_token, "a")
        assert eventually(lambda: scene.asked)
        record = pool.submit(scene.authenticate, scopes=["b"])
        time.sleep(0.02)
        assert scene.asked == [("a",)]
        scene.answers.append(ADA)
        assert token.result(10).token == "asked a"
        assert eventually(lambda: len(scene.asked) == 2)
        scene.answers.append(BOB)
        assert record.result(10).username == BOB.username

    assert scene.asked == [("a",), ("b",)]


def test_of_two_equal_authenticates_at_a_time_one_asks() -> None:
    """Somebody clicked twice."""
    scene = Blocking()
    with ThreadPoolExecutor(2) as pool:
        records = [pool.submit(scene.authenticate, scopes=["a"]) for _ in range(2)]
        assert eventually(lambda: scene.asked and _waiters(scene) == 1)
        scene.answers.append(ADA)
        assert {record.result(10).username for record in records} == {ADA.username}

    assert scene.asked == [("a",)]


def test_a_prompt_of_somebody_else_that_fails_is_no_answer_for_authenticate() -> None:
    """Its caller knows that there is a person now."""
    scene = Blocking()
    with ThreadPoolExecutor(2) as pool:
        token = pool.submit(scene.get_token, "a")
        assert eventually(lambda: scene.asked)
        record = pool.submit(scene.authenticate, scopes=["a"])
        assert eventually(lambda: _waiters(scene) == 1)
        scene.answers.append(declined())
        with pytest.raises(ClientAuthenticationError, match="Declined"):
            token.result(10)
        scene.answers.append(ADA)
        assert record.result(10).username == ADA.username

    assert len(scene.asked) == 2


def _waiters(scene: Blocking) -> int:
    return sum(len(departure.waiters) for departure in list(scene._flights._departures.values()))


def test_authenticates_own_failure_is_raised() -> None:
    scene = Blocking()
    scene.answers.append(declined())

    with pytest.raises(ClientAuthenticationError, match="Declined"):
        scene.authenticate(scopes=["a"])
    assert len(scene._flights) == 0


def test_accounts_switch_while_threads_ask() -> None:
    """After each sign-in only tokens of whoever signed in last are handed out."""
    scene = Blocking()
    scene.answers.append(ADA)
    scene.authenticate(scopes=["x"])
    stop = threading.Event()
    failures: list[BaseException] = []

    def keep_asking(i: int) -> None:
        try:
            while not stop.is_set():
                scene.get_token(f"s{i}")
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    askers = [threading.Thread(target=keep_asking, args=(i,)) for i in range(4)]
    for asker in askers:
        asker.start()
    for i in range(30):
        person = (ADA, BOB)[i % 2]
        scene.answers.append(person)
        assert scene.authenticate(scopes=["x"]).username == person.username
    stop.set()
    for asker in askers:
        asker.join(10)

    assert failures == []
    of_others = [entry for key, entry in scene._cache._entries.items() if key.subject != BOB.home_account_id]
    remembered = set(scene.__dict__.get("_hot", {}).values()) - set(scene._cache._entries.values())
    assert {entry.fresh_until for entry in {*of_others, *remembered}} <= {0}

"""The script itself: it must not let a test pass that left it."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from scripted import NOW, ScriptedIO, ask, on, refusal, reply, run, token

from azure.identity import ChainedTokenCredential, ClientSecretCredential
from azure.identity._outside.blocking import BlockingIO
from azure.identity._outside.port import FlowIO
from azure.identity._values.messages import Command, Completed, Request, Response

REQUEST = Request("GET", "https://h/")


def test_it_has_every_method_of_a_port() -> None:
    """A port grows with the flows; the script with it."""
    methods = {name for name in vars(FlowIO) if not name.startswith("_")}

    assert methods <= set(dir(ScriptedIO()))
    assert methods <= set(dir(BlockingIO))


def test_replies_come_in_order_and_are_remembered() -> None:
    """Values, functions of what was asked, and exceptions."""
    io = ScriptedIO(Response(200), lambda request: reply(200, {"asked": request.url}), OSError("no"), Completed(0))

    assert run(io.send(REQUEST)).status == 200
    assert b"https://h/" in run(io.send(REQUEST)).body
    with pytest.raises(OSError, match="no"):
        run(io.send(REQUEST))
    assert run(io.run(Command(("az",), 1))).returncode == 0
    assert (len(io.requests), len(io.commands)) == (3, 1)
    io.finished()


@pytest.mark.parametrize(
    "leave",
    [
        lambda io: io.send(REQUEST),
        lambda io: io.run(Command(("az",), 1)),
        lambda io: io.receive(None, 1),
    ],
    ids=["request", "command", "wait for a sign-in"],
)
def test_leaving_the_script_fails_even_where_errors_are_caught(leave: Callable[[ScriptedIO], Any]) -> None:
    """A flow that keeps a token when its renewal fails must not hide that it asked for too much."""
    for io in (ScriptedIO(), ScriptedIO(object())):  # type: ignore[arg-type]
        with pytest.raises(pytest.fail.Exception):
            try:
                run(leave(io))
            except Exception:  # noqa: BLE001 - as a flow may
                pass
        with pytest.raises(pytest.fail.Exception):
            io.finished()


def test_what_was_not_asked_for_is_a_failure() -> None:
    """A script to its end, or it says something else than what happens."""
    with pytest.raises(pytest.fail.Exception, match="1 scripted replies were not asked for"):
        ScriptedIO(Response(200)).finished()


def test_the_clock_moves_by_sleeping_and_by_hand() -> None:
    """And in no other way."""
    io = ScriptedIO()

    run(io.sleep(1.5))
    io.advance(2)

    assert (io.now(), io.stopwatch(), io.slept) == (NOW + 3, NOW + 3.5, [1.5])


def test_ids_and_randoms_are_the_same_in_every_run() -> None:
    """So that whole messages can be compared."""
    first, second = ScriptedIO(), ScriptedIO()

    assert [first.new_id(), first.new_id()] == [second.new_id(), second.new_id()]
    assert first.new_id() != first.new_id()
    once, again = first.random(4), first.random(4)
    assert (once, again) == (second.random(4), second.random(4))
    assert once != again
    assert len(once) == 4


def test_a_flow_that_waits_for_itself_fails() -> None:
    """In earnest it would wait for ever."""

    async def twice(io: ScriptedIO) -> None:
        async with io.single_flight("key"), io.single_flight("other"):
            pass
        async with io.single_flight("key"), io.single_flight("key"):
            pass

    with pytest.raises(pytest.fail.Exception, match="waits for its own flight 'key'"):
        run(twice(ScriptedIO()))


def test_members_of_a_chain_and_their_own_members_get_the_port() -> None:
    """A whole tree of credentials plays on one script."""
    io = ScriptedIO(refusal("invalid_client"), token())
    member = ClientSecretCredential("t", "c", "s")
    chain = ChainedTokenCredential(ChainedTokenCredential(member))

    assert on(io, chain) is chain
    with pytest.raises(Exception, match="invalid_client"):
        ask(chain, io)
    assert ask(chain, io).token == "T1"
    assert member._port is io  # type: ignore[comparison-overlap]
    io.finished()

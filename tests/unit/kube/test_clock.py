"""The estimate of the API server's time is never early; calls to the API server time out."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from kubernetes.aio.client import Configuration

from execution_operator.kube.client import CALL_TIMEOUT_SECONDS, Api, ApiError
from execution_operator.kube.clock import ServerClock
from tests.support.clock import EPOCH, elapsed, run

TICK = timedelta(seconds=1)


class FakeServer:
    """An API server whose clock is `ahead` of the monotonic clock, and whose answers may be delayed."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead, self.seconds = ahead, 0.0
        self.clock = ServerClock(lambda: self.seconds)

    @property
    def time(self) -> datetime:
        return EPOCH + self.ahead + timedelta(seconds=self.seconds)

    def answer(self, delay: float = 0.0) -> None:
        date = format_datetime(self.time.replace(microsecond=0), usegmt=True)
        self.seconds += delay
        self.clock.observe_date(date)

    @property
    def late(self) -> timedelta:
        return self.time - self.clock.now()


def test_the_first_answer_gives_the_time_to_the_second() -> None:
    server = FakeServer()
    server.seconds = 0.9
    server.answer()
    assert timedelta() <= server.late < TICK


def test_the_clock_advances_between_answers() -> None:
    server = FakeServer()
    server.answer()
    server.seconds += 3600
    assert server.late == timedelta()


def test_many_answers_give_the_time_within_fifty_milliseconds() -> None:
    server = FakeServer()
    for _ in range(100):
        server.seconds += 0.37
        server.answer()
    assert timedelta() <= server.late < timedelta(seconds=0.05)


@pytest.mark.parametrize("delay", [0.0, 0.3, 9.0])
def test_the_clock_is_never_early_however_slow_the_answers(delay: float) -> None:
    server = FakeServer()
    for _ in range(50):
        server.seconds += 0.41
        server.answer(delay)
        assert timedelta() <= server.late <= TICK + timedelta(seconds=delay)


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_change_of_the_servers_clock_is_followed_at_once(hours: int) -> None:
    server = FakeServer()
    server.answer()
    server.ahead += timedelta(hours=hours)
    server.answer()
    assert timedelta() <= server.late <= TICK


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_without_a_valid_date_this_machines_clock_is_used(date: str | None) -> None:
    clock = ServerClock()
    clock.observe_date(date)
    assert abs(datetime.now(UTC) - clock.now()) < TICK


class HangingClient:
    """An HTTP client that never returns, whatever its timeout is."""

    async def param_serialize(self, **_: Any) -> tuple[()]:
        return ()

    async def call_api(self, **_: Any) -> None:
        await asyncio.get_running_loop().create_future()


def test_a_call_times_out_even_if_the_client_does_not() -> None:
    async def main() -> float:
        with pytest.raises(ApiError, match="does not answer"):
            await Api(Configuration(), HangingClient()).get("/version")  # type: ignore[arg-type] # all that is called of it
        return elapsed()

    assert run(main()) == pytest.approx(CALL_TIMEOUT_SECONDS)

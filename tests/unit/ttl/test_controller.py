"""Deletion of finished Executions in their time."""

import asyncio

import pytest

from execution_operator.api import Condition, ConditionStatus, Execution, ExecutionStatus, Phase
from execution_operator.core.errors import ObjectNotFound, RecordError, Unreadable
from execution_operator.ttl.controller import RETRY_DELAY_SECONDS, TTLController
from tests.support import builders
from tests.support.clock import run

FINISHED = "2026-01-01T00:00:00Z"
AT = 1767225600.0
"""The same as Unix time."""


def finished(uid: str, ttl: int | None) -> Execution:
    condition = Condition(
        type="Finished", status=ConditionStatus.TRUE, last_transition_time=FINISHED, reason="Completed", message=""
    )
    one = builders.execution(uid=uid, name=uid, status=ExecutionStatus(phase=Phase.COMPLETED, conditions=[condition]))
    return one.model_copy(update={"spec": one.spec.model_copy(update={"ttl_seconds_after_finished": ttl})})


class FakeExecutions:
    """The API server: what it holds by name, and when what was deleted."""

    def __init__(self) -> None:
        self.stored: dict[str, Execution] = {}
        self.deleted: dict[str, float] = {}
        self.faults = 0
        self.expiries = TTLController(self, self.now)

    def now(self) -> float:
        return AT + asyncio.get_running_loop().time()

    def put(self, execution: Execution) -> None:
        self.stored[execution.metadata.name] = execution
        self.expiries.put(execution)

    async def read_by_name(self, namespace: str, name: str, uid: str) -> Execution:  # noqa: ARG002 - the port's
        if name not in self.stored:
            raise ObjectNotFound
        if name == "unreadable":
            raise Unreadable("spec: Field required")
        return self.stored[name]

    async def delete(self, execution: Execution) -> None:
        if self.faults:
            self.faults -= 1
            raise RecordError("away")
        self.deleted[execution.metadata.name] = self.now() - AT
        del self.stored[execution.metadata.name]


async def _for(executions: FakeExecutions, seconds: float) -> None:
    task = asyncio.create_task(executions.expiries.run())
    await asyncio.sleep(seconds)
    task.cancel()


def test_each_goes_in_its_time_whatever_the_order() -> None:
    async def test() -> None:
        executions = FakeExecutions()
        for uid, ttl in (("late", 300), ("soon", 5), ("never", None), ("now", 0)):
            executions.put(finished(uid, ttl))
        task = asyncio.create_task(_for(executions, 1000))
        await asyncio.sleep(100)
        executions.put(finished("between", 200))
        await task
        assert {name: round(at) for name, at in executions.deleted.items()} == {
            "now": 0,
            "soon": 5,
            "between": 200,
            "late": 300,
        }

    run(test())


def test_what_has_changed_meanwhile_is_not_deleted() -> None:
    async def test() -> None:
        executions = FakeExecutions()
        executions.put(finished("kept", 5))
        executions.stored["kept"] = finished("kept", None)
        executions.put(finished("longer", 5))
        executions.stored["longer"] = finished("longer", 50)
        executions.put(finished("unset", 5))
        executions.put(finished("unset", None))
        executions.put(finished("gone", 5))
        del executions.stored["gone"]
        await _for(executions, 100)
        assert {name: round(at) for name, at in executions.deleted.items()} == {"longer": 50}

    run(test())


def test_what_could_not_be_deleted_is_tried_again() -> None:
    async def test() -> None:
        executions = FakeExecutions()
        executions.faults = 2
        executions.put(finished("stuck", 5))
        await _for(executions, 100)
        assert executions.deleted["stuck"] == 5 + 2 * RETRY_DELAY_SECONDS

    run(test())


def test_one_that_cannot_be_read_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        executions = FakeExecutions()
        executions.put(finished("unreadable", 5))
        executions.put(finished("later", 10))
        await _for(executions, 100)
        assert executions.deleted.keys() == {"later"}
        assert caplog.messages.count("team-a/unreadable: not deleted: spec: Field required") == 1

    run(test())

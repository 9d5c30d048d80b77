"""A call translates each answer of Temporal: a response, no such run, a refusal, or no answer."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Detail
from temporalio.api.common.v1 import GrpcStatus
from temporalio.api.enums.v1 import ResourceExhaustedCause
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure, ResourceExhaustedFailure
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.service import RPCError, RPCStatusCode

from execution_operator.core.errors import TemporalError
from execution_operator.temporal.calls import (
    CALL_TIMEOUT_MARGIN_SECONDS,
    CALL_TIMEOUT_SECONDS,
    NamespaceNotFoundError,
    call,
)
from tests.support.clock import elapsed, run

REFUSED = {"INVALID_ARGUMENT", "PERMISSION_DENIED", "UNAUTHENTICATED", "FAILED_PRECONDITION", "UNIMPLEMENTED"}
OTHERS = [code for code in RPCStatusCode if code not in (RPCStatusCode.OK, RPCStatusCode.NOT_FOUND)]
CAUSES = [ResourceExhaustedCause.Name(number) for number in ResourceExhaustedCause.values()]


def call_answered_with(
    answer: DescribeWorkflowExecutionResponse | RPCError,
) -> DescribeWorkflowExecutionResponse | None:
    """Make a call that gets this answer."""

    async def rpc(request: Any, **options: Any) -> DescribeWorkflowExecutionResponse:
        assert type(request) is DescribeWorkflowExecutionRequest
        assert options == {"retry": False, "timeout": timedelta(seconds=CALL_TIMEOUT_SECONDS)}
        if isinstance(answer, RPCError):
            raise answer
        return answer

    return run(call(rpc, DescribeWorkflowExecutionRequest()))


def error(code: RPCStatusCode, detail: NamespaceNotFoundFailure | ResourceExhaustedFailure | None = None) -> RPCError:
    status = GrpcStatus(code=int(code))
    if detail is not None:
        packed = Detail()
        packed.Pack(detail)
        status.details.append(packed)
    return RPCError("the server's words\nand more", code, status.SerializeToString())


def test_a_response_is_returned() -> None:
    answer = DescribeWorkflowExecutionResponse()
    assert call_answered_with(answer) is answer


def test_not_found_is_none() -> None:
    assert call_answered_with(error(RPCStatusCode.NOT_FOUND)) is None


def test_a_missing_namespace_is_a_refusal() -> None:
    with pytest.raises(NamespaceNotFoundError) as found:
        call_answered_with(error(RPCStatusCode.NOT_FOUND, NamespaceNotFoundFailure(namespace="acme")))
    assert found.value.refused


@pytest.mark.parametrize("code", OTHERS, ids=lambda code: code.name)
def test_an_error_status_is_a_refusal_or_no_answer(code: RPCStatusCode) -> None:
    with pytest.raises(TemporalError) as found:
        call_answered_with(error(code))
    assert found.value.refused == (code.name in REFUSED)
    assert found.value.message.endswith(f"{code.name}: the server's words")


@pytest.mark.parametrize("cause", CAUSES)
def test_resource_exhausted_is_no_answer_whatever_the_cause(cause: str) -> None:
    detail = ResourceExhaustedFailure(cause=ResourceExhaustedCause.Value(cause))
    with pytest.raises(TemporalError, match="RESOURCE_EXHAUSTED") as found:
        call_answered_with(error(RPCStatusCode.RESOURCE_EXHAUSTED, detail))
    assert not found.value.refused


def test_a_call_times_out_even_if_the_sdk_does_not() -> None:
    async def main() -> float:
        async def never(_: Any, **__: Any) -> DescribeWorkflowExecutionResponse:
            answer: DescribeWorkflowExecutionResponse = await asyncio.get_running_loop().create_future()
            return answer

        with pytest.raises(TemporalError, match="does not answer") as found:
            await call(never, DescribeWorkflowExecutionRequest())
        assert not found.value.refused
        return elapsed()

    assert run(main()) == pytest.approx(CALL_TIMEOUT_SECONDS + CALL_TIMEOUT_MARGIN_SECONDS)

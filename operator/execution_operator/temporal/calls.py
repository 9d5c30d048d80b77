"""One call to Temporal: bounded in time, never retried below us, its errors translated.

The SDK's own retries are off: they would turn a success whose reply was lost into "already completed".
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from google.protobuf.message import Message
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.service import RPCError, RPCStatusCode

from execution_operator.core.errors import TemporalError
from execution_operator.telemetry.metrics import TEMPORAL_CALLS

Response = TypeVar("Response", bound=Message)

DEADLINE = 5.0
"""Seconds that one call may take."""

MARGIN = 1.0
"""Seconds after the deadline when the wait ends even if the SDK does not notice (a silent peer while connecting)."""

REFUSALS = {
    RPCStatusCode.INVALID_ARGUMENT,
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNAUTHENTICATED,
    RPCStatusCode.FAILED_PRECONDITION,
    RPCStatusCode.UNIMPLEMENTED,
}
"""Answers that mean no; any other failure means that there was no answer."""


class NamespaceNotFoundError(TemporalError):
    """Temporal has no such namespace."""


async def call(rpc: Callable[..., Awaitable[Response]], request: Message) -> Response | None:
    """Make one call.

    Returns:
        The answer, or None where Temporal knows no such workflow or run (NOT_FOUND).

    Raises:
        TemporalError: There was no answer, or it was a refusal.
    """
    start, status = time.monotonic(), "OK"
    try:
        async with asyncio.timeout(DEADLINE + MARGIN):
            return await rpc(request, retry=False, timeout=timedelta(seconds=DEADLINE))
    except RPCError as error:
        status = error.status.name
        if error.status is RPCStatusCode.NOT_FOUND and not _namespace_missing(error):
            return None
        raise _translated(error) from error
    except (TimeoutError, RuntimeError) as error:
        status = "NO_ANSWER"
        raise TemporalError(f"Temporal does not answer: {_first_line(error)}") from error
    finally:
        method = type(request).__name__.removesuffix("Request")
        TEMPORAL_CALLS.labels(method, status).observe(time.monotonic() - start)


async def cleaned(
    rpc: Callable[..., Awaitable[Response]], request: Message, clean: Callable[[str], str]
) -> Response | None:
    """Make one call, and have `clean` take out of the server's words what must not be shown."""
    try:
        return await call(rpc, request)
    except TemporalError as error:
        raise TemporalError(clean(error.message), refused=error.refused) from None


def _namespace_missing(error: RPCError) -> bool:
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)


def _translated(error: RPCError) -> TemporalError:
    if _namespace_missing(error):
        return NamespaceNotFoundError(error.message, refused=True)
    status = error.status.name
    if error.status in REFUSALS:
        return TemporalError(f"Temporal refused the call: {status}: {_first_line(error)}", refused=True)
    return TemporalError(f"Temporal does not answer: {status}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    """Return the error in one bounded line: it goes into a status."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300] or type(error).__name__

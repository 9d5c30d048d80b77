"""One call to Temporal: it has a timeout, is not retried here, and raises only TemporalError.

The SDK's own retries are off. A retry would turn a success whose reply was lost into "already completed".
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

CALL_TIMEOUT_SECONDS = 5.0
"""Timeout of one call, in seconds. The SDK enforces it."""

CALL_TIMEOUT_MARGIN_SECONDS = 1.0
"""Seconds after the timeout when the call ends anyway. The SDK misses its timeout if a peer is silent on connect."""

MAX_ERROR_LENGTH = 300
"""Maximum number of characters that an error message keeps from the server's message."""

REFUSALS = {
    RPCStatusCode.INVALID_ARGUMENT,
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNAUTHENTICATED,
    RPCStatusCode.FAILED_PRECONDITION,
    RPCStatusCode.UNIMPLEMENTED,
}
"""The gRPC statuses with which Temporal refuses a call. Any other error status counts as no answer."""


class NamespaceNotFoundError(TemporalError):
    """Temporal has no namespace of this name."""


async def call(rpc: Callable[..., Awaitable[Response]], request: Message) -> Response | None:
    """Make one call.

    Args:
        rpc: The method of the SDK's service client.
        request: The request.

    Returns:
        The response, or None if Temporal knows no such workflow or run (gRPC status NOT_FOUND).

    Raises:
        NamespaceNotFoundError: Temporal has no such namespace.
        TemporalError: There was no answer, or Temporal refused the call.
    """
    start, status = time.monotonic(), "OK"
    try:
        async with asyncio.timeout(CALL_TIMEOUT_SECONDS + CALL_TIMEOUT_MARGIN_SECONDS):
            return await rpc(request, retry=False, timeout=timedelta(seconds=CALL_TIMEOUT_SECONDS))
    except RPCError as error:
        status = error.status.name
        if error.status is RPCStatusCode.NOT_FOUND and not _is_namespace_missing(error):
            return None
        raise _translate(error) from error
    except (TimeoutError, RuntimeError) as error:
        status = "NO_ANSWER"
        raise TemporalError(f"Temporal does not answer: {_first_line(error)}") from error
    finally:
        method = type(request).__name__.removesuffix("Request")
        TEMPORAL_CALLS.labels(method, status).observe(time.monotonic() - start)


async def call_redacted(
    rpc: Callable[..., Awaitable[Response]], request: Message, redact: Callable[[str], str]
) -> Response | None:
    """Make one call like `call`, and pass the message of any error through `redact`."""
    try:
        return await call(rpc, request)
    except TemporalError as error:
        raise TemporalError(redact(error.message), refused=error.refused) from None


def _is_namespace_missing(error: RPCError) -> bool:
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)


def _translate(error: RPCError) -> TemporalError:
    """Return the TemporalError for an error of the SDK."""
    if _is_namespace_missing(error):
        return NamespaceNotFoundError(error.message, refused=True)
    status = error.status.name
    if error.status in REFUSALS:
        return TemporalError(f"Temporal refused the call: {status}: {_first_line(error)}", refused=True)
    return TemporalError(f"Temporal does not answer: {status}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    """Return the first line of the error's message, shortened, because it is shown in a status."""
    return (str(error).splitlines() or [type(error).__name__])[0][:MAX_ERROR_LENGTH] or type(error).__name__

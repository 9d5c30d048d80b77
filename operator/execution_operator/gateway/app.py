"""The HTTP application: routes, errors in FastAPI's form, documentation and health."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from execution_operator.gateway.caller import Caller
from execution_operator.gateway.contract import (
    CONTRACT_STATUSES,
    GATEWAY_STATUSES,
    TITLE,
    VERSION,
    TerminateManyRequest,
    TerminateManyResponse,
    TerminateResult,
    TerminateWorkflowRequest,
    TerminateWorkflowResponse,
    described,
    openapi,
)
from execution_operator.gateway.index import Index
from execution_operator.gateway.limits import Limits, LimitsMiddleware, TokenBuckets, token_of
from execution_operator.gateway.metrics import Metrics, MetricsMiddleware
from execution_operator.gateway.responses import (
    BAD_REQUEST,
    INVALID,
    OK,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    UNAVAILABLE,
    Answer,
)
from execution_operator.gateway.terminate import TerminateService
from execution_operator.kube.client import ApiError

logger = logging.getLogger(__name__)


class Application(FastAPI):
    """A FastAPI application with the OpenAPI document of the contract."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        self.openapi_schema = self.openapi_schema or openapi(self)
        return self.openapi_schema


class Gateway:
    """The routes.

    Args:
        index: The Executions.
        service: Terminates.
        caller: Returns the caller with a token.
        limits: The limits for each caller.
    """

    def __init__(
        self, index: Index, service: TerminateService, caller: Callable[[str], Caller], limits: Limits
    ) -> None:
        self._index = index
        self._service = service
        self._caller = caller
        self._buckets = TokenBuckets(limits)
        self._metrics = Metrics(index)
        self.app = self._application(limits)

    def _application(self, limits: Limits) -> FastAPI:
        app = Application(title=TITLE, version=VERSION, redoc_url=None)
        app.add_middleware(LimitsMiddleware, limits=limits, buckets=self._buckets)
        app.add_middleware(MetricsMiddleware, metrics=self._metrics)
        app.add_exception_handler(RequestValidationError, _invalid)
        app.add_exception_handler(HTTPException, _refused)
        app.add_api_route(
            "/api/v1/executions/terminate",
            self.terminate_executions,
            methods=["POST"],
            tags=["executions"],
            summary="Terminate Executions",
            response_model=TerminateManyResponse,
            response_model_exclude_none=True,
            responses=described({status: GATEWAY_STATUSES[status] for status in (401, 408, 413, 429, 503)}),
        )
        app.add_api_route(
            "/api/v1/executions/{execution_id:path}/terminate",
            self.terminate_execution,
            methods=["POST"],
            tags=["executions"],
            summary="Terminate Execution",
            response_model=TerminateWorkflowResponse,
            responses=described(CONTRACT_STATUSES | GATEWAY_STATUSES),
        )
        for path, route in (("/healthz", self.healthy), ("/readyz", self.ready), ("/metrics", self.metrics)):
            app.add_api_route(path, route, methods=["GET"], include_in_schema=False, response_class=PlainTextResponse)
        return app

    async def terminate_execution(
        self, execution_id: str, request: Request, body: TerminateWorkflowRequest
    ) -> Response:
        """Terminate the workflow behind an Execution: by its execution UUID, workflow ID, name or namespace/name."""
        if not self._index.synced:
            return _starting()
        answer = await self._terminate(execution_id, body.reason, self._caller(_token(request)))
        return _single(answer)

    async def terminate_executions(self, request: Request, body: TerminateManyRequest) -> Any:
        """Terminate up to 1,000 Executions. Each has the result that a single call would have had."""
        token, identifiers = _token(request), list(dict.fromkeys(body.execution_ids))
        if after := self._buckets.charge(token, len(body.execution_ids) - 1):
            return JSONResponse({"detail": "Too many requests"}, TOO_MANY_REQUESTS, {"retry-after": str(after)})
        if not self._index.synced:
            return _starting()
        caller = self._caller(token)
        try:
            await caller.authenticate()
        except ApiError as error:
            unknown = error.status == UNAUTHORIZED
            return _single(Answer(UNAUTHORIZED, "Not authenticated") if unknown else Answer(UNAVAILABLE, str(error)))
        answers = await asyncio.gather(*(self._terminate(each, body.reason, caller) for each in identifiers))
        by_identifier = dict(zip(identifiers, answers, strict=True))
        return TerminateManyResponse(results=[_result(each, by_identifier[each]) for each in body.execution_ids])

    async def _terminate(self, identifier: str, reason: str, caller: Caller) -> Answer:
        answer = await self._service.terminate(identifier, reason, caller)
        self._metrics.outcomes.labels(str(answer.status)).inc()
        logger.info("terminate %r: %d %s", identifier, answer.status, answer.detail or answer.terminated_at)
        return answer

    async def healthy(self) -> str:
        """Answer that the process is alive."""
        return "ok"

    async def ready(self) -> Response:
        """Answer whether the index is complete."""
        return PlainTextResponse("ok" if self._index.synced else "starting", OK if self._index.synced else UNAVAILABLE)

    async def metrics(self) -> Response:
        """Return the metrics."""
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _token(request: Request) -> str:
    return token_of(request.headers) or ""  # LimitsMiddleware refuses calls without a token


def _single(answer: Answer) -> Response:
    if answer.status == OK:
        content = {"success": True, "workflow_id": answer.workflow_id, "terminated_at": answer.terminated_at}
        return JSONResponse(content)
    if answer.status == INVALID:
        return _faulty([{"loc": ["body", "reason"], "msg": answer.detail, "type": "value_error"}])
    headers = {"www-authenticate": "Bearer"} if answer.status == UNAUTHORIZED else None
    return JSONResponse({"detail": answer.detail}, answer.status, headers)


def _starting() -> Response:
    return JSONResponse({"detail": "The gateway has just started"}, UNAVAILABLE, {"retry-after": "1"})


def _result(identifier: str, answer: Answer) -> TerminateResult:
    return TerminateResult(
        execution_id=identifier,
        status=answer.status,
        success=answer.status == OK,
        workflow_id=answer.workflow_id or None,
        terminated_at=answer.terminated_at or None,
        detail=answer.detail or None,
    )


async def _invalid(_: Request, error: Exception) -> Response:
    """Return FastAPI's 422 without the input, which may not even be text."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - for the type checker: FastAPI passes this type only
    return _faulty([{"loc": each["loc"], "msg": each["msg"], "type": each["type"]} for each in error.errors()])


async def _refused(_: Request, error: Exception) -> Response:
    """Return FastAPI's own errors. Its 400 means a body that it can't parse; the contract answers 422 for that."""
    assert isinstance(error, HTTPException)  # noqa: S101 - likewise
    if error.status_code == BAD_REQUEST:
        return _faulty([{"loc": ["body"], "msg": str(error.detail), "type": "json_invalid"}])
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def _faulty(faults: list[dict[str, Any]]) -> Response:
    return JSONResponse({"detail": faults}, INVALID)

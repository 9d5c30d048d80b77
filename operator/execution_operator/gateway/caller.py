"""Calls to the API server with the caller's token, and with no other credential."""

import asyncio
from http import HTTPStatus

from execution_operator.api import Execution
from execution_operator.gateway.index import ExecutionView
from execution_operator.kube.client import Api, ApiError, Json, collection

SELF_SUBJECT_REVIEW_PATH = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
MAX_PARALLEL_CALLS = 64
"""Calls to the API server at the same time, of all callers together. More would time out in the connection pool."""


class Caller:
    """A caller of the gateway.

    Args:
        api: A connection that uses the caller's token and no other credential.
        slots: Limits the calls of all callers together.
    """

    def __init__(self, api: Api, slots: asyncio.Semaphore) -> None:
        self._api = api
        self._slots = slots
        self._authenticated = False

    async def authenticate(self) -> None:
        """Check that the API server accepts the token, once.

        Raises:
            ApiError: It does not (status 401), or it gave no answer.
        """
        if self._authenticated:
            return
        try:
            async with self._slots:
                await self._api.create(
                    SELF_SUBJECT_REVIEW_PATH, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
                )
        except ApiError as error:
            if error.status != HTTPStatus.FORBIDDEN:  # the token is valid, and may not create reviews
                raise
        self._authenticated = True

    async def may_read(self, view: ExecutionView) -> bool:
        """Return whether the caller may read an Execution, by reading it."""
        return await self.read(view) is not None

    async def read(self, view: ExecutionView) -> ExecutionView | None:
        """Return an Execution as it is now; None where the caller may not read it, or where it does not exist."""
        try:
            async with self._slots:
                now = await self._api.get(_path(view))
        except ApiError as error:
            if error.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
                return None
            raise
        return ExecutionView.of(Execution.model_validate(now))

    async def request(self, view: ExecutionView, reason: str) -> Execution:
        """Set spec.terminate without a grace period, also where an earlier request has one. Return the Execution."""
        spec = {"terminate": {"reason": reason, "gracePeriodSeconds": 0}}
        answer = await self._patch(view, {"metadata": {"uid": view.uid}, "spec": spec})
        self._authenticated = True
        return Execution.model_validate(answer)

    async def withdraw(self, view: ExecutionView) -> bool:
        """Remove spec.terminate if the Execution is still in this version. Return whether it was removed."""
        metadata = {"uid": view.uid, "resourceVersion": view.version}
        try:
            await self._patch(view, {"metadata": metadata, "spec": {"terminate": None}})
        except ApiError:
            return False
        return True

    async def _patch(self, view: ExecutionView, patch: Json) -> Json:
        async with self._slots:
            return await self._api.merge(_path(view), patch)


def _path(view: ExecutionView) -> str:
    return f"{collection('executions', view.namespace)}/{view.name}"

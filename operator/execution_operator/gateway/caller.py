"""What the gateway does at the API server in the caller's name, and with nothing but the caller's token."""

import asyncio

from execution_operator.api import Execution
from execution_operator.gateway.index import ExecutionView
from execution_operator.kube.client import Api, ApiError, Json, collection

WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
FORBIDDEN, NOT_FOUND = 403, 404

AT_ONCE = 64
"""Calls to the API server at the same time, of all callers together: the connection pool's waits are bounded."""


class Caller:
    """Somebody with a token.

    Args:
        api: The connection, which bears this token and no other credential.
        turn: What all callers share, so that they wait here and not for a connection.
    """

    def __init__(self, api: Api, turn: asyncio.Semaphore) -> None:
        self._api = api
        self._turn = turn
        self._known = False

    async def authenticate(self) -> None:
        """Make sure that the API server knows the token.

        Raises:
            ApiError: It does not (401), or gives no answer.
        """
        if self._known:
            return
        try:
            async with self._turn:
                await self._api.create(
                    WHO_AM_I, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
                )
        except ApiError as error:
            if error.status != FORBIDDEN:  # somebody without that right is somebody
                raise
        self._known = True

    async def may_read(self, seen: ExecutionView) -> bool:
        """Tell whether the caller may read an Execution: by reading it."""
        return await self.read(seen) is not None

    async def read(self, seen: ExecutionView) -> ExecutionView | None:
        """Return an Execution as it is now; None if the caller may not read it, or it is gone."""
        try:
            async with self._turn:
                now = await self._api.get(_path(seen))
        except ApiError as error:
            if error.status in (FORBIDDEN, NOT_FOUND):
                return None
            raise
        return ExecutionView.of(Execution.model_validate(now))

    async def request(self, seen: ExecutionView, reason: str) -> Execution:
        """Set spec.terminate, at once and not after a grace period that an earlier request may have asked for."""
        wish = {"terminate": {"reason": reason, "gracePeriodSeconds": 0}}
        answer = await self._patch(seen, {"metadata": {"uid": seen.uid}, "spec": wish})
        self._known = True
        return Execution.model_validate(answer)

    async def withdraw(self, seen: ExecutionView) -> bool:
        """Remove spec.terminate if the Execution is still as seen; tell whether it was."""
        guard = {"uid": seen.uid, "resourceVersion": seen.version}
        try:
            await self._patch(seen, {"metadata": guard, "spec": {"terminate": None}})
        except ApiError:
            return False
        return True

    async def _patch(self, seen: ExecutionView, patch: Json) -> Json:
        async with self._turn:
            return await self._api.merge(_path(seen), patch)


def _path(seen: ExecutionView) -> str:
    return f"{collection('executions', seen.namespace)}/{seen.name}"

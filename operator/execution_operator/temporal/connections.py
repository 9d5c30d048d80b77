"""Connections to Temporal: one for each address and credential, shared by Temporal namespaces.

The whole credential is part of a connection's key, so no tenant can use the connection of another tenant.
"""

import asyncio

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import ConnectConfig, ServiceClient, TLSConfig, WorkflowService

from execution_operator.core.errors import SecretError, TemporalError
from execution_operator.temporal.calls import CALL_TIMEOUT_SECONDS, call
from execution_operator.temporal.credential import Credential, Target
from execution_operator.temporal.handshake import check_certificates, connect_error

ConnectionKey = tuple[str, Credential]
"""The address and the credential of a connection."""


class Connections:
    """Connected clients by address and credential. A client reconnects by itself."""

    def __init__(self) -> None:
        self._services: dict[ConnectionKey, WorkflowService] = {}
        self._connecting: dict[ConnectionKey, asyncio.Task[WorkflowService]] = {}

    async def service(self, target: Target) -> WorkflowService:
        """Return the connected client for a target. Concurrent calls for the same target share one attempt to connect.

        Raises:
            SecretError: The credential can't be used, for instance because a certificate is malformed.
            TemporalError: The connection failed, or the server refuses the credential.
        """
        check_certificates(target.credential)
        key = (target.address, target.credential)
        if key in self._services:
            return self._services[key]
        if key not in self._connecting:
            self._connecting[key] = task = asyncio.create_task(_connect(target))
            task.add_done_callback(lambda task: self._finish(key, task))
        try:
            return await asyncio.shield(self._connecting[key])
        except (RuntimeError, ValueError, TimeoutError) as error:
            raise connect_error(error, target.credential) from error

    def _finish(self, key: ConnectionKey, task: "asyncio.Task[WorkflowService]") -> None:
        """Keep the client if the attempt to connect succeeded."""
        del self._connecting[key]
        if not task.cancelled() and task.exception() is None:
            self._services[key] = task.result()

    def retain(self, targets: set[Target]) -> None:
        """Drop all clients but those for the given targets. Calls in flight on a dropped client continue."""
        used = {(target.address, target.credential) for target in targets}
        self._services = {key: service for key, service in self._services.items() if key in used}


async def try_connect(target: Target) -> SecretError | TemporalError | None:
    """Try a new connection, and return why it fails, or None if it succeeds.

    A client that fails to reconnect does not show the reason.
    """
    try:
        await _connect(target)
    except (RuntimeError, ValueError, TimeoutError) as error:
        return connect_error(error, target.credential)
    return None


async def temporal_namespace_id(service: WorkflowService, namespace: str) -> str:
    """Return the ID that Temporal gave to a namespace.

    Raises:
        NamespaceNotFoundError: Temporal has no such namespace.
        TemporalError: There was no answer, or Temporal refused the call.
    """
    response = await call(service.describe_namespace, DescribeNamespaceRequest(namespace=namespace))
    return response.namespace_info.id if response else ""


async def _connect(target: Target) -> WorkflowService:
    """Return a connected client.

    The SDK's client and its services refer to each other. This function removes the references from the client, so
    that an unused connection closes at once, and not at the next run of the garbage collector.
    """
    async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
        client = await ServiceClient.connect(_config(target))
    service = client.workflow_service
    for name in [name for name in vars(client) if name.endswith("_service")]:
        delattr(client, name)
    return service


def _config(target: Target) -> ConnectConfig:
    credential = target.credential
    tls = TLSConfig(
        server_root_ca_cert=credential.ca,
        domain=credential.server_name,
        client_cert=credential.certificate,
        client_private_key=credential.key,
    )
    return ConnectConfig(
        target_host=target.address,
        tls=tls if credential.tls else False,
        api_key=credential.api_key,
        rpc_metadata=dict(credential.metadata),
        identity="execution-operator",
    )

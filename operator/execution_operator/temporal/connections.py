"""Connections to Temporal: one for each distinct address and credential, shared by Temporal namespaces.

The key is the whole of what authenticates a connection, so no tenant can ever reach another's.
"""

import asyncio

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import ConnectConfig, ServiceClient, TLSConfig, WorkflowService

from execution_operator.core.errors import SecretError, TemporalError
from execution_operator.temporal.calls import CALL_TIMEOUT_SECONDS, call
from execution_operator.temporal.credential import Credential, Target
from execution_operator.temporal.handshake import check, failure

Key = tuple[str, Credential]


class Connections:
    """Clients by address and credential. They are connected, and reconnect by themselves."""

    def __init__(self) -> None:
        self._services: dict[Key, WorkflowService] = {}
        self._connecting: dict[Key, asyncio.Task[WorkflowService]] = {}

    async def service(self, target: Target) -> WorkflowService:
        """Return the client for a target, once it is connected. Who asks meanwhile for the same waits for the same.

        Raises:
            SecretError: The credential can't be used, for instance a malformed certificate.
            TemporalError: The connection did not come about, or the server refuses the credential.
        """
        check(target.credential)
        key = (target.address, target.credential)
        if key in self._services:
            return self._services[key]
        if key not in self._connecting:
            self._connecting[key] = task = asyncio.create_task(_connected(target))
            task.add_done_callback(lambda task: self._settle(key, task))
        try:
            return await asyncio.shield(self._connecting[key])
        except (RuntimeError, ValueError, TimeoutError) as error:
            raise failure(error, target.credential) from error

    def _settle(self, key: Key, task: "asyncio.Task[WorkflowService]") -> None:
        del self._connecting[key]
        if not task.cancelled() and task.exception() is None:
            self._services[key] = task.result()

    def retain(self, targets: set[Target]) -> None:
        """Forget clients that no Organization uses any more. Calls in flight on them go on."""
        used = {(target.address, target.credential) for target in targets}
        self._services = {key: service for key, service in self._services.items() if key in used}


async def obstacle(target: Target) -> SecretError | TemporalError | None:
    """Try a connection of its own, and return why it fails: a client that reconnects by itself does not say so."""
    try:
        await _connected(target)
    except (RuntimeError, ValueError, TimeoutError) as error:
        return failure(error, target.credential)
    return None


async def namespace_id(service: WorkflowService, namespace: str) -> str:
    """Return Temporal's own id of the namespace.

    Raises:
        TemporalError: There was no answer, or a refusal; NamespaceNotFoundError where there is no such namespace.
    """
    response = await call(service.describe_namespace, DescribeNamespaceRequest(namespace=namespace))
    return response.namespace_info.id if response else ""


async def _connected(target: Target) -> WorkflowService:
    """Return a client that is connected.

    The SDK's client and its services hold each other. Without that, a connection closes as soon as nobody uses it,
    and not whenever the garbage collector comes by.
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

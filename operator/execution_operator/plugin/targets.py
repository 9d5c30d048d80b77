"""The Executions that a command applies to."""

from argparse import Namespace
from dataclasses import dataclass, field
from http import HTTPStatus

from execution_operator.plugin.client import ApiError, Client, Json, executions_path
from execution_operator.plugin.list_watch import Scope, key, list_executions
from execution_operator.plugin.request_state import RequestStatus, State, is_closed
from execution_operator.plugin.values import GROUP, object_name


@dataclass(eq=False)
class Target:
    """An Execution to terminate, and the status of its request.

    Attributes:
        namespace: Its namespace.
        name: Its name. The API server may choose another one when it creates the Execution.
        status: The status of the request.
        new_object: The Execution to create. None where it exists.
        object: The Execution as it was last read. None before it is read.
        show_namespace: Whether messages name its namespace, because several namespaces are selected.
        generation: The generation that the request made. 0 before the request.
    """

    namespace: str
    name: str
    status: RequestStatus = field(default_factory=lambda: RequestStatus(State.WAITING, State.WAITING.value))
    new_object: Json | None = None
    object: Json | None = None
    show_namespace: bool = False
    generation: int = 0

    @property
    def display_name(self) -> str:
        """The name, after its namespace where several namespaces are selected."""
        return f"{self.namespace}/{self.name}" if self.show_namespace else self.name

    @property
    def kubectl_name(self) -> str:
        """The name as kubectl prints it: `execution.control-plane.kubiya.ai/NAME`, or `NAMESPACE/NAME`."""
        return self.display_name if self.show_namespace else f"execution.{GROUP}/{self.name}"


@dataclass(frozen=True)
class Selection:
    """The Executions that the options select.

    Attributes:
        targets: The Executions to terminate.
        scope: The scope to watch.
        version: The resourceVersion from which to watch.
        closed_count: The number of Executions that the options match, but whose workflow is closed.
    """

    targets: list[Target]
    scope: Scope
    version: str
    closed_count: int = 0


def scope_of(arguments: Namespace, client: Client) -> Scope:
    """Return the scope of the namespace and selector options. It does not contain names."""
    return Scope(None if arguments.all_namespaces else client.namespace, arguments.selector)


async def get_existing(
    client: Client, paths: list[str], accept: str = "application/json"
) -> tuple[list[Json], list[ApiError]]:
    """Return the objects that exist, and one error for each object that does not."""
    found, missing = [], []
    for path in paths:
        try:
            found.append(await client.get(path, accept))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            missing.append(error)
    return found, missing


async def select(arguments: Namespace, client: Client) -> Selection:
    """Return the Executions that the options select."""
    if arguments.execution_id:
        return await _by_identifier(client, list(dict.fromkeys(arguments.execution_id)))
    if arguments.names:
        return await _by_name(client, list(dict.fromkeys(arguments.names)))
    scope = scope_of(arguments, client)
    items, version = await list_executions(client, scope)
    all_namespaces = scope.namespace is None
    targets = [Target(*key(item), object=item, show_namespace=all_namespaces) for item in items if not is_closed(item)]
    return Selection(targets, scope, version, len(items) - len(targets))


async def _by_name(client: Client, names: list[str]) -> Selection:
    scope = Scope(client.namespace, name=names[0] if len(names) == 1 else None)
    return Selection([Target(client.namespace, name) for name in names], scope, await _version(client, scope))


async def _by_identifier(client: Client, identifiers: list[str]) -> Selection:
    """Return the open Executions of each execution ID, or a new Execution where it has no open one."""
    scope = Scope(client.namespace)
    version = await _version(client, scope)
    targets = []
    for identifier in identifiers:
        query = {"fieldSelector": f"spec.executionId={_escaped(identifier)}"}
        found = (await client.get(executions_path(client.namespace), **query))["items"]
        existing = [Target(*key(item), object=item) for item in found if not is_closed(item)]
        targets += existing or [await _new(client, identifier)]
    return Selection(targets, scope, version)


async def _new(client: Client, identifier: str) -> Target:
    """Return the Execution to create for an execution ID.

    Where an Execution of the same name exists, the API server generates another name.
    """
    name = object_name(identifier)
    try:
        await client.get(f"{executions_path(client.namespace)}/{name}")
        metadata = {"generateName": f"{name[:57]}-"}
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        metadata = {"name": name}
    return Target(client.namespace, name, new_object={"metadata": metadata, "spec": {"executionId": identifier}})


async def _version(client: Client, scope: Scope) -> str:
    """Return the present resourceVersion of the Executions of a scope."""
    page = await client.get(executions_path(scope.namespace), **scope.query, limit="1")
    version: str = page["metadata"]["resourceVersion"]
    return version


def _escaped(value: str) -> str:
    """Return a value with the special characters of field selectors escaped."""
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")

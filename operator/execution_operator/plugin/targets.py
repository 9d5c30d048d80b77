"""The Executions that a command applies to."""

from argparse import Namespace
from dataclasses import dataclass, field

from execution_operator.plugin.client import NOT_FOUND, ApiError, Client, Json, executions
from execution_operator.plugin.follow import Scope, key, listed
from execution_operator.plugin.request_state import State, Verdict, closed
from execution_operator.plugin.values import GROUP, object_name


@dataclass(eq=False)
class Target:
    """One Execution to terminate, and the state of its request.

    Attributes:
        create: What to create where there is none.
        spread: Whether it is one of several namespaces, so that its name says little.
        generation: The generation that the request made; 0 while there is none.
    """

    namespace: str
    name: str
    verdict: Verdict = field(default_factory=lambda: Verdict(State.WAITING, State.WAITING.value))
    create: Json | None = None
    object: Json | None = None
    spread: bool = False
    generation: int = 0

    @property
    def short(self) -> str:
        """The name, with the namespace where several namespaces are selected."""
        return f"{self.namespace}/{self.name}" if self.spread else self.name

    @property
    def full(self) -> str:
        """The name in kubectl's form, `execution.control-plane.kubiya.ai/NAME`."""
        return self.short if self.spread else f"execution.{GROUP}/{self.name}"


@dataclass(frozen=True)
class Selection:
    """The targets, their scope and the resourceVersion to watch from. `closed` counts closed Executions."""

    targets: list[Target]
    scope: Scope
    version: str
    closed: int = 0


def scope_of(arguments: Namespace, client: Client) -> Scope:
    """Return the scope of the options, without names."""
    return Scope(None if arguments.all_namespaces else client.namespace, arguments.selector)


async def present(
    client: Client, paths: list[str], accept: str = "application/json"
) -> tuple[list[Json], list[ApiError]]:
    """Return the objects that exist, and the errors for those that do not."""
    found, missing = [], []
    for path in paths:
        try:
            found.append(await client.get(path, accept))
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            missing.append(error)
    return found, missing


async def select(arguments: Namespace, client: Client) -> Selection:
    """Return the Executions to terminate."""
    if arguments.execution_id:
        return await _by_identifier(client, list(dict.fromkeys(arguments.execution_id)))
    if arguments.names:
        return await _by_name(client, list(dict.fromkeys(arguments.names)))
    scope = scope_of(arguments, client)
    items, version = await listed(client, scope)
    spread = scope.namespace is None
    targets = [Target(*key(item), object=item, spread=spread) for item in items if not closed(item)]
    return Selection(targets, scope, version, len(items) - len(targets))


async def _by_name(client: Client, names: list[str]) -> Selection:
    scope = Scope(client.namespace, name=names[0] if len(names) == 1 else None)
    return Selection([Target(client.namespace, name) for name in names], scope, await _version(client, scope))


async def _by_identifier(client: Client, identifiers: list[str]) -> Selection:
    """Return an Execution for each identifier: an existing open one, else a new one."""
    scope = Scope(client.namespace)
    version = await _version(client, scope)
    targets = []
    for identifier in identifiers:
        query = {"fieldSelector": f"spec.executionId={_escaped(identifier)}"}
        found = (await client.get(executions(client.namespace), **query))["items"]
        present = [Target(*key(item), object=item) for item in found if not closed(item)]
        targets += present or [await _new(client, identifier)]
    return Selection(targets, scope, version)


async def _new(client: Client, identifier: str) -> Target:
    """Return the Execution to create. Where its name is in use, it gets another one."""
    name = object_name(identifier)
    try:
        await client.get(f"{executions(client.namespace)}/{name}")
        manifest = {"generateName": f"{name[:57]}-"}
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
        manifest = {"name": name}
    return Target(client.namespace, name, create={"metadata": manifest, "spec": {"executionId": identifier}})


async def _version(client: Client, scope: Scope) -> str:
    page = await client.get(executions(scope.namespace), **scope.query, limit="1")
    version: str = page["metadata"]["resourceVersion"]
    return version


def _escaped(value: str) -> str:
    """Return a value, escaped for a field selector."""
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")

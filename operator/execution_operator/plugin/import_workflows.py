"""`kubectl execution import`: creates Executions for the open workflows of a Temporal namespace."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http import HTTPStatus

from execution_operator.plugin.client import (
    API_VERSION,
    FIELD_MANAGER,
    KIND,
    ROOT,
    ApiError,
    Client,
    Json,
    executions_path,
)
from execution_operator.plugin.exit_codes import Exit, Failure
from execution_operator.plugin.list_watch import Scope, list_executions
from execution_operator.plugin.option_checks import MAX_EXECUTION_ID_LENGTH
from execution_operator.plugin.values import GROUP, object_name, plural

RUNNING_QUERY = "ExecutionStatus = 'Running'"
"""The visibility query of open workflows."""

PAGE_SIZE = 1000
"""The number of workflows of one page of Temporal's list."""

FATAL_STATUSES = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
"""The answers that end the import, because the API server would give them for every workflow."""

MAX_ERROR_LENGTH = 300
"""The most characters of an error of Temporal that are shown."""

MAX_SHOWN_ID_LENGTH = 60
"""The most characters of a workflow ID that are shown when it is too long to be imported."""


@dataclass
class ImportCounts:
    """The result of an import.

    Attributes:
        created: The number of created Executions.
        existing: The number of workflows that had an Execution before.
        failures: One message for each workflow that could not be imported.
        limit_reached: Whether there are more workflows than --limit.
    """

    created: int = 0
    existing: int = 0
    failures: list[str] = field(default_factory=list)
    limit_reached: bool = False


async def run(arguments: Namespace) -> int:
    """Import workflows, and return the exit code. After a failure or Ctrl-C, the summary is printed too."""
    async with Client.of(arguments) as client:
        items, _ = await list_executions(client, Scope(client.namespace))
        known = {item["spec"]["executionId"] for item in items}
        known |= {item["status"]["workflowId"] for item in items if item.get("status", {}).get("workflowId")}
        command = ImportCommand(arguments, client, await _organization(client), known)
        code: int = Exit.OK
        try:
            await command.create_all()
        except asyncio.CancelledError:
            code = Exit.INTERRUPTED
        except Failure:
            if command.counts.created:
                command.print_summary()
            raise
    command.print_summary()
    return Exit.FAILED if command.counts.failures else code


class ImportCommand:
    """One run of the command."""

    def __init__(self, arguments: Namespace, client: Client, organization: Json | None, known: set[str]) -> None:
        """Prepare an import.

        Args:
            arguments: The options.
            client: The connection to the API server.
            organization: The Organization of the namespace. None where there is none, or the user may not read it.
            known: The execution IDs and workflow IDs of the existing Executions.
        """
        self._arguments = arguments
        self._client = client
        self._organization = organization
        self._known_ids = known
        self.counts = ImportCounts()

    async def create_all(self) -> None:
        """Create an Execution for each open workflow that has none, up to the limit.

        Raises:
            Failure: Temporal or the API server refused a call that would be refused for every workflow.
        """
        pending: set[asyncio.Task[None]] = set()
        try:
            async for execution_id in self._new_execution_ids():
                if len(pending) == self._arguments.concurrency:
                    done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                pending.add(asyncio.create_task(self._create(execution_id)))
            await asyncio.gather(*pending)
        finally:
            await asyncio.gather(*pending, return_exceptions=True)

    async def _new_execution_ids(self) -> AsyncIterator[str]:
        """Yield the execution IDs of workflows without an Execution, up to the limit."""
        spec = (self._organization or {}).get("spec", {})
        count = 0
        async for workflow in open_workflows(self._arguments.profile, self._query(spec)):
            execution_id = execution_id_of(workflow, spec.get("workflowIdTemplates", []))
            if self._known_ids & {workflow, execution_id}:
                self.counts.existing += 1
                continue
            if count == self._arguments.limit:
                self.counts.limit_reached = True
                return
            count += 1
            self._known_ids.add(workflow)
            yield execution_id

    def _query(self, spec: Json) -> str:
        """Return the visibility query.

        It selects only workflows with the search attribute of the Organization: the operator would deny the others.
        """
        parts = [RUNNING_QUERY]
        if self._organization and (ownership := spec.get("ownership")):
            value = (ownership.get("value") or self._organization["metadata"]["name"]).replace("'", "''")
            parts.append(f"`{ownership['searchAttribute']}` = '{value}'")
        if self._arguments.query:
            parts.append(f"({self._arguments.query})")
        return " AND ".join(parts)

    async def _create(self, execution_id: str) -> None:
        """Create the Execution of a workflow, and count the result."""
        name = object_name(execution_id)
        if len(execution_id) > MAX_EXECUTION_ID_LENGTH:
            self.counts.failures.append(
                f"{execution_id[:MAX_SHOWN_ID_LENGTH]}…: longer than {MAX_EXECUTION_ID_LENGTH} characters"
            )
            return
        manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}}
        try:
            if not self._arguments.dry_run:
                body = {**manifest, "spec": {"executionId": execution_id}}
                await self._client.create(executions_path(self._client.namespace), body, fieldManager=FIELD_MANAGER)
        except ApiError as error:
            if error.status in FATAL_STATUSES:
                raise
            if error.status == HTTPStatus.CONFLICT:
                self.counts.existing += 1
            else:
                self.counts.failures.append(f"{execution_id}: {error}")
            return
        self.counts.created += 1
        print(f"execution.{GROUP}/{name} created{' (dry run)' if self._arguments.dry_run else ''}")  # noqa: T201

    def print_summary(self) -> None:
        """Print the failures and the counts."""
        counts, limit = self.counts, self._arguments.limit
        for failure in counts.failures:
            print(failure, file=sys.stderr)  # noqa: T201
        verb = "would be created" if self._arguments.dry_run else "created"
        more = f"; there are more: raise --limit (now {limit:,})" if counts.limit_reached else ""
        others = f"{counts.existing:,} existed before, {len(counts.failures):,} failed"
        print(f"{plural(counts.created)} {verb} in {self._client.namespace}, {others}{more}", file=sys.stderr)  # noqa: T201


async def open_workflows(profile_name: str | None, query: str) -> AsyncIterator[str]:
    """Yield the workflow IDs that a visibility query finds.

    Raises:
        Failure: temporalio is not installed, or Temporal refused the call or did not answer.
    """
    try:
        from temporalio.client import Client as Temporal  # noqa: PLC0415 - heavy, and only this command needs it
        from temporalio.envconfig import ClientConfigProfile  # noqa: PLC0415
        from temporalio.service import RPCError  # noqa: PLC0415
    except ModuleNotFoundError:
        raise Failure("import needs temporalio: pip install 'execution-operator[import]'") from None
    try:
        profile = ClientConfigProfile.load(profile=profile_name)
        config = profile.to_client_connect_config()
        config.setdefault("target_host", "localhost:7233")
        temporal = await Temporal.connect(**config)
        async for workflow in temporal.list_workflows(query, page_size=PAGE_SIZE):
            yield workflow.id
    except (RPCError, RuntimeError, ValueError, OSError) as error:
        raise Failure(f"Temporal: {(str(error).splitlines() or [''])[0][:MAX_ERROR_LENGTH]}") from None


async def _organization(client: Client) -> Json | None:
    """Return the Organization of the namespace; None where it has no single one, or the user may not read it."""
    try:
        found = (await client.get(f"{ROOT}/organizations"))["items"]
    except ApiError:
        return None
    listing = [each for each in found if client.namespace in each["spec"]["namespaces"]]
    return listing[0] if len(listing) == 1 else None


def execution_id_of(workflow: str, templates: list[str]) -> str:
    """Return the execution ID for which the Organization's templates give a workflow ID.

    Args:
        workflow: The workflow ID.
        templates: The templates of the Organization. `{executionId}` stands for the execution ID.

    Returns:
        The part that stands for `{executionId}` in the first template that fits; else the workflow ID.
    """
    if not templates or "{executionId}" in templates:
        return workflow
    for template in templates:
        prefix, _, suffix = template.partition("{executionId}")
        if workflow.startswith(prefix) and workflow.endswith(suffix) and len(workflow) > len(prefix) + len(suffix):
            return workflow[len(prefix) : len(workflow) - len(suffix)]
    return workflow

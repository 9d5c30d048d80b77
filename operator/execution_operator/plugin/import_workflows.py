"""`kubectl execution import`: Executions for the workflows that run in a Temporal namespace."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from execution_operator.plugin.client import (
    API_VERSION,
    FIELD_MANAGER,
    KIND,
    ROOT,
    ApiError,
    Client,
    Json,
    executions,
)
from execution_operator.plugin.exit_codes import Exit, Failure
from execution_operator.plugin.follow import Scope, listed
from execution_operator.plugin.values import GROUP, object_name, plural

RUNNING = "ExecutionStatus = 'Running'"
PAGE = 1000
CONFLICT = 409
HOPELESS = (401, 403, 404)
"""Answers that the next workflow would get too."""

LONGEST = 255
"""Characters of spec.executionId."""


@dataclass
class Tally:
    """The numbers of imported and skipped workflows."""

    created: int = 0
    present: int = 0
    failed: list[str] = field(default_factory=list)
    more: bool = False


async def run(arguments: Namespace) -> int:
    """Import workflows, and return the exit code."""
    async with Client.of(arguments) as client:
        items, _ = await listed(client, Scope(client.namespace))
        known = {item["spec"]["executionId"] for item in items}
        known |= {item["status"]["workflowId"] for item in items if item.get("status", {}).get("workflowId")}
        current = Import(arguments, client, await _organization(client), known)
        code: int = Exit.OK
        try:
            await current.all()
        except asyncio.CancelledError:
            code = Exit.INTERRUPTED
        except Failure:
            if current.tally.created:
                current.tell()
            raise
    current.tell()
    return Exit.FAILED if current.tally.failed else code


class Import:
    """One run of the command. `organization` is the namespace's; None where the user may not read it."""

    def __init__(self, arguments: Namespace, client: Client, organization: Json | None, known: set[str]) -> None:
        self._arguments = arguments
        self._client = client
        self._organization = organization
        self._known = known
        self.tally = Tally()

    async def all(self) -> None:
        """Create an Execution for each workflow that has none."""
        pending: set[asyncio.Task[None]] = set()
        try:
            async for workflow in self._new():
                if len(pending) == self._arguments.concurrency:
                    done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                pending.add(asyncio.create_task(self._create(workflow)))
            await asyncio.gather(*pending)
        finally:
            await asyncio.gather(*pending, return_exceptions=True)

    async def _new(self) -> AsyncIterator[str]:
        """Yield the execution IDs of workflows without an Execution, up to the limit."""
        spec = (self._organization or {}).get("spec", {})
        count = 0
        async for workflow in running(self._arguments.profile, self._query(spec)):
            identifier = execution_id_of(workflow, spec.get("workflowIdTemplates", []))
            if self._known & {workflow, identifier}:
                self.tally.present += 1
                continue
            if count == self._arguments.limit:
                self.tally.more = True
                return
            count += 1
            self._known.add(workflow)
            yield identifier

    def _query(self, spec: Json) -> str:
        """Return the visibility query. It selects the organization's workflows only, as others would be denied."""
        parts = [RUNNING]
        if self._organization and (ownership := spec.get("ownership")):
            value = (ownership.get("value") or self._organization["metadata"]["name"]).replace("'", "''")
            parts.append(f"`{ownership['searchAttribute']}` = '{value}'")
        if self._arguments.query:
            parts.append(f"({self._arguments.query})")
        return " AND ".join(parts)

    async def _create(self, identifier: str) -> None:
        name = object_name(identifier)
        if len(identifier) > LONGEST:
            self.tally.failed.append(f"{identifier[:60]}…: longer than {LONGEST} characters")
            return
        manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}}
        try:
            if not self._arguments.dry_run:
                wish = {**manifest, "spec": {"executionId": identifier}}
                await self._client.create(executions(self._client.namespace), wish, fieldManager=FIELD_MANAGER)
        except ApiError as error:
            if error.status in HOPELESS:
                raise
            if error.status == CONFLICT:
                self.tally.present += 1
            else:
                self.tally.failed.append(f"{identifier}: {error}")
            return
        self.tally.created += 1
        print(f"execution.{GROUP}/{name} created{' (dry run)' if self._arguments.dry_run else ''}")  # noqa: T201

    def tell(self) -> None:
        """Print the result."""
        tally, limit = self.tally, self._arguments.limit
        for failure in tally.failed:
            print(failure, file=sys.stderr)  # noqa: T201
        done = "would be created" if self._arguments.dry_run else "created"
        more = f"; there are more: --limit is {limit:,}" if tally.more else ""
        others = f"{tally.present:,} there before, {len(tally.failed):,} failed"
        print(f"{plural(tally.created)} {done} in {self._client.namespace}, {others}{more}", file=sys.stderr)  # noqa: T201


async def running(profile_name: str | None, query: str) -> AsyncIterator[str]:
    """Yield the workflow IDs that a visibility query finds."""
    try:
        from temporalio.client import Client as Temporal  # noqa: PLC0415 - heavy, and this command's alone
        from temporalio.envconfig import ClientConfigProfile  # noqa: PLC0415
        from temporalio.service import RPCError  # noqa: PLC0415
    except ModuleNotFoundError:
        raise Failure("import needs temporalio: pip install 'execution-operator[import]'") from None
    try:
        profile = ClientConfigProfile.load(profile=profile_name)
        config = profile.to_client_connect_config()
        config.setdefault("target_host", "localhost:7233")
        temporal = await Temporal.connect(**config)
        async for workflow in temporal.list_workflows(query, page_size=PAGE):
            yield workflow.id
    except (RPCError, RuntimeError, ValueError, OSError) as error:
        raise Failure(f"Temporal: {(str(error).splitlines() or [''])[0][:300]}") from None


async def _organization(client: Client) -> Json | None:
    """Return the namespace's Organization; None where there is none, or where the user may not read it."""
    try:
        found = (await client.get(f"{ROOT}/organizations"))["items"]
    except ApiError:
        return None
    owners = [each for each in found if client.namespace in each["spec"]["namespaces"]]
    return owners[0] if len(owners) == 1 else None


def execution_id_of(workflow: str, templates: list[str]) -> str:
    """Return the execution ID for a workflow: the workflow ID, unless the templates need another one."""
    if not templates or "{executionId}" in templates:
        return workflow
    for template in templates:
        before, _, after = template.partition("{executionId}")
        if workflow.startswith(before) and workflow.endswith(after) and len(workflow) > len(before) + len(after):
            return workflow[len(before) : len(workflow) - len(after)]
    return workflow

"""`kubectl execution import`: Executions for the workflows that run in a Temporal namespace."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from execution_operator.plugin.client import (
    API_VERSION,
    FIELD_MANAGER,
    GROUP,
    KIND,
    ROOT,
    ApiError,
    Client,
    Json,
    executions,
)
from execution_operator.plugin.exits import Exit, Failure
from execution_operator.plugin.follow import Scope, listed
from execution_operator.plugin.values import object_name, plural

RUNNING = "ExecutionStatus = 'Running'"
CONFLICT = 409
LONGEST = 255
"""Characters of spec.executionId."""


@dataclass
class Tally:
    """What became of the workflows."""

    created: int = 0
    present: int = 0
    failed: list[str] = field(default_factory=list)
    more: bool = False


async def run(arguments: Namespace) -> int:
    """Import, and return the exit code."""
    async with Client.of(arguments) as client:
        items, _ = await listed(client, Scope(client.namespace))
        known = {item["spec"]["executionId"] for item in items}
        known |= {item["status"]["workflowId"] for item in items if item.get("status", {}).get("workflowId")}
        templates = await _templates(client)
        tally = Tally()
        pending: set[asyncio.Task[None]] = set()
        try:
            async for workflow in _running(arguments, tally):
                identifier = _identifier(workflow, templates)
                if workflow in known or identifier in known:
                    tally.present += 1
                    continue
                known.add(workflow)
                if len(pending) == arguments.concurrency:
                    _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                pending.add(asyncio.create_task(_create(client, identifier, arguments, tally)))
            await asyncio.gather(*pending)
        except asyncio.CancelledError:
            await asyncio.gather(*pending, return_exceptions=True)
            _tell(client, arguments, tally)
            return Exit.INTERRUPTED
    _tell(client, arguments, tally)
    return Exit.FAILED if tally.failed else Exit.OK


async def _running(arguments: Namespace, tally: Tally) -> AsyncIterator[str]:
    """Yield the IDs of the workflows that run, as many as are asked for."""
    from temporalio.client import Client as Temporal  # noqa: PLC0415 - heavy, and this command's alone
    from temporalio.envconfig import ClientConfigProfile  # noqa: PLC0415
    from temporalio.service import RPCError  # noqa: PLC0415

    query = f"{RUNNING} AND ({arguments.query})" if arguments.query else RUNNING
    try:
        profile = ClientConfigProfile.load(profile=arguments.profile)
        config = profile.to_client_connect_config()
        config.setdefault("target_host", "localhost:7233")
        temporal = await Temporal.connect(**config)
        count = 0
        async for workflow in temporal.list_workflows(query, page_size=min(arguments.limit + 1, 1000)):
            if count == arguments.limit:
                tally.more = True
                return
            count += 1
            yield workflow.id
    except (RPCError, RuntimeError, ValueError, OSError) as error:
        raise Failure(f"Temporal: {(str(error).splitlines() or [''])[0][:300]}") from None


async def _create(client: Client, identifier: str, arguments: Namespace, tally: Tally) -> None:
    name = object_name(identifier)
    if len(identifier) > LONGEST:
        tally.failed.append(f"{identifier[:60]}…: longer than {LONGEST} characters")
        return
    manifest: Json = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {"executionId": identifier},
    }
    try:
        if not arguments.dry_run:
            await client.create(executions(client.namespace), manifest, fieldManager=FIELD_MANAGER)
    except ApiError as error:
        if error.status == CONFLICT:
            tally.present += 1
        else:
            tally.failed.append(f"{identifier}: {error}")
        return
    tally.created += 1
    print(f"execution.{GROUP}/{name} created{' (dry run)' if arguments.dry_run else ''}")  # noqa: T201


async def _templates(client: Client) -> list[str]:
    """Return the namespace's workflowIdTemplates, if the user may see Organizations."""
    try:
        found = (await client.get(f"{ROOT}/organizations"))["items"]
    except ApiError:
        return []
    owners = [each["spec"] for each in found if client.namespace in each["spec"]["namespaces"]]
    return owners[0].get("workflowIdTemplates", []) if len(owners) == 1 else []


def _identifier(workflow: str, templates: list[str]) -> str:
    """Return the execution ID that leads to a workflow: its own ID, unless the templates need another."""
    if not templates or "{executionId}" in templates:
        return workflow
    for template in templates:
        before, _, after = template.partition("{executionId}")
        if workflow.startswith(before) and workflow.endswith(after) and len(workflow) > len(before) + len(after):
            return workflow[len(before) : len(workflow) - len(after)]
    return workflow


def _tell(client: Client, arguments: Namespace, tally: Tally) -> None:
    for failure in tally.failed:
        print(failure, file=sys.stderr)  # noqa: T201
    done = "would be created" if arguments.dry_run else "created"
    more = f"; there are more: --limit is {arguments.limit:,}" if tally.more else ""
    others = f"{tally.present:,} there before, {len(tally.failed):,} failed"
    print(f"{plural(tally.created)} {done} in {client.namespace}, {others}{more}", file=sys.stderr)  # noqa: T201

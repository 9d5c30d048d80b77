"""The floor: the calls that a termination costs, made by a bare asyncio script that decides nothing.

`python -m tests.bench.peers.floor [--lean]`: `--lean` leaves out the look at the children that live on.
It has no index, no retries, and only begins an ended watch anew: what an operator adds is measured against it.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.service import WorkflowService

from tests.bench.kube import GROUP, Json, Kube, executions

UNANSWERED = "spec.terminate.reason!=,status.termination.outcome="
CONCURRENCY = 25
"""As many as our operator has under way in one namespace."""


async def terminate(service: WorkflowService, execution: Json, *, lean: bool) -> str:
    """Terminate the pinned run, and return when it ended."""
    meta, status = execution["metadata"], execution["status"]
    namespace = status["temporalNamespace"]
    run = WorkflowExecution(workflow_id=status["workflowId"], run_id=status["runId"])
    details = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps({"executionUid": meta["uid"]}).encode())
    await service.terminate_workflow_execution(
        TerminateWorkflowExecutionRequest(
            namespace=namespace,
            workflow_execution=run,
            reason=execution["spec"]["terminate"]["reason"],
            details=Payloads(payloads=[details]),
            identity=f"floor/{meta['namespace']}/{meta['name']}",
        )
    )
    history = await service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(namespace=namespace, execution=run, maximum_page_size=1)
    )
    if not lean:
        await service.describe_workflow_execution(DescribeWorkflowExecutionRequest(namespace=namespace, execution=run))
    return history.history.events[0].event_time.ToJsonString()


async def record(kube: Kube, execution: Json, at: str) -> None:
    """Write the status in one PATCH, then one Event."""
    meta, reason = execution["metadata"], execution["spec"]["terminate"]["reason"]
    message = f"terminated at {at}: {reason}"
    conditions = [
        {
            "type": of,
            "status": "True",
            "reason": "Terminated",
            "message": message,
            "observedGeneration": meta["generation"],
            "lastTransitionTime": at,
        }
        for of in ("Terminated", "Finished")
    ]
    status = {
        "phase": "cancelled",
        "closedAt": at,
        "terminatedAt": at,
        "observedGeneration": meta["generation"],
        "termination": {"reason": reason, "outcome": "Terminated"},
        "conditions": conditions,
    }
    guard = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    path = executions(meta["namespace"], meta["name"])
    await kube.merge(f"{path}/status", {"metadata": guard, "status": status})
    target = {"apiVersion": "control-plane.kubiya.ai/v1alpha1", "kind": "Execution"}
    event = {
        "metadata": {"name": f"{meta['name']}.{meta['uid']}", "namespace": meta["namespace"]},
        "involvedObject": {**target, **{key: meta[key] for key in ("namespace", "name", "uid")}},
        "type": "Normal",
        "reason": "Terminated",
        "message": message,
        "source": {"component": "floor"},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
    await kube.create(f"/api/v1/namespaces/{meta['namespace']}/events", event)


async def main(*, lean: bool) -> None:
    """Answer requests for ever."""
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    slots, tasks, taken = asyncio.Semaphore(CONCURRENCY), set[asyncio.Task[None]](), set[str]()

    async with Kube(Path(os.environ["KUBECONFIG"])) as kube:

        async def answer(execution: Json) -> None:
            async with slots:
                at = await terminate(client.workflow_service, execution, lean=lean)
                await record(kube, execution, at)

        while True:  # the API server ends a watch whose reader falls behind, and the next one begins with all there are
            async for line in kube.lines(f"{GROUP}/executions", fieldSelector=UNANSWERED):
                event = json.loads(line)
                uid = event["object"]["metadata"].get("uid")
                if event["type"] == "ADDED" and uid not in taken:
                    taken.add(uid)
                    tasks.add(task := asyncio.create_task(answer(event["object"])))
                    task.add_done_callback(tasks.discard)


if __name__ == "__main__":
    asyncio.run(main(lean="--lean" in sys.argv))

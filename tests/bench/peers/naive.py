"""What most would write first: kopf with its defaults, in twenty lines. `kopf run --all-namespaces naive.py`."""

import os
from datetime import UTC, datetime
from typing import Any

import kopf
from temporalio.client import Client


@kopf.on.startup()
async def connect(memo: kopf.Memo, **_: Any) -> None:
    memo.client = await Client.connect(os.environ["TEMPORAL_ADDRESS"], namespace=os.environ["TEMPORAL_NAMESPACE"])


@kopf.on.field("control-plane.kubiya.ai", "v1alpha1", "executions", field="spec.terminate")
async def terminate(new: Any, spec: kopf.Spec, patch: kopf.Patch, memo: kopf.Memo, **_: Any) -> None:
    if new:
        await memo.client.get_workflow_handle(spec["executionId"]).terminate(reason=new["reason"])
        patch.status["phase"] = "cancelled"
        patch.status["terminatedAt"] = datetime.now(UTC).isoformat()

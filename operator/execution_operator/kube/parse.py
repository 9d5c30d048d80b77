"""Objects of the API server as models. One that does not fit is told of and left out: it must not stop the others."""

import logging
import sys
from typing import TypeVar

from pydantic import ValidationError

from execution_operator.api import Execution, Organization
from execution_operator.core.errors import Unreadable
from execution_operator.core.reasons import Type
from execution_operator.index.open_runs import Reference
from execution_operator.kube.client import Json

logger = logging.getLogger(__name__)

Model = TypeVar("Model", Execution, Organization)


def parse_strict(model: type[Model], content: Json) -> Model:
    """Return the object as a model: Unreadable."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        meta = content.get("metadata", {})
        name = "/".join(filter(None, (meta.get("namespace"), meta.get("name"))))
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise Unreadable(f"{model.__name__} {name} does not fit its schema: {faults}") from error


def parse(model: type[Model], content: Json) -> Model | None:
    """Return the object as a model; None, with a line in the log, if it does not fit its schema."""
    try:
        return parse_strict(model, content)
    except Unreadable as error:
        logger.error("passed over: %s", error)  # noqa: TRY400 - says it all
        return None


def reference(content: Json) -> Reference | None:
    """Return what stands for an Execution in the index of open runs; None where no run is pinned."""
    meta, status = content["metadata"], content.get("status", {})
    if not (run_id := status.get("runId")):
        return None
    namespace, organization = sys.intern(meta["namespace"]), sys.intern(status.get("organization", ""))
    phase, denial = sys.intern(status.get("phase", "")), sys.intern(_denial(content))
    return Reference(meta["uid"], namespace, meta["name"], organization, run_id, phase, denial)


def _denial(content: Json) -> str:
    """Return why the status says that an Execution is not authorized; empty where it does not say so."""
    conditions = content.get("status", {}).get("conditions", ())
    denied = (each for each in conditions if (each["type"], each["status"]) == (Type.AUTHORIZED, "False"))
    return str(next((each["reason"] for each in denied), ""))


def needs_nothing(content: Json) -> bool:
    """Tell without a model that an open Execution needs nothing: most do, and a model costs more than all else.

    One that is denied needs nothing until its Organization changes, which is for the review to say.
    """
    status = content.get("status", {})
    kinds = {condition["type"] for condition in status.get("conditions", ())}
    undone = Type.RECONCILING in kinds or (Type.STALLED in kinds and not _denial(content))
    return "runId" in status and not (undone or "deletionTimestamp" in content["metadata"] or status_outdated(content))


def status_outdated(content: Json) -> bool:
    """Tell without a model whether an object has changed since its status was written."""
    return bool(content["metadata"].get("generation") != content.get("status", {}).get("observedGeneration"))


def request_pending(content: Json) -> bool:
    """Tell without a model whether a request of an object waits for its answer; the stream of requests brings those."""
    return "terminate" in content["spec"] and "outcome" not in content.get("status", {}).get("termination", {})


def has_ttl(content: Json) -> bool:
    """Tell without a model whether an object is to be deleted when it has been finished for some time."""
    return "ttlSecondsAfterFinished" in content["spec"]

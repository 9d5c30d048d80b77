"""Objects of the API server as models, and what can be said of an object without a model.

An object that does not fit its schema is logged and left out, so that the others are still worked on.
"""

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
    """Return the object as a model.

    Raises:
        Unreadable: The object does not fit its schema.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        meta = content.get("metadata", {})
        name = "/".join(filter(None, (meta.get("namespace"), meta.get("name"))))
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise Unreadable(f"{model.__name__} {name} does not fit its schema: {faults}") from error


def parse(model: type[Model], content: Json) -> Model | None:
    """Return the object as a model; if it does not fit its schema, log an error and return None."""
    try:
        return parse_strict(model, content)
    except Unreadable as error:
        logger.error("ignored: %s", error)  # noqa: TRY400 - the message names the object and its faults
        return None


def reference(content: Json) -> Reference | None:
    """Return the entry of an Execution in the index of open runs; None if its status pins no run."""
    meta, status = content["metadata"], content.get("status", {})
    if not (run_id := status.get("runId")):
        return None
    namespace, organization = sys.intern(meta["namespace"]), sys.intern(status.get("organization", ""))
    phase, denial = sys.intern(status.get("phase", "")), sys.intern(_denial(content))
    return Reference(meta["uid"], namespace, meta["name"], organization, run_id, phase, denial)


def _denial(content: Json) -> str:
    """Return the reason why the status says that an Execution is not authorized; empty if it does not say so."""
    conditions = content.get("status", {}).get("conditions", ())
    denied = (each for each in conditions if (each["type"], each["status"]) == (Type.AUTHORIZED, "False"))
    return str(next((each["reason"] for each in denied), ""))


def needs_nothing(content: Json) -> bool:
    """Whether an open Execution needs no reconcile, decided without a model.

    Most open Executions need none, and building a model costs more than everything else that is done with an object.
    A denied Execution needs none either: AuthorizationDrift requeues it when its Organization changes.
    """
    status = content.get("status", {})
    types = {condition["type"] for condition in status.get("conditions", ())}
    unfinished = Type.RECONCILING in types or (Type.STALLED in types and not _denial(content))
    deleted = "deletionTimestamp" in content["metadata"]
    return "runId" in status and not (unfinished or deleted or status_outdated(content))


def status_outdated(content: Json) -> bool:
    """Whether an object has changed since its status was written, decided without a model."""
    return bool(content["metadata"].get("generation") != content.get("status", {}).get("observedGeneration"))


def request_pending(content: Json) -> bool:
    """Whether an Execution has a request without an outcome, decided without a model.

    The stream of requests enqueues such an Execution.
    """
    return "terminate" in content["spec"] and "outcome" not in content.get("status", {}).get("termination", {})


def has_ttl(content: Json) -> bool:
    """Whether an Execution is deleted some time after it has finished, decided without a model."""
    return "ttlSecondsAfterFinished" in content["spec"]

"""Admission policies: terminating needs a permission of its own, and the API server says who asked.

They see `executions` only, not `executions/status`: the operator's own writes never meet them. Expressions reach for
fields with `.?`, since a policy that mutates runs before the schema is enforced.
"""

from typing import Any

from execution_operator.api import GROUP, VERSION
from execution_operator.api.execution import CLOSED_PHASES
from execution_operator.core.workflow.requests import REQUESTER_ANNOTATION
from execution_operator.manifests.roles import TERMINATOR

Object = dict[str, Any]

WISH = "object.?spec.?terminate"
REQUESTED = f"{WISH}.hasValue() && (oldObject == null || oldObject.?spec.?terminate != {WISH})"
"""`spec.terminate` is set or changed by this request."""

POLICY = "object.?spec.?deletionPolicy"
ENTRUSTED = (
    f"{POLICY} == optional.of('Terminate') && (oldObject == null || oldObject.?spec.?deletionPolicy != {POLICY})"
)
"""From this request on, whoever deletes the Execution terminates its workflow: as grave as terminating it."""

EXECUTION = "request.namespace + '/' + request.name"
CLOSED = "[" + ", ".join(f"'{phase}'" for phase in CLOSED_PHASES) + "]"


def named(name: str, expression: str) -> Object:
    """Return an expression with a name: a variable (`variables.<name>`), or a condition to match."""
    return {"name": name, "expression": expression}


STAMPS = [
    named("requested", REQUESTED),
    named("stamp", f"object.metadata.?annotations[?'{REQUESTER_ANNOTATION}']"),
    named(
        "oldStamp",
        f"oldObject == null ? optional.none() : oldObject.metadata.?annotations[?'{REQUESTER_ANNOTATION}']",
    ),
]


def permission() -> list[Object]:
    """Deny a termination, now or on deletion, to whoever lacks the permission. Withdrawing it needs none."""
    check = (
        f"authorizer.group('{GROUP}').resource('executions').subresource('terminate')\n"
        ".namespace(request.namespace).name(request.name).check('create').allowed()"
    )
    message = (
        f"'user \"' + request.userInfo.username + '\" may not terminate Execution ' + {EXECUTION}\n"
        f'+ \': this needs the verb "create" on "executions/terminate" in API group "{GROUP}"\'\n'
        f"+ ' (bind the ClusterRole {TERMINATOR['metadata']['name']} in namespace ' + request.namespace + ')'"
    )
    return validating(
        "execution-terminate-permission",
        {
            "matchConditions": [named("terminates", f"{REQUESTED}\n|| {ENTRUSTED}")],
            "validations": [{"expression": check, "messageExpression": message, "reason": "Forbidden"}],
        },
    )


def requester_guard() -> list[Object]:
    """Deny a forged requester: a request bears its own user's name or none, and the name stays as long as it does.

    None is allowed, since API servers before 1.36 write no stamp.
    """
    check = (
        "variables.requested\n"
        "? !variables.stamp.hasValue() || variables.stamp == optional.of(request.userInfo.username)\n"
        f": variables.stamp == variables.oldStamp || !variables.stamp.hasValue() && !{WISH}.hasValue()"
    )
    message = (
        f"the annotation {REQUESTER_ANNOTATION} is the API server's: leave it out where spec.terminate is set or"
        " changed, and as it is elsewhere"
    )
    return validating(
        "execution-terminate-requester-guard",
        {
            "variables": STAMPS,
            "validations": [{"expression": check, "message": message, "reason": "Forbidden"}],
        },
    )


def advice() -> list[Object]:
    """Warn about requests that are valid, but may not be meant."""
    closed = {
        "expression": f"!(object.?status.?phase.orValue('') in {CLOSED})",
        "messageExpression": "'the workflow is already closed (phase ' + object.status.phase\n"
        "+ '): the request will be answered AlreadyClosed'",
    }
    at_creation = {
        "expression": "oldObject != null",
        "message": "spec.terminate is set at creation: if the workflow is open now, it is terminated",
    }
    return validating(
        "execution-terminate-advice",
        {"matchConditions": [named("requested", REQUESTED)], "validations": [closed, at_creation]},
        action="Warn",
    )


def requester_stamp() -> list[Object]:
    """Write the user's name where `spec.terminate` is set or changed, keep it else, drop it with the request."""
    due = (
        "variables.requested ? optional.of(request.userInfo.username)\n"
        f": {WISH}.hasValue() ? variables.oldStamp : optional.none()"
    )
    path = f"'/metadata/annotations/{REQUESTER_ANNOTATION.replace('/', '~1')}'"
    patch = (
        "variables.stamp == variables.due ? []\n"
        f": !variables.due.hasValue() ? [JSONPatch{{op: 'remove', path: {path}}}]\n"
        ": has(object.metadata.annotations)\n"
        f"? [JSONPatch{{op: 'add', path: {path}, value: variables.due.value()}}]\n"
        ": [JSONPatch{op: 'add', path: '/metadata/annotations',"
        f" value: {{'{REQUESTER_ANNOTATION}': variables.due.value()}}}}]"
    )
    return _bound(
        "MutatingAdmissionPolicy",
        "execution-terminate-requester",
        {
            "reinvocationPolicy": "IfNeeded",
            "variables": [*STAMPS, named("due", due)],
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
        },
        {},
    )


def validating(name: str, spec: Object, action: str = "Deny") -> list[Object]:
    """Return a policy that checks what is written to Executions, and its binding."""
    return _bound("ValidatingAdmissionPolicy", name, spec, {"validationActions": [action]})


def _bound(kind: str, name: str, spec: Object, binding: Object) -> list[Object]:
    """Return a policy for writes of Executions, and the binding that puts it into force in every namespace."""
    writes = {
        "apiGroups": [GROUP],
        "apiVersions": [VERSION],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["executions"],
        "scope": "Namespaced",
    }
    return [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": [writes]}, **spec},
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}Binding",
            "metadata": {"name": name},
            "spec": {"policyName": name, **binding},
        },
    ]

"""The admission policies: a permission for terminations, and a stamp with the name of the requester.

They apply to `executions`, but not to `executions/status`. So they do not apply to the status writes of the operator.
Expressions access fields with `.?`, because a mutating policy runs before the schema is enforced.
"""

from typing import Any

from execution_operator.api import GROUP, VERSION
from execution_operator.api.execution import CLOSED_PHASES
from execution_operator.core.workflow.requests import REQUESTER_ANNOTATION
from execution_operator.manifests.roles import TERMINATOR

Object = dict[str, Any]

TERMINATE = "object.?spec.?terminate"
SETS_TERMINATE = f"{TERMINATE}.hasValue() && (oldObject == null || oldObject.?spec.?terminate != {TERMINATE})"
"""This write sets or changes `spec.terminate`."""

DELETION_POLICY = "object.?spec.?deletionPolicy"
ENABLES_TERMINATION_ON_DELETION = (
    f"{DELETION_POLICY} == optional.of('Terminate')"
    f" && (oldObject == null || oldObject.?spec.?deletionPolicy != {DELETION_POLICY})"
)
"""This write sets `deletionPolicy: Terminate`. A later deletion terminates the workflow, so it needs the permission."""

EXECUTION = "request.namespace + '/' + request.name"
CLOSED = "[" + ", ".join(f"'{phase}'" for phase in CLOSED_PHASES) + "]"


def named(name: str, expression: str) -> Object:
    """Return a named expression, for a variable (`variables.<name>`) or a match condition."""
    return {"name": name, "expression": expression}


STAMP_VARIABLES = [
    named("requested", SETS_TERMINATE),
    named("stamp", f"object.metadata.?annotations[?'{REQUESTER_ANNOTATION}']"),
    named(
        "oldStamp",
        f"oldObject == null ? optional.none() : oldObject.metadata.?annotations[?'{REQUESTER_ANNOTATION}']",
    ),
]


def permission() -> list[Object]:
    """Return the policy that denies a termination, now or on deletion, to users without the permission.

    The withdrawal of a request needs no permission.
    """
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
            "matchConditions": [named("terminates", f"{SETS_TERMINATE}\n|| {ENABLES_TERMINATION_ON_DELETION}")],
            "validations": [{"expression": check, "messageExpression": message, "reason": "Forbidden"}],
        },
    )


def requester_guard() -> list[Object]:
    """Return the policy that denies a forged requester.

    A request may have the name of its own user, or no name. The name may not change while the request exists. A request
    without a name is allowed, because API servers before 1.36 write no stamp.
    """
    check = (
        "variables.requested\n"
        "? !variables.stamp.hasValue() || variables.stamp == optional.of(request.userInfo.username)\n"
        f": variables.stamp == variables.oldStamp || !variables.stamp.hasValue() && !{TERMINATE}.hasValue()"
    )
    message = (
        f"the annotation {REQUESTER_ANNOTATION} is the API server's: leave it out where spec.terminate is set or"
        " changed, and as it is elsewhere"
    )
    return validating(
        "execution-terminate-requester-guard",
        {
            "variables": STAMP_VARIABLES,
            "validations": [{"expression": check, "message": message, "reason": "Forbidden"}],
        },
    )


def advice() -> list[Object]:
    """Return the policy that warns about requests that are valid but may be a mistake."""
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
        {"matchConditions": [named("requested", SETS_TERMINATE)], "validations": [closed, at_creation]},
        action="Warn",
    )


def requester_stamp() -> list[Object]:
    """Return the policy that stamps the requester.

    It writes the user's name when `spec.terminate` is set or changed, and removes it when `spec.terminate` is removed.
    Other writes keep the name.
    """
    due = (
        "variables.requested ? optional.of(request.userInfo.username)\n"
        f": {TERMINATE}.hasValue() ? variables.oldStamp : optional.none()"
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
            "variables": [*STAMP_VARIABLES, named("due", due)],
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
        },
        {},
    )


def validating(name: str, spec: Object, action: str = "Deny") -> list[Object]:
    """Return a policy that validates writes of Executions, and its binding."""
    return _bound("ValidatingAdmissionPolicy", name, spec, {"validationActions": [action]})


def _bound(kind: str, name: str, spec: Object, binding: Object) -> list[Object]:
    """Return a policy for writes of Executions, and a binding for all namespaces."""
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

"""The checks of `kubectl execution doctor`, in their order: a check comes after the checks that it depends on."""

from collections.abc import Callable

from execution_operator.plugin.doctor.facts import Facts
from execution_operator.plugin.doctor.findings import Finding
from execution_operator.plugin.doctor.installation_checks import (
    api_server,
    namespace,
    permission_policy,
    requester_stamp,
    resources,
    selectable_fields,
    user_permissions,
)
from execution_operator.plugin.doctor.operator_checks import (
    operator_observes,
    operator_permissions,
    operator_version,
    stalled_executions,
)
from execution_operator.plugin.doctor.organization_checks import organization_mapping, organization_ready

CHECKS: tuple[Callable[[Facts], Finding], ...] = (
    api_server,
    resources,
    selectable_fields,
    namespace,
    user_permissions,
    permission_policy,
    requester_stamp,
    organization_mapping,
    organization_ready,
    operator_permissions,
    operator_observes,
    operator_version,
    stalled_executions,
)

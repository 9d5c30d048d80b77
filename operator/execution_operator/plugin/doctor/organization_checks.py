"""Checks of the Organization of the namespace."""

from execution_operator.plugin.client import Json
from execution_operator.plugin.doctor.facts import Facts
from execution_operator.plugin.doctor.findings import Finding, Level, ok, problem, unknown
from execution_operator.plugin.request_state import condition


def organization_mapping(facts: Facts) -> Finding:
    """Check that exactly one Organization lists the namespace."""
    if facts.organizations is None:
        return unknown("the Organizations")
    listing = _organizations_of_namespace(facts)
    if not listing:
        fix = f"add {facts.namespace} to spec.namespaces of the Organization that it belongs to"
        return problem(f"no Organization lists namespace {facts.namespace}", fix)
    names = ", ".join(sorted(organization["metadata"]["name"] for organization in listing))
    if len(listing) > 1:
        fix = "remove it from spec.namespaces of all but one: a namespace that several list belongs to none of them"
        return problem(f"namespace {facts.namespace} is listed by {names}", fix)
    return ok(f"namespace {facts.namespace} belongs to {names}")


def organization_ready(facts: Facts) -> Finding:
    """Check that the Organization is ready. Its condition says what is wrong with its Temporal or its Secrets."""
    listing = _organizations_of_namespace(facts)
    if len(listing) != 1:
        return Finding(Level.UNKNOWN, "the Organization's Temporal: the namespace has no single Organization")
    organization = listing[0]
    name, ready = organization["metadata"]["name"], condition(organization, "Ready")
    if ready is None or organization["status"].get("observedGeneration") != organization["metadata"]["generation"]:
        return problem(
            f"the operator has not observed Organization {name}",
            "check that the operator runs, and that it may write the status of Organizations",
        )
    if ready["status"] != "True":
        return problem(f"Organization {name} is not ready: {ready['reason']}", ready["message"])
    return ok(f"Organization {name} is ready: {ready['message']}")


def _organizations_of_namespace(facts: Facts) -> list[Json]:
    return [each for each in facts.organizations or [] if facts.namespace in each["spec"]["namespaces"]]

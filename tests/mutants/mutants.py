"""The checks that are removed from the product, each with the test of `test_tenancy.py` that must then fail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.harness.builds import INDEX_NOT_AWAITED
from tests.support.mutation import Argument, Body, Build, Expression, NeverIf, Statement, WithoutElement

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- mutants: begin -->", "<!-- mutants: end -->"


@dataclass(frozen=True)
class Mutant:
    """A build without one check.

    Attributes:
        without: The description of the check.
        build: The product without the check.
        test: The class and function of the test that must fail.
        arguments: The function's arguments besides `stack` and `name`.
    """

    without: str
    build: Build
    test: str
    arguments: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def row(self) -> str:
        """The mutant's row in the document's table."""
        more = f" [{', '.join(map(str, self.arguments.values()))}]" if self.arguments else ""
        return f"| {self.without} | `{self.build.file}` | `{self.test}`{more} |"


def _check(name: str) -> Build:
    """Remove a check from the chain that authorizes an Execution."""
    return Build("core.authorization.authorize", "CHECKS", WithoutElement(name))


def _readiness(name: str) -> Build:
    """Remove a check from the chain that decides whether an Organization is ready."""
    return Build("core.authorization.mapping", "READINESS_CHECKS", WithoutElement(name))


GRANT_NOT_REPEATED = Build("reconciler.reconciler", "", NeverIf("holds"))
OWNERSHIP_NOT_CHECKED = Build("core.authorization.ownership", "missing_proof", Body("return None"))
BETWEEN = "TestBetweenReadAndCall.test_nothing_is_sent"

MUTANTS = (
    Mutant(
        "a namespace that no Organization lists is denied",
        _check("_namespace_not_mapped"),
        "TestOrganizations.test_it_is_deleted",
    ),
    Mutant(
        "a namespace that two Organizations list is denied",
        _check("_namespace_conflict"),
        "TestNamespaces.test_listed_by_two",
    ),
    Mutant(
        "an Execution that is recorded for another Organization is denied",
        _check("_recorded_organization_differs"),
        "TestNamespaces.test_moved_after_the_pin",
    ),
    Mutant(
        "an Execution that is recorded for a deleted Organization of the same name is denied",
        _check("_recorded_organization_was_recreated"),
        "TestOrganizations.test_a_namesake_is_another_organization",
        {"difference": "none"},
    ),
    Mutant(
        "an Execution of an Organization that is not Ready is denied",
        _check("_organization_not_ready"),
        "TestTemporalNamespaces.test_both_must_declare_ownership",
        {"spelling": "same"},
    ),
    Mutant(
        "an Execution that is recorded in another Temporal namespace is denied",
        _check("_recorded_temporal_namespace_differs"),
        "TestOrganizations.test_its_temporal_namespace_changes",
    ),
    Mutant(
        "Organizations that share a Temporal namespace must declare ownership",
        _readiness("_temporal_namespace_shared"),
        "TestTemporalNamespaces.test_both_must_declare_ownership",
        {"spelling": "same"},
    ),
    Mutant(
        "a Temporal namespace is identified by its ID, whatever its address",
        Build(
            "core.authorization.mapping",
            "Probe.shares_with",
            Expression("self.namespace_id and other.namespace_id", "False"),
        ),
        "TestTemporalNamespaces.test_both_must_declare_ownership",
        {"spelling": "other"},
    ),
    Mutant(
        "two Organizations with the same ownership value are not Ready",
        Build("core.authorization.mapping", "_temporal_namespace_shared", WithoutElement("own")),
        "TestTemporalNamespaces.test_two_organizations_with_the_same_ownership",
    ),
    Mutant(
        "an Organization waits for others that may share its Temporal namespace",
        _readiness("_temporal_namespace_may_be_shared"),
        "TestTemporalNamespaces.test_an_unreachable_neighbour_keeps_the_organization_unready",
    ),
    Mutant(
        "an Organization keeps its known namespace ID while Temporal does not answer",
        Build("organizations.controller", "", Statement("with_known_id")),
        "TestTemporalNamespaces.test_an_unreachable_neighbour_keeps_the_organization_unready",
    ),
    Mutant(
        "the start event must name the Organization",
        OWNERSHIP_NOT_CHECKED,
        "TestOwnership.test_absent",
    ),
    Mutant(
        "the same, for an Execution that was deleted and created again",
        OWNERSHIP_NOT_CHECKED,
        "TestNamespaces.test_an_execution_created_anew_inherits_nothing",
    ),
    Mutant(
        "the same, in a namespace that was deleted and created again",
        OWNERSHIP_NOT_CHECKED,
        "TestNamespaces.test_deleted_and_created_again",
    ),
    Mutant(
        "the same, once the Organization asks for another value",
        OWNERSHIP_NOT_CHECKED,
        "TestOrganizations.test_its_ownership_changes",
    ),
    Mutant(
        "ownership is read from the start event of the chain's first run",
        Build("temporal.runs", "TemporalRuns.ownership_value", Argument("WorkflowExecution", "run_id", "run.run_id")),
        "TestOwnership.test_forged_after_the_start",
    ),
    Mutant(
        "without the first run's history, only recorded ownership counts",
        Build("core.authorization.ownership", "missing_proof", Expression("observed == proof", "True")),
        "TestOwnership.test_without_the_first_run_recorded_ownership_counts",
    ),
    Mutant(
        "authorization is repeated right before the terminate call",
        GRANT_NOT_REPEATED,
        BETWEEN,
        {"change": "namespace", "reason": "NamespaceNotMapped", "grace": 0},
    ),
    Mutant(
        "the same, before the cancel request",
        GRANT_NOT_REPEATED,
        BETWEEN,
        {"change": "ownership", "reason": "OrganizationMismatch", "grace": 60},
    ),
    Mutant(
        "a grant holds only for the same Organization with the same spec",
        Build(
            "core.authorization.authorize",
            "Grant.holds",
            Expression("(old.metadata.uid, old.spec) == (new.metadata.uid, new.spec)", "True"),
        ),
        BETWEEN,
        {"change": "ownership", "reason": "OrganizationMismatch", "grace": 0},
    ),
    Mutant(
        "nothing is decided before the Organizations are listed",
        INDEX_NOT_AWAITED,
        "TestIndex.test_nothing_is_decided_without_it",
    ),
)


def table() -> str:
    """Render the mutants as a Markdown table."""
    head = "| Removed check | Module | Failing test |\n|---|---|---|"
    return "\n".join([head, *(mutant.row for mutant in MUTANTS)])


def documented() -> str:
    """Return the document's table."""
    return DOCUMENT.read_text().split(BEGIN)[1].split(END)[0].strip()


def document() -> None:
    """Write the table into the document."""
    before, rest = DOCUMENT.read_text().split(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    document()

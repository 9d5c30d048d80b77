"""The crash matrix: each request that a termination makes, combined with each fault that may meet the request."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.support.faults import Fault

DOCUMENT = Path(__file__).parents[3] / "docs" / "reliability.md"
BEGIN, END = "<!-- crash matrix: begin -->", "<!-- crash matrix: end -->"


class Scenario(StrEnum):
    """The way in which a termination is requested."""

    CREATION = "request at creation"
    PINNED = "request on a pinned run"
    GRACE = "grace period, obeyed"
    OVER = "grace period, ignored"
    START = "start of the operator"


class How(StrEnum):
    """The fault that meets the request, or the moment at which the operator is killed."""

    KILLED_BEFORE = "kill -9 before"
    KILLED_AFTER = "kill -9 after"
    CUT = "cut before"
    LOST = "reply lost"
    GARBAGE = "garbage"
    SWALLOWED = "half-open"
    WITHHELD = "no reply"

    @property
    def kills(self) -> bool:
        """Whether the operator is killed at this point."""
        return self in (How.KILLED_BEFORE, How.KILLED_AFTER)

    @property
    def hangs(self) -> bool:
        """Whether the request hangs until a deadline."""
        return self in (How.SWALLOWED, How.WITHHELD)

    @property
    def fault(self) -> Fault:
        """The proxy's fault."""
        return {How.KILLED_BEFORE: Fault.CUT, How.KILLED_AFTER: Fault.LOST}.get(self) or Fault[self.name]


@dataclass(frozen=True)
class Boundary:
    """One request of a termination.

    Attributes:
        scenario: The scenario that the request belongs to.
        step: The purpose of the request.
        operation: The name that the proxies give to the request.
        after: The operation before it. Set only if the scenario makes the same request more than once.
    """

    scenario: Scenario
    step: str
    operation: str
    after: str = ""


DESCRIBE, OWNER, CLOSING = (
    "DescribeWorkflowExecution",
    "GetWorkflowExecutionHistory",
    "GetWorkflowExecutionHistoryReverse",
)
TERMINATE, CANCEL, NAMESPACE = "TerminateWorkflowExecution", "RequestCancelWorkflowExecution", "DescribeNamespace"
RECORD = "record status"

BOUNDARIES = (
    Boundary(Scenario.CREATION, "find the run", DESCRIBE),
    Boundary(Scenario.CREATION, "prove ownership", OWNER),
    Boundary(Scenario.CREATION, "pin", "pin status"),
    Boundary(Scenario.CREATION, "terminate", TERMINATE),
    Boundary(Scenario.CREATION, "observe", CLOSING),
    Boundary(Scenario.CREATION, "read the children", DESCRIBE, after=TERMINATE),
    Boundary(Scenario.CREATION, "record", RECORD),
    Boundary(Scenario.CREATION, "create the Event", "create event"),
    Boundary(Scenario.PINNED, "terminate", TERMINATE),
    Boundary(Scenario.PINNED, "observe", CLOSING),
    Boundary(Scenario.PINNED, "read the children", DESCRIBE),
    Boundary(Scenario.PINNED, "record", RECORD),
    Boundary(Scenario.PINNED, "create the Event", "create event"),
    Boundary(Scenario.GRACE, "record the deadline", "record grace period"),
    Boundary(Scenario.GRACE, "request cancellation", CANCEL),
    Boundary(Scenario.GRACE, "observe in time", CLOSING),
    Boundary(Scenario.OVER, "check the cancel request", DESCRIBE),
    Boundary(Scenario.OVER, "terminate", TERMINATE),
    Boundary(Scenario.OVER, "observe", CLOSING, after=TERMINATE),
    Boundary(Scenario.OVER, "read the children", DESCRIBE, after=TERMINATE),
    Boundary(Scenario.OVER, "record", RECORD),
    Boundary(Scenario.OVER, "create the Event", "create event", after=RECORD),
    Boundary(Scenario.START, "probe the namespace", NAMESPACE),
)


@dataclass(frozen=True)
class Case:
    """One cell of the matrix."""

    boundary: Boundary
    how: How

    @property
    def id(self) -> str:
        """The case's ID for pytest."""
        return f"{self.boundary.scenario}: {self.boundary.step}: {self.how}"

    @property
    def may_lose_event(self) -> bool:
        """Whether the operator is killed between the status write and the Event. Only then may an Event be lost."""
        between = {("record", How.KILLED_AFTER), ("create the Event", How.KILLED_BEFORE)}
        return (self.boundary.step, self.how) in between

    @property
    def name(self) -> str:
        """The workflow ID and the Execution's name."""
        return re.sub(r"[^a-z0-9]+", "-", self.id)

    @property
    def namespace(self) -> str:
        """The Execution's namespace. Hanging cases have their own, because they use up a namespace's concurrency."""
        return "team-c" if self.how is How.WITHHELD else "team-a"

    @property
    def group(self) -> tuple[str, ...]:
        """The key of the cases that run together. The same fault must meet all of them at the same moment.

        A cut breaks a connection that other calls share, and a kill ends all calls. A hanging call affects no other.
        """
        match self.boundary.scenario:
            case Scenario.START:
                return (self.id,)
            case _ if self.how.hangs:
                return ("hangs",)
            case Scenario.OVER:
                return (self.how, Scenario.OVER)
            case _:
                return (self.how,)


CASES = tuple(Case(boundary, how) for boundary, how in itertools.product(BOUNDARIES, How))


def groups_of(cases: Iterable[Case]) -> list[list[Case]]:
    """Return the cases in groups that run together."""
    groups: defaultdict[tuple[str, ...], list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.group].append(case)
    return list(groups.values())


def table(cells: Mapping[Case, str]) -> str:
    """Render the results as a Markdown table."""
    lines = [f"| | | {' | '.join(How)} |", f"|---|---|{'---|' * len(How)}"]
    shown = ""
    for boundary in BOUNDARIES:
        scenario = "" if boundary.scenario == shown else boundary.scenario
        shown = boundary.scenario
        row = [cells.get(Case(boundary, how), "not run") for how in How]
        lines.append(f"| {scenario} | {boundary.step} (`{boundary.operation}`) | {' | '.join(row)} |")
    return "\n".join(lines)


def documented() -> list[tuple[str, str]]:
    """Return scenario and step of each row of the document's table."""
    lines = _parts()[1].strip().splitlines()[2:]
    return [(cells[1].strip(), cells[2].strip()) for line in lines if (cells := line.split("|"))]


def expected_rows() -> list[tuple[str, str]]:
    """Return scenario and step of each row that the cases make."""
    lines = table({}).splitlines()[2:]
    return [(cells[1].strip(), cells[2].strip()) for line in lines if (cells := line.split("|"))]


def document(cells: Mapping[Case, str]) -> None:
    """Write the table into the document."""
    before, _, after = _parts()
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table(cells)}\n{END}{after}")


def _parts() -> tuple[str, str, str]:
    before, rest = DOCUMENT.read_text().split(BEGIN)
    inside, after = rest.split(END)
    return before, inside, after

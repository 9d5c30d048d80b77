"""The crash matrix: every request that the act makes, and everything that may happen to it."""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.support.faults import Fault

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- crash matrix: begin -->", "<!-- crash matrix: end -->"


class Scenario(StrEnum):
    """How the request comes."""

    CREATION = "request at creation"
    PINNED = "request on a pinned run"
    GRACE = "grace period"
    START = "start of the operator"


class How(StrEnum):
    """What happens to the request: a fault, or the operator's end."""

    KILLED_BEFORE = "kill -9 before"
    KILLED_AFTER = "kill -9 after"
    CUT = "cut before"
    LOST = "reply lost"
    GARBAGE = "garbage"
    SWALLOWED = "half-open"
    WITHHELD = "no reply"

    @property
    def kills(self) -> bool:
        """Whether the operator is killed at that point."""
        return self in (How.KILLED_BEFORE, How.KILLED_AFTER)

    @property
    def hangs(self) -> bool:
        """Whether only a deadline ends it."""
        return self in (How.SWALLOWED, How.WITHHELD)

    @property
    def fault(self) -> Fault:
        """What the proxy does."""
        return {How.KILLED_BEFORE: Fault.CUT, How.KILLED_AFTER: Fault.LOST}.get(self) or Fault[self.name]


@dataclass(frozen=True)
class Boundary:
    """One request of the act.

    Attributes:
        scenario: The act that it belongs to.
        step: What the request is for.
        operation: What the proxies call it.
        skip: How many of the same kind come first.
        after: The operation that comes before it, where a count can't tell.
    """

    scenario: Scenario
    step: str
    operation: str
    skip: int = 0
    after: str = ""


DESCRIBE, OWNER, CLOSING = (
    "DescribeWorkflowExecution",
    "GetWorkflowExecutionHistory",
    "GetWorkflowExecutionHistoryReverse",
)
TERMINATE, CANCEL, NAMESPACE = "TerminateWorkflowExecution", "RequestCancelWorkflowExecution", "DescribeNamespace"

BOUNDARIES = (
    Boundary(Scenario.CREATION, "find the run", DESCRIBE),
    Boundary(Scenario.CREATION, "prove ownership", OWNER),
    Boundary(Scenario.CREATION, "pin", "pin status"),
    Boundary(Scenario.CREATION, "terminate", TERMINATE),
    Boundary(Scenario.CREATION, "observe", CLOSING),
    Boundary(Scenario.CREATION, "look for children", DESCRIBE, skip=1),
    Boundary(Scenario.CREATION, "record", "record status"),
    Boundary(Scenario.CREATION, "tell", "create event"),
    Boundary(Scenario.PINNED, "terminate", TERMINATE),
    Boundary(Scenario.PINNED, "observe", CLOSING),
    Boundary(Scenario.PINNED, "look for children", DESCRIBE),
    Boundary(Scenario.PINNED, "record", "record status"),
    Boundary(Scenario.PINNED, "tell", "create event"),
    Boundary(Scenario.GRACE, "record the deadline", "record grace period"),
    Boundary(Scenario.GRACE, "request cancellation", CANCEL),
    Boundary(Scenario.GRACE, "observe in time", CLOSING),
    Boundary(Scenario.GRACE, "terminate", TERMINATE),
    Boundary(Scenario.GRACE, "observe", CLOSING, after=TERMINATE),
    Boundary(Scenario.GRACE, "look for children", DESCRIBE),
    Boundary(Scenario.GRACE, "record", "record status"),
    Boundary(Scenario.GRACE, "tell", "create event", skip=1),
    Boundary(Scenario.START, "look at the namespace", NAMESPACE),
)


@dataclass(frozen=True)
class Case:
    """One cell of the matrix."""

    boundary: Boundary
    how: How

    @property
    def id(self) -> str:
        """Name it, for pytest."""
        return f"{self.boundary.scenario}: {self.boundary.step}: {self.how}"

    @property
    def may_lose_event(self) -> bool:
        """Whether the operator dies between the record and the Event that follows it: all that can be lost."""
        between = {("record", How.KILLED_AFTER), ("tell", How.KILLED_BEFORE)}
        return (self.boundary.step, self.how) in between

    @property
    def name(self) -> str:
        """Name its workflow and its Execution."""
        return re.sub(r"[^a-z0-9]+", "-", self.id)

    @property
    def alone(self) -> bool:
        """Whether it runs by itself. Where time must pass, many run at once, each with its own fault."""
        return not self.how.hangs and self.boundary.scenario is not Scenario.GRACE


CASES = tuple(Case(boundary, how) for boundary, how in itertools.product(BOUNDARIES, How))


def table(cells: Mapping[Case, str]) -> str:
    """Render what was seen."""
    lines = [f"| | | {' | '.join(How)} |", f"|---|---|{'---|' * len(How)}"]
    shown = ""
    for boundary in BOUNDARIES:
        scenario = "" if boundary.scenario == shown else boundary.scenario
        shown = boundary.scenario
        row = [cells.get(Case(boundary, how), "not run") for how in How]
        lines.append(f"| {scenario} | {boundary.step} (`{boundary.operation}`) | {' | '.join(row)} |")
    return "\n".join(lines)


def documented() -> list[tuple[str, str]]:
    """Return the rows of the document's table: scenario and step."""
    lines = _parts()[1].strip().splitlines()[2:]
    return [(cells[1].strip(), cells[2].strip()) for line in lines if (cells := line.split("|"))]


def expected_rows() -> list[tuple[str, str]]:
    """Return the rows that a table of the cases has."""
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


def of(cases: Iterable[Case], *scenarios: Scenario, hanging: bool) -> list[Case]:
    """Return the cases of some scenarios that do not run alone."""
    return [case for case in cases if case.boundary.scenario in scenarios and case.how.hangs is hanging]

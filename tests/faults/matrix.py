"""The crash matrix: every request that the act makes, and everything that may happen to it."""

import itertools
import re
from collections import defaultdict
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
    GRACE = "grace period, obeyed"
    OVER = "grace period, ignored"
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
        after: The operation that comes before it, where the same one occurs more than once.
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
    Boundary(Scenario.CREATION, "look for children", DESCRIBE, after=TERMINATE),
    Boundary(Scenario.CREATION, "record", RECORD),
    Boundary(Scenario.CREATION, "tell", "create event"),
    Boundary(Scenario.PINNED, "terminate", TERMINATE),
    Boundary(Scenario.PINNED, "observe", CLOSING),
    Boundary(Scenario.PINNED, "look for children", DESCRIBE),
    Boundary(Scenario.PINNED, "record", RECORD),
    Boundary(Scenario.PINNED, "tell", "create event"),
    Boundary(Scenario.GRACE, "record the deadline", "record grace period"),
    Boundary(Scenario.GRACE, "request cancellation", CANCEL),
    Boundary(Scenario.GRACE, "observe in time", CLOSING),
    Boundary(Scenario.OVER, "see that it was asked", DESCRIBE),
    Boundary(Scenario.OVER, "terminate", TERMINATE),
    Boundary(Scenario.OVER, "observe", CLOSING, after=TERMINATE),
    Boundary(Scenario.OVER, "look for children", DESCRIBE, after=TERMINATE),
    Boundary(Scenario.OVER, "record", RECORD),
    Boundary(Scenario.OVER, "tell", "create event", after=RECORD),
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
    def namespace(self) -> str:
        """Return where its Execution is: what hangs would fill the passes that one namespace may have under way."""
        return "team-c" if self.how is How.WITHHELD else "team-a"

    @property
    def company(self) -> tuple[str, ...]:
        """Tell those that are played together: what happens to one of them must happen to all, at the same moment.

        A cut breaks a connection that other calls are on, and a kill ends all of them. What hangs harms no other.
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


def companies(cases: Iterable[Case]) -> list[list[Case]]:
    """Return the cases in groups that are played together."""
    groups: defaultdict[tuple[str, ...], list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.company].append(case)
    return list(groups.values())


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

"""`kubectl execution doctor`: all that a termination needs, checked in order, and what to mend in words."""

import sys
from argparse import Namespace

from execution_operator.plugin.client import Client
from execution_operator.plugin.doctor.checks import CHECKS
from execution_operator.plugin.doctor.facts import gather
from execution_operator.plugin.doctor.findings import Finding, Level
from execution_operator.plugin.exit_codes import Exit

MARKS = {Level.GOOD: ("✓", "32"), Level.WARNING: ("!", "33"), Level.BAD: ("✗", "31"), Level.UNKNOWN: ("?", "2")}


async def run(arguments: Namespace) -> int:
    """Run the checks, and return the exit code: 1 where something must be repaired."""
    async with Client.of(arguments) as client:
        facts = await gather(client)
        print(f"{client.config.server}, namespace {client.namespace}")  # noqa: T201
    findings = [check(facts) for check in CHECKS]
    for finding in findings:
        print("\n".join(_lines(finding)))  # noqa: T201
    bad, unknown = (sum(finding.level is level for finding in findings) for level in (Level.BAD, Level.UNKNOWN))
    seen = f", as far as can be seen: {unknown} unknown" if unknown else ""
    print(f"{bad} to mend" if bad else f"nothing to mend{seen}")  # noqa: T201
    return Exit.FAILED if bad else Exit.OK


def _lines(finding: Finding) -> list[str]:
    mark, colour = MARKS[finding.level]
    shown = f"\033[{colour}m{mark}\033[0m" if sys.stdout.isatty() else mark
    return [f"{shown} {finding.title}", *([f"    {finding.mend}"] if finding.mend else [])]

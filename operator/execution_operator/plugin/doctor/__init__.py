"""`kubectl execution doctor`: checks everything that a termination needs, and says how to fix what is wrong."""

import sys
from argparse import Namespace

from execution_operator.plugin.client import Client
from execution_operator.plugin.doctor.checks import CHECKS
from execution_operator.plugin.doctor.facts import gather
from execution_operator.plugin.doctor.findings import Finding, Level
from execution_operator.plugin.exit_codes import Exit

MARKS = {Level.OK: ("✓", "32"), Level.WARNING: ("!", "33"), Level.PROBLEM: ("✗", "31"), Level.UNKNOWN: ("?", "2")}
"""The mark of each level, and its ANSI colour code on a terminal."""


async def run(arguments: Namespace) -> int:
    """Run the checks and print their findings.

    Returns:
        The exit code: 1 if a check found a problem, else 0.
    """
    async with Client.of(arguments) as client:
        facts = await gather(client)
        print(f"{client.config.server}, namespace {client.namespace}")  # noqa: T201
    findings = [check(facts) for check in CHECKS]
    for finding in findings:
        print("\n".join(_lines(finding)))  # noqa: T201
    problems, unknown = (
        sum(finding.level is level for finding in findings) for level in (Level.PROBLEM, Level.UNKNOWN)
    )
    skipped = f"; {unknown} could not be checked" if unknown else ""
    print(f"{problems} to fix" if problems else f"nothing to fix{skipped}")  # noqa: T201
    return Exit.FAILED if problems else Exit.OK


def _lines(finding: Finding) -> list[str]:
    mark, colour = MARKS[finding.level]
    shown = f"\033[{colour}m{mark}\033[0m" if sys.stdout.isatty() else mark
    return [f"{shown} {finding.title}", *([f"    {finding.fix}"] if finding.fix else [])]

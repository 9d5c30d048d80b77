"""Rules and queries, evaluated by Prometheus' own promtool."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.binaries import promtool

Object = dict[str, Any]
STEPS = 60
"""Minutes that made-up series go on for."""


@dataclass(frozen=True)
class Verdict:
    """What promtool said, and whether it was content."""

    content: bool
    words: str


def run_promtool(*arguments: str | Path) -> Verdict:
    """Run promtool."""
    done = subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False)
    return Verdict(done.returncode == 0, done.stdout + done.stderr)


def judge_rules(folder: Path, rules: Path, tests: Sequence[Object]) -> Verdict:
    """Have promtool test rules: each test is what it calls a test group."""
    file = folder / "rules_test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": list(tests)}))
    return run_promtool("test", "rules", file)


def series_of(scrape: str, **labels: str) -> list[Object]:
    """Return made-up series as a scrape shows them, with more labels: gauges stay, and counters grow."""
    return [
        {"series": _name(sample.name, {**sample.labels, **labels}), "values": _values(sample.name, sample.value)}
        for family in text_string_to_metric_families(scrape)
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]


def _name(name: str, labels: Mapping[str, str]) -> str:
    return name + "{" + ", ".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


def _values(name: str, value: float) -> str:
    grows = name.endswith(("_total", "_bucket", "_count", "_sum"))
    return f"0+{value}x{STEPS}" if grows else f"{value}x{STEPS}"

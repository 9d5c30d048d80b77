"""Alerts and dashboard, evaluated by promtool on invented series and on the metrics of a real operator."""

import json
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from execution_operator.manifests.alerts import ALERTS, Alert
from execution_operator.manifests.dashboard import MATCHERS
from execution_operator.manifests.monitoring import plain_job
from tests.support.monitoring import Object, judge_rules, run_promtool, series_of
from tests.support.operator import ACCOUNT, NAMESPACE, Operator
from tests.support.ports import free_port
from tests.support.stack import LocalStack
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Stubborn

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
RULES = MONITORING / "alerts.yaml"
JOB = 'job="execution-operator"'
UP, UP_TOO = f'up{{{JOB},instance="a"}}', f'up{{{JOB},instance="b"}}'


def ours(metric: str, labels: str = "") -> str:
    return f"execution_operator_{metric}{{{JOB},{labels}}}"


@dataclass(frozen=True)
class Case:
    """Series for which an alert fires after some minutes, and the change with which it does not fire."""

    fires: dict[str, str]
    calm: dict[str, str]
    minutes: int = 60


CALLS = "temporal_request_duration_seconds_count"
FAST, SLOW, ALL = (
    ours("request_duration_seconds_bucket", f'outcome="Terminated",le="{le}"') for le in ("5.0", "10.0", "+Inf")
)
CASES = {
    "ExecutionOperatorDown": Case({UP: "0x60", UP_TOO: "0x60"}, {UP: "1x60"}, 6),
    "ExecutionOperatorNoLeader": Case({ours("leader", 'instance="a"'): "0x60"}, {ours("leader"): "1x60"}, 3),
    "ExecutionOperatorRequestsDelayed": Case(
        {ours("oldest_pending_request_age_seconds"): "0+60x60"},
        {ours("oldest_pending_request_age_seconds"): "119x60"},
        6,
    ),
    "ExecutionOperatorNoStandby": Case({UP: "1x60", UP_TOO: "0x60"}, {UP_TOO: "1x60"}, 31),
    "ExecutionOperatorRequestsSlow": Case(
        {FAST: "0+98x60", SLOW: "0+100x60", ALL: "0+100x60"}, {FAST: "0+995x60", SLOW: "0+1000x60", ALL: "0+1000x60"}
    ),
    "ExecutionOperatorTemporalErrors": Case(
        {ours(CALLS, 'status="OK"'): "0+80x60", ours(CALLS, 'status="NO_ANSWER"'): "0+20x60"},
        {ours(CALLS, 'status="NO_ANSWER"'): "0+5x60", ours(CALLS, 'status="NOT_FOUND"'): "0+50x60"},
    ),
    "ExecutionOperatorVisibilityPollStale": Case(
        {ours("visibility_poll_age_seconds"): "0+60x60"}, {ours("visibility_poll_age_seconds"): "2x60"}
    ),
    "ExecutionOperatorWatchStale": Case(
        {ours("last_event_age_seconds", 'source="watch of Organizations"'): "0+60x60"},
        {
            ours("last_event_age_seconds", 'source="watch of Organizations"'): "60x60",
            ours("last_event_age_seconds", 'source="stream of requests"'): "600x60",
        },
    ),
    "ExecutionOperatorRequestsFoundByRelist": Case(
        {ours("requests_found_by_relist_total"): "0x30 1x30"}, {ours("requests_found_by_relist_total"): "7x60"}, 40
    ),
    "ExecutionOperatorOrganizationNotReady": Case(
        {ours("organizations", 'ready="False"'): "1x60", ours("organizations", 'ready="True"'): "3x60"},
        {ours("organizations", 'ready="False"'): "0x60"},
        16,
    ),
}


def rule_test(alert: Alert, series: dict[str, str], minutes: int, *, fires: bool) -> Object:
    """Return a test of promtool: whether the alert fires after so many minutes."""
    expected = {
        "exp_labels": {"severity": alert.severity},
        "exp_annotations": {
            "summary": alert.summary,
            "runbook_url": f"docs/runbooks.md#{alert.name.lower()}",
        },
    }
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": f"{minutes}m", "alertname": alert.name, "exp_alerts": [expected] if fires else []}
        ],
    }


def test_promtool_takes_the_rules() -> None:
    verdict = run_promtool("check", "rules", RULES)
    assert verdict.content, verdict.words
    assert f"{len(ALERTS)} rules found" in verdict.words


def test_each_alert_fires_where_it_should_and_nowhere_else(tmp_path: Path) -> None:
    assert [*CASES] == [alert.name for alert in ALERTS]
    tests = []
    for alert in ALERTS:
        case = CASES[alert.name]
        tests.append(rule_test(alert, case.fires, case.minutes, fires=True))
        tests.append(rule_test(alert, {**case.fires, **case.calm}, case.minutes, fires=False))
        tests.append(rule_test(alert, case.fires, 0, fires=False))
    verdict = judge_rules(tmp_path, RULES, tests)
    assert verdict.content, verdict.words


def test_promtool_sees_what_is_wrong(tmp_path: Path) -> None:
    alert = ALERTS[0]
    case = CASES[alert.name]
    verdict = judge_rules(tmp_path, RULES, [rule_test(alert, case.fires, case.minutes, fires=False)])
    assert not verdict.content
    assert "alertname: ExecutionOperatorDown" in verdict.words


@dataclass(frozen=True)
class Scrape:
    """What an operator shows that has seen a bit of everything.

    Attributes:
        metrics: What Prometheus reads.
        log: Its lines.
        events: All Events, by what they tell of.
        token: What it calls the API server with.
        uids: Of the Executions, by name.
    """

    metrics: str
    log: list[Object]
    events: Counter[tuple[str, str]]
    token: str
    uids: dict[str, str]


@pytest.fixture(scope="module")
def seen() -> Scrape:
    with LocalStack() as stack:
        stack.operator.end()
        address = f"127.0.0.1:{free_port()}"
        arguments = ("run", "--log-format=json", f"--http-address={address}")
        with Operator(stack.control_plane, stack.temporal.address, arguments) as operator:
            live(stack)

            def read() -> str:
                with urlopen(f"http://{address}/metrics", timeout=5) as response:
                    return str(response.read().decode())

            unnoticed = "execution_operator_close_detection_delay_seconds_count 0.0"
            wait_for(lambda: unnoticed not in read(), "the feed to notice what somebody else ended")
            kube, namespaces = stack.control_plane.kube, ("team-a", "nobodys")
            for name, _ in TOLD:
                stack.wait_for_events(name, "nobodys" if name == "denied" else "team-a")
            events = [event for namespace in namespaces for event in kube.events(namespace)]
            kubeconfig = stack.control_plane.kubeconfig_for_service_account(NAMESPACE, ACCOUNT)
            return Scrape(
                metrics=read(),
                log=[json.loads(line) for line in operator.log.read_text().splitlines()],
                events=Counter((event["involvedObject"]["name"], event["reason"]) for event in events),
                token=yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"],
                uids={one["metadata"]["name"]: one["metadata"]["uid"] for of in namespaces for one in kube.list(of)},
            )


@pytest.fixture
def scrape(seen: Scrape) -> str:
    return seen.metrics


def live(stack: LocalStack) -> None:
    """Have an operator terminate, be late, deny, not find, wait, and notice what others do."""
    stack.organization("acme", "team-a")
    stack.control_plane.kubectl("wait", "organization/acme", "--for=condition=Ready", "--timeout=30s")
    for name in ("ended", "late", "elsewhere", "graceful"):
        stack.samples.begin(Stubborn if name == "graceful" else Agent, name)
        stack.apply("Execution", name, {"executionId": name}, "team-a")
        stack.until(name, Finished="False/Open")
    stack.terminate("ended", "runaway cost")
    stack.until("ended", Terminated="True/Terminated")
    for name in ("late", "elsewhere"):
        stack.temporal.cli("workflow", "terminate", "--namespace=shared", f"--workflow-id={name}")
        stack.until(name, Finished="True/Terminated")
    stack.terminate("late", "too late")
    stack.until("late", Terminated="False/AlreadyClosed")
    stack.terminate("graceful", "in time", gracePeriodSeconds=600)
    stack.until("graceful", Terminated="False/GracePeriod")
    stack.apply("Execution", "missing", {"executionId": "missing", "terminate": {"reason": "stop"}}, "team-a")
    stack.until("missing", Terminated="False/ExecutionNotFound")
    stack.namespace("nobodys")
    stack.apply("Execution", "denied", {"executionId": "denied", "terminate": {"reason": "stop"}}, "nobodys")
    stack.until("denied", "nobodys", Terminated="False/NamespaceNotMapped")


def queries() -> list[str]:
    """Return the queries of the dashboard, as Grafana would send them."""
    content = json.loads((MONITORING / "dashboard.json").read_text())
    return [
        target["expr"].replace(MATCHERS, JOB).replace("$__rate_interval", "5m")
        for panel in content["panels"]
        for target in panel.get("targets", ())
    ]


def finds(expression: str) -> Object:
    """Return a test of promtool: the expression finds something."""
    return {
        "expr": f"count({expression}) >= bool 1",
        "eval_time": "30m",
        "exp_samples": [{"labels": "{}", "value": 1}],
    }


def evaluated(folder: Path, scrape: str, expressions: list[str]) -> tuple[bool, str]:
    series = series_of(scrape, job="execution-operator", instance="a", namespace="execution-operator")
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [finds(each) for each in expressions]}
    verdict = judge_rules(folder, RULES, [test])
    return verdict.content, verdict.words


def test_each_query_of_the_dashboard_finds_something_that_the_operator_shows(scrape: str, tmp_path: Path) -> None:
    assert len(queries()) > 25
    content, words = evaluated(tmp_path, scrape, queries())
    assert content, words


def test_each_alert_measures_something_that_the_operator_shows(scrape: str, tmp_path: Path) -> None:
    measured = [plain_job(alert.measured) for alert in ALERTS if "up{" not in alert.measured]
    failed = 'status!~"OK|NOT_FOUND"'
    content, words = evaluated(tmp_path, scrape, [each.replace(failed, 'status="OK"') for each in measured])
    assert content, words


BROKEN: list[Callable[[str], str]] = [
    lambda query: query.replace("execution_operator_open_requests", "execution_operator_openrequests"),
    lambda query: query.replace("open_requests{", 'open_requests{state="godot",'),
]


@pytest.mark.parametrize("change", BROKEN)
def test_a_name_or_a_label_that_is_not_there_is_seen(scrape: str, tmp_path: Path, change: Callable[[str], str]) -> None:
    (query,) = [each for each in queries() if "open_requests" in each]
    content, words = evaluated(tmp_path, scrape, [change(query)])
    assert not content
    assert "expr:" in words


TOLD = {
    ("ended", "Terminated"),
    ("late", "AlreadyClosed"),
    ("graceful", "GracePeriod"),
    ("missing", "ExecutionNotFound"),
    ("denied", "NamespaceNotMapped"),
}


def test_each_outcome_has_one_event_and_one_line_and_noise_has_none(seen: Scrape) -> None:
    decisions = [line for line in seen.log if line["logger"] == "execution_operator.decisions"]
    assert Counter((line["execution"].partition("/")[2], line["reason"]) for line in decisions) == Counter(TOLD)
    assert seen.events == Counter(TOLD)


def test_a_decision_can_be_traced_through_kubernetes_and_temporal(seen: Scrape) -> None:
    (line,) = [line for line in seen.log if line.get("reason") == "Terminated"]
    assert (line["level"], line["execution"], line["uid"]) == ("INFO", "team-a/ended", seen.uids["ended"])
    assert (line["organization"], line["temporalNamespace"], line["workflow"]) == ("acme", "shared", "ended")
    assert (line["generation"], uuid.UUID(line["run"]).version is not None) == (2, True)


def test_nothing_shows_the_token(seen: Scrape) -> None:
    signature = seen.token.rpartition(".")[2]
    assert len(signature) > 40
    assert signature not in seen.metrics + json.dumps(seen.log)


def test_no_label_names_what_is_a_tenants(scrape: str) -> None:
    assert not [word for word in ("team-a", "nobodys", "acme", "graceful", "runaway") if word in scrape]
    assert len([line for line in scrape.splitlines() if not line.startswith("#")]) < 1000

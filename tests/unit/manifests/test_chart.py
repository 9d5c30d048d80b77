"""The chart's generated files: what Helm fills in, and the values that it takes."""

import itertools
import json
import re
from collections.abc import Iterator

import pytest
import yaml
from pydantic.alias_generators import to_camel

from execution_operator import __version__
from execution_operator.manifests import chart, kustomize, monitoring, workload
from execution_operator.manifests.__main__ import CHECKOUT
from execution_operator.manifests.alerts import ALERTS
from execution_operator.manifests.files import CHART
from execution_operator.manifests.text import HEADER, Block, Expression, When, literal, render_template
from execution_operator.manifests.values import Section, Values, defaults, schema


def template(*documents: dict[str, object], control: str = "") -> str:
    return render_template([Block(documents, control)]).removeprefix(HEADER)


def test_an_expression_is_written_as_json() -> None:
    assert (
        template({"replicas": Expression("$.Values.replicas")}) == "---\nreplicas: {{ $.Values.replicas | toJson }}\n"
    )


def test_an_expression_can_be_made_longer() -> None:
    assert "a" + Expression("$.x") + "z" == 'printf "%s%s" (printf "%s%s" "a" ($.x)) "z"'


def test_a_literal_survives() -> None:
    assert literal({"a": 'b"c'}) == r'(fromJson `{"a": "b\"c"}`)'


def test_an_item_can_depend_on_a_value() -> None:
    item = When("$.Values.some", '--some={{ join "," $.Values.some }}')
    assert template({"spec": {"args": ["run", item]}}).splitlines() == [
        "---",
        "spec:",
        "  args:",
        "  - run",
        "  {{- if $.Values.some }}",
        '  - --some={{ join "," $.Values.some }}',
        "  {{- end }}",
    ]


def test_documents_can_depend_on_a_value() -> None:
    assert template({"a": 1}, control="if $.Values.a") == "{{- if $.Values.a }}\n---\na: 1\n{{- end }}\n"


def test_text_that_would_mean_something_to_helm_is_refused() -> None:
    with pytest.raises(ValueError, match="Helm would interpret this text"):
        template({"expr": "{{ $labels.pod }}"})


def test_defaults_are_those_of_the_models_each_with_its_description() -> None:
    text = defaults()
    assert yaml.safe_load(text) == Values().model_dump(by_alias=True)
    keys = [line for line in text.splitlines() if re.match(r"\s*[a-zA-Z]+:", line)]
    assert len(keys) > 40
    # Every key of ours stands below a comment; those of `resources` are Kubernetes' own.
    lines = text.splitlines()
    bare = [line for before, line in itertools.pairwise(lines) if line in keys and "#" not in before]
    assert [line.strip().partition(":")[0] for line in bare] == ["requests", "cpu", "memory", "limits", "memory"]


def sections(of: type[Section]) -> set[type[Section]]:
    below = {type(value) for _, value in of() if isinstance(value, Section)}
    return {of, *below}


def test_the_schema_refuses_what_it_does_not_know() -> None:
    content = json.loads(schema())
    assert content["additionalProperties"] is False
    assert content["properties"]["global"] == {"type": "object"}
    assert {of.__name__ for of in sections(Values)} == {"Values", *content["definitions"]}
    assert all(of["additionalProperties"] is False for of in content["definitions"].values())


def paths(of: Section, prefix: str = "") -> Iterator[str]:
    for attribute, value in of:
        name = f"{prefix}{to_camel(attribute)}"
        yield from paths(value, f"{name}.") if isinstance(value, Section) else (name,)


def test_every_value_is_used() -> None:
    helpers = (CHECKOUT / CHART / "templates/_helpers.tpl").read_text()
    written = "".join(text for path, text in chart.files().items() if path.startswith("templates/")) + helpers
    used = set(re.findall(r"\.Values\.([a-zA-Z.]+)", written)) - {"image"}
    assert used | {f"image.{name}" for name in re.findall(r"\.(repository|digest|tag)\b", helpers)} == {
        *paths(Values())
    }


def test_the_chart_has_the_version_of_the_operator() -> None:
    content = yaml.safe_load(chart.files()["Chart.yaml"])
    assert content["version"] == content["appVersion"] == __version__


def test_kustomization_and_chart_run_the_operator_alike() -> None:
    (deployment, _budget) = kustomize.files()["base/operator.yaml"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["args"] == [*workload.ARGUMENTS]
    written = chart.files()["templates/operator.yaml"]
    assert all(f"- {argument}\n" in written for argument in workload.ARGUMENTS)


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    headings = re.findall(r"^## (ExecutionOperator\w+)$", (CHECKOUT / monitoring.RUNBOOKS).read_text(), re.MULTILINE)
    assert headings == [alert.name for alert in ALERTS]


def test_alerts_link_to_their_runbooks() -> None:
    (group,) = yaml.safe_load(monitoring.files()["alerts.yaml"])["groups"]
    links = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in group["rules"]}
    assert links["ExecutionOperatorDown"] == "docs/runbooks.md#executionoperatordown"
    assert len(set(links.values())) == len(ALERTS)


def test_the_chart_ships_the_dashboard_that_is_there_to_be_imported() -> None:
    assert chart.files()["dashboards/execution-operator.json"] == monitoring.files()["dashboard.json"]


def test_the_dashboard_has_no_panel_upon_another() -> None:
    panels = json.loads(monitoring.files()["dashboard.json"])["panels"]
    taken = [
        (x, y)
        for of in (panel["gridPos"] for panel in panels)
        for x in range(of["x"], of["x"] + of["w"])
        for y in range(of["y"], of["y"] + of["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24

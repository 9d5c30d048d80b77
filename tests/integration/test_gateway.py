"""The REST call on real servers: every status of the contract by a real cause."""

import asyncio
import os
import re
import sys
import uuid
from asyncio.subprocess import PIPE
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from tests.support.api_proxy import ApiProxy
from tests.support.faults import Faults
from tests.support.gateway import ACCOUNT, NAMESPACE, Account, Gateway
from tests.support.installed import CHECKOUT
from tests.support.kube import GROUP, conditions_of
from tests.support.kubeconfig import write_kubeconfig
from tests.support.ports import free_port
from tests.support.stack import API_VERSION, LocalStack
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Broken, Done, Stubborn

MAY = ("execution-editor", "execution-terminator")

SCRIPTS = Path(sys.executable).parent
FUZZ_CASES = int(os.environ.get("FUZZ_CASES", "80"))
"""Cases that schemathesis makes, for both calls and both kinds of identifier together; `make fuzz` asks for 2,000."""

EXECUTIONS = f"{GROUP}/namespaces/team-a/executions"
TERMINATED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED


class Rest:
    """The local stack, the gateway, and who calls it."""

    def __init__(self, stack: LocalStack, gateway: Gateway) -> None:
        self.stack, self.gateway = stack, gateway
        self.names = [f"{user}-{uuid.uuid4().hex[:4]}" for user in ("alice", "bob", "editor", "both")]
        accounts = [Account(stack.control_plane, "callers", name) for name in self.names]
        self.alice = accounts[0].bind("team-a", *MAY).bind("nobodys", *MAY).token
        self.bob = accounts[1].bind("team-b", *MAY).token
        self.editor = accounts[2].bind("team-a", "execution-editor").token
        self.both = accounts[3].bind("team-a", *MAY).bind("team-b", *MAY).token

    async def terminate(
        self, identifier: str, reason: str = "runaway cost", token: str | None = None, gateway: Gateway | None = None
    ) -> httpx.Response:
        async with (gateway or self.gateway).client(self.alice if token is None else token) as client:
            return await client.post(f"/api/v1/executions/{identifier}/terminate", json={"reason": reason})

    def kubeconfig(self, folder: Path, server: str) -> Path:
        """Write the gateway's kubeconfig with another server."""
        own = self.stack.control_plane.kubeconfig_for_service_account(NAMESPACE, ACCOUNT)
        user = yaml.safe_load(own.read_text())["users"][0]["user"]
        return write_kubeconfig(folder / "config", server, self.stack.control_plane.folder / "ca.crt", user)

    def observed(self, name: str, namespace: str = "team-a", kind: type = Agent, organization: str = "acme") -> None:
        """Start a workflow and its Execution, and wait until the operator has seen it."""
        self.stack.samples.begin(kind, name, organization=organization)
        self.stack.apply("Execution", name, {"executionId": name}, namespace)
        self.stack.until(name, namespace, Authorized="True/OrganizationMapped")


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(durable=True) as running:
        running.organization("acme", "team-a")
        running.organization("globex", "team-b")
        running.namespace("nobodys")
        running.namespace("callers")
        yield running


@pytest.fixture(scope="module")
def rest(stack: LocalStack) -> Iterator[Rest]:
    with Gateway(stack.control_plane) as gateway:
        yield Rest(stack, gateway)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for the test's own workflow and Execution."""
    return f"{request.node.originalname.removeprefix('test_').replace('_', '-')[:40]}-{uuid.uuid4().hex[:6]}"


class TestOutcomes:
    """One test for each status."""

    @pytest.mark.parametrize("kind", [Agent, Stubborn])
    async def test_200(self, rest: Rest, name: str, kind: type) -> None:
        rest.observed(name, kind=kind)
        answer = await rest.terminate(name, "über-budget 💸")
        event = rest.stack.samples.last_event(name)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "success": True,
            "workflow_id": name,
            "terminated_at": event.event_time.ToJsonString(),
        }
        assert event.workflow_execution_terminated_event_attributes.reason == "über-budget 💸"
        assert b"system:serviceaccount:callers:alice" in (
            event.workflow_execution_terminated_event_attributes.details.payloads[0].data
        )

    async def test_200_by_uuid(self, rest: Rest, name: str) -> None:
        identifier = str(uuid.uuid4())
        rest.stack.samples.begin(Agent, f"agent-execution-{identifier}")
        rest.stack.apply("Execution", name, {"executionId": identifier}, "team-a")
        answer = await rest.terminate(identifier)
        assert answer.json()["workflow_id"] == f"agent-execution-{identifier}"

    async def test_200_by_uid(self, rest: Rest, name: str) -> None:
        rest.stack.samples.begin(Agent, name)
        rest.stack.apply("Execution", name, {"executionId": name}, "team-a")
        answer = await rest.terminate(rest.stack.get(name)["metadata"]["uid"])
        assert answer.json()["workflow_id"] == name

    async def test_200_by_workflow_id_that_needs_quoting(self, rest: Rest, name: str) -> None:
        identifier = f"orders/{name}/ä?%"
        rest.stack.samples.begin(Agent, identifier)
        rest.stack.apply("Execution", name, {"executionId": identifier}, "team-a")
        answer = await rest.terminate("orders%2F" + name + "%2F%C3%A4%3F%25")
        assert answer.json()["workflow_id"] == identifier

    async def test_200_despite_an_earlier_grace_period(self, rest: Rest, name: str) -> None:
        rest.observed(name, kind=Stubborn)
        rest.stack.terminate(name, "please", gracePeriodSeconds=3600)
        rest.stack.until(name, Terminated="False/GracePeriod")
        assert (await rest.terminate(name, "now")).status_code == 200

    async def test_404_no_execution(self, rest: Rest) -> None:
        answer = await rest.terminate("never-heard-of")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Execution not found: never-heard-of"})

    async def test_404_no_workflow(self, rest: Rest, name: str) -> None:
        rest.stack.apply("Execution", name, {"executionId": name}, "team-a")
        rest.stack.until(name, Stalled="True/ExecutionNotFound")
        answer = await rest.terminate(name)
        assert answer.status_code == 404
        assert "terminate" not in rest.stack.get(name)["spec"]

    async def test_403_not_mapped(self, rest: Rest, name: str) -> None:
        rest.stack.samples.begin(Agent, name)
        rest.stack.apply("Execution", name, {"executionId": name}, "nobodys")
        answer = await rest.terminate(name)
        assert answer.status_code == 403
        assert "no Organization lists namespace nobodys" in answer.json()["detail"]
        assert "terminate" not in rest.stack.get(name, "nobodys")["spec"], "what was refused must not come true later"
        assert rest.stack.samples.status(name) == "RUNNING"

    async def test_403_another_organizations_workflow(self, rest: Rest, name: str) -> None:
        rest.stack.samples.begin(Agent, name, organization="globex")
        rest.stack.apply("Execution", name, {"executionId": name}, "team-a")
        answer = await rest.terminate(name)
        assert answer.status_code == 403, answer.text
        assert rest.stack.samples.status(name) == "RUNNING"

    async def test_403_another_tenants_execution(self, rest: Rest, name: str) -> None:
        rest.observed(name)
        answer = await rest.terminate(name, token=rest.bob)
        assert answer.status_code == 403
        assert "cannot patch resource" in answer.json()["detail"]
        assert "terminate" not in rest.stack.get(name)["spec"]

    async def test_403_without_the_permission_and_nothing_changes(self, rest: Rest, name: str) -> None:
        rest.observed(name)
        before = rest.stack.get(name)
        answer = await rest.terminate(name, token=rest.editor)
        assert answer.status_code == 403
        assert "executions/terminate" in answer.json()["detail"]
        assert rest.stack.get(name) == before
        assert rest.stack.samples.status(name) == "RUNNING"

    @pytest.mark.parametrize(("kind", "phase"), [(Done, "completed"), (Broken, "failed")])
    async def test_400_with_the_true_status(self, rest: Rest, name: str, kind: type, phase: str) -> None:
        rest.observed(name, kind=kind)
        rest.stack.until(name, Finished=f"True/{phase.capitalize()}")
        answer = await rest.terminate(name)
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith(f"Cannot terminate, invalid status: {phase}")

    async def test_400_before_the_operator_knew(self, rest: Rest, name: str) -> None:
        rest.stack.samples.begin(Done, name)
        wait_for(lambda: rest.stack.samples.status(name) == "COMPLETED", "the workflow to complete")
        rest.stack.apply("Execution", name, {"executionId": name}, "team-a")
        answer = await rest.terminate(name)
        assert (answer.status_code, answer.json()["detail"][:42]) == (400, "Cannot terminate, invalid status: complete")

    @pytest.mark.parametrize("again", ["runaway cost", "another reason"])
    async def test_400_the_second_time(self, rest: Rest, name: str, again: str) -> None:
        rest.observed(name)
        assert (await rest.terminate(name)).status_code == 200
        answer = await rest.terminate(name, again)
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("Cannot terminate, invalid status: cancelled")

    async def test_500_while_temporal_is_away_and_the_request_stays_in_force(self, rest: Rest, name: str) -> None:
        rest.observed(name)
        with Gateway(rest.stack.control_plane, "--wait=1") as impatient:
            rest.stack.temporal.kill()
            try:
                rest.stack.terminate(name, "first")
                rest.stack.until(name, Terminated="Unknown/TemporalUnavailable")
                answer = await rest.terminate(name, gateway=impatient)
            finally:
                rest.stack.temporal.start()
        assert answer.status_code == 500
        assert "the request stays in force" in answer.json()["detail"]
        assert "Temporal does not answer" in answer.json()["detail"]
        rest.stack.until(name, Terminated="True/Terminated", seconds=30)

    async def test_500_while_the_operator_is_away(self, rest: Rest, name: str) -> None:
        rest.observed(name)
        with Gateway(rest.stack.control_plane, "--wait=0.5") as impatient:
            rest.stack.operator.kill()
            try:
                answer = await rest.terminate(name, gateway=impatient)
            finally:
                rest.stack.operator.start()
        assert answer.status_code == 500
        assert answer.json()["detail"].endswith("the operator has not answered; the request stays in force")
        rest.stack.until(name, Terminated="True/Terminated")

    @pytest.mark.parametrize(
        ("body", "loc", "kind"),
        [
            (b'{"reason": ""}', ["body", "reason"], "string_too_short"),
            (b'{"reason": "%s"}' % (b"x" * 501), ["body", "reason"], "string_too_long"),
            (b'{"reason": "\\ud800"}', ["body", "reason"], "string_unicode"),
            (b'{"reason": null}', ["body", "reason"], "string_type"),
            (b'{"reason": NaN}', ["body", "reason"], "string_type"),
            (b"{}", ["body", "reason"], "missing"),
            (b"", ["body"], "missing"),
            (b"[]", ["body"], "model_attributes_type"),
            (b"{", ["body", 1], "json_invalid"),
            (b"[" * 100_000, ["body"], "json_invalid"),
            (b"\xff", ["body"], "json_invalid"),
        ],
    )
    async def test_422(self, rest: Rest, body: bytes, loc: list[str | int], kind: str) -> None:
        async with rest.gateway.client(rest.alice) as client:
            headers = {"content-type": "application/json"}
            answer = await client.post("/api/v1/executions/any/terminate", content=body, headers=headers)
        assert answer.status_code == 422
        (fault,) = answer.json()["detail"]
        assert (fault["loc"], fault["type"], set(fault)) == (loc, kind, {"loc", "type", "msg"})

    async def test_422_a_blank_reason(self, rest: Rest, name: str) -> None:
        rest.observed(name)
        answer = await rest.terminate(name, " ")
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", "reason"]
        assert "terminate" not in rest.stack.get(name)["spec"]

    @pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic eDp5", "Bearer a b", "bearer ä"])
    async def test_401_without_a_token(self, rest: Rest, authorization: str | None) -> None:
        headers = {} if authorization is None else {b"authorization": authorization.encode()}
        async with rest.gateway.client(None) as client:
            answer = await client.post("/api/v1/executions/any/terminate", headers=headers, json={"reason": "x"})
        assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})
        assert answer.headers["www-authenticate"] == "Bearer"

    async def test_503_while_the_api_server_is_away(self, rest: Rest, name: str, tmp_path: Path) -> None:
        rest.observed(name)
        folder = rest.stack.control_plane.folder
        certificate = (folder / "kube-apiserver.crt", folder / "kube-apiserver.key")
        proxy = ApiProxy(rest.stack.control_plane.url, folder / "ca.crt", certificate, Faults())
        kubeconfig = rest.kubeconfig(tmp_path, proxy.url)
        with proxy, Gateway(rest.stack.control_plane, kubeconfig=kubeconfig) as far:
            proxy.stop()
            answers = [await rest.terminate(each, gateway=far) for each in (name, "unknown")]
            async with far.client(rest.alice) as client:
                body = {"execution_ids": [name], "reason": "x"}
                answers.append(await client.post("/api/v1/executions/terminate", json=body))
        assert [answer.status_code for answer in answers] == [503, 503, 503]
        assert answers[0].json()["detail"].endswith("the request may or may not be in force")
        assert "terminate" not in rest.stack.get(name)["spec"]

    async def test_503_before_the_index_is_complete(self, rest: Rest, tmp_path: Path) -> None:
        nowhere = rest.kubeconfig(tmp_path, f"https://127.0.0.1:{free_port()}")
        with Gateway(rest.stack.control_plane, kubeconfig=nowhere, probe="/healthz") as young:
            answer = await rest.terminate("any", gateway=young)
            async with young.client(None) as client:
                ready = await client.get("/readyz")
        assert (answer.status_code, answer.headers["retry-after"], ready.status_code) == (503, "1", 503)
        assert answer.json() == {"detail": "The gateway has just started"}

    @pytest.mark.parametrize("known", [True, False])
    async def test_401_with_a_bad_token(self, rest: Rest, name: str, known: bool) -> None:  # noqa: FBT001
        if known:
            rest.observed(name)
        tampered = rest.alice[:-6] + ("AAAAAA" if not rest.alice.endswith("AAAAAA") else "BBBBBB")
        for token in ("made-up", tampered):
            answer = await rest.terminate(name, token=token)
            assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})


class TestTrust:
    """Whose rights count."""

    async def test_the_gateways_own_account_can_change_nothing(self, rest: Rest) -> None:
        account = "--as=system:serviceaccount:execution-operator:execution-operator-gateway"
        rights = rest.stack.control_plane.kubectl("auth", "can-i", "--list", account, "--namespace=team-a").stdout
        rows = [row.split() for row in rights.splitlines() if "kubiya" in row]
        assert [row[0] for row in rows] == ["executions.control-plane.kubiya.ai"]
        assert "[get list watch]" in rights

    async def test_rights_of_the_gateway_never_count(self, rest: Rest, name: str) -> None:
        """Not even those of an administrator's certificate, which would come before any token."""
        rest.observed(name)
        with Gateway(rest.stack.control_plane, kubeconfig=rest.stack.control_plane.admin_kubeconfig) as mighty:
            statuses = [
                (await rest.terminate(name, token=token, gateway=mighty)).status_code
                for token in (rest.bob, rest.editor, "made-up", rest.alice)
            ]
        assert statuses == [403, 403, 401, 200]
        assert rest.stack.get(name)["status"]["termination"]["requestedBy"].startswith(
            "system:serviceaccount:callers:alice"
        )


class TestWhichOne:
    """One identifier, several Executions."""

    async def test_only_what_the_caller_may_read_counts(self, rest: Rest, name: str) -> None:
        rest.observed(name)
        rest.stack.apply("Execution", "squatter-" + name, {"executionId": name}, "team-b")
        answer = await rest.terminate(name)
        assert (answer.status_code, answer.json()["workflow_id"]) == (200, name)
        assert "terminate" not in rest.stack.get("squatter-" + name, "team-b")["spec"]

    async def test_several_are_a_clear_error_and_a_path_is_clear(self, rest: Rest, name: str) -> None:
        rest.observed(name)
        rest.stack.apply("Execution", name, {"executionId": name}, "team-b")
        answer = await rest.terminate(name, token=rest.both)
        assert answer.status_code == 409
        assert answer.json()["detail"] == f"{name} means several Executions: use one of team-a/{name}, team-b/{name}"
        assert "terminate" not in rest.stack.get(name)["spec"]
        assert (await rest.terminate(f"team-a/{name}", token=rest.both)).status_code == 200

    async def test_none_that_the_caller_may_read(self, rest: Rest, name: str) -> None:
        for namespace in ("team-b", "nobodys"):
            rest.stack.apply("Execution", name, {"executionId": name}, namespace)
        assert (await rest.terminate(name, token=rest.editor)).status_code == 403

    async def test_the_open_one_within_a_namespace(self, rest: Rest, name: str) -> None:
        rest.observed(name)
        assert (await rest.terminate(name)).status_code == 200
        rest.stack.samples.begin(Agent, name)
        rest.stack.apply("Execution", f"{name}-2", {"executionId": name}, "team-a")
        rest.stack.until(f"{name}-2", Finished="False/Open")
        assert (await rest.terminate(name)).status_code == 200
        assert rest.stack.get(f"{name}-2")["status"]["phase"] == "cancelled"

    async def test_hidden_existence(self, rest: Rest, name: str) -> None:
        rest.observed(name)
        with Gateway(rest.stack.control_plane, "--hide-existence") as hiding:
            theirs = await rest.terminate(name, token=rest.bob, gateway=hiding)
            unknown = await rest.terminate(name[::-1], token=rest.bob, gateway=hiding)
            readable = await rest.terminate(name, token=rest.editor, gateway=hiding)
            own = await rest.terminate(name, gateway=hiding)
        assert (theirs.status_code, theirs.json()) == (404, {"detail": f"Execution not found: {name}"})
        assert (unknown.status_code, unknown.json()) == (404, {"detail": f"Execution not found: {name[::-1]}"})
        assert dict(theirs.headers, date="") == dict(unknown.headers, date="")
        assert abs(theirs.elapsed - unknown.elapsed).total_seconds() < 0.1
        assert (readable.status_code, own.status_code) == (403, 200)


class TestContract:
    """What the gateway says of itself."""

    async def test_its_description_is_the_contracts(self, rest: Rest) -> None:
        contract = yaml.safe_load((CHECKOUT / "docs" / "terminate-endpoint.yaml").read_text())
        async with rest.gateway.client(None) as client:
            served = (await client.get("/openapi.json")).json()
            docs = await client.get("/docs")
        assert list(differences(contract, served)) == []
        assert "swagger" in docs.text
        (call,) = served["paths"]["/api/v1/executions/{execution_id}/terminate"].values()
        assert set(call["responses"]) - set(contract["paths"].popitem()[1]["post"]["responses"]) == {
            "401", "408", "409", "413", "429", "503",
        }  # fmt: skip

    async def test_health_and_metrics(self, rest: Rest, name: str) -> None:
        rest.observed(name)
        await rest.terminate(name)
        async with rest.gateway.client(None) as client:
            health = [(await client.get(path)).text for path in ("/healthz", "/readyz")]
            metrics = (await client.get("/metrics")).text
        assert health == ["ok", "ok"]
        assert 'execution_gateway_requests_total{code="200",route="single"}' in metrics
        assert "execution_gateway_synced 1.0" in metrics

    async def test_tls(self, rest: Rest, name: str) -> None:
        folder = rest.stack.control_plane.folder
        files = (folder / "kube-apiserver.crt", folder / "kube-apiserver.key")
        rest.observed(name)
        with Gateway(rest.stack.control_plane, tls=files) as secure:
            assert (await rest.terminate(name, gateway=secure)).status_code == 200

    async def test_no_token_is_logged(self, rest: Rest) -> None:
        await rest.terminate("leaky")
        log = rest.gateway.log.read_text()
        assert "terminate 'leaky': 404" in log
        assert rest.alice not in log
        assert rest.alice.split(".")[2] not in log


class TestFuzz:
    """schemathesis with all its checks: cases that the OpenAPI allows, and cases that it does not."""

    @pytest.mark.parametrize("known", [True, False])
    async def test_fuzz(self, rest: Rest, name: str, tmp_path: Path, known: bool) -> None:  # noqa: FBT001
        """An identifier of a workflow that has completed, and any; as many runs as it takes for the cases."""
        rest.observed(name, kind=Done)
        settings = {
            "parameters": f'"path.execution_id" = "{name}"' if known else "",
            "checks": 'positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 422]',
        }
        config = tmp_path / "schemathesis.toml"
        config.write_text("\n".join(f"[{section}]\n{setting}" for section, setting in settings.items()))
        made = 0
        with Gateway(rest.stack.control_plane, "--rate=1e6", "--burst=1000000") as open_handed:
            while made < FUZZ_CASES // 2:
                made += await _fuzzed(config, open_handed.url, rest.alice)


async def _fuzzed(config: Path, url: str, token: str) -> int:
    """Run schemathesis; return how many cases it made, all of which must have passed."""
    command = (
        *(SCRIPTS / "st", "--config-file", config, "run", f"{url}/openapi.json"),
        *("-H", f"Authorization: Bearer {token}", "--checks=all", "--continue-on-failure"),
        *(f"--max-examples={min(FUZZ_CASES // 2, 500)}", "--workers=4", "--no-color", "--warnings=off"),
    )
    run = await asyncio.create_subprocess_exec(*map(str, command), stdout=PIPE, cwd=config.parent)
    output, _ = await run.communicate()
    print(output.decode())
    counts = re.search(rb"(\d+) generated, (\d+) passed", output)
    assert run.returncode == 0
    assert counts is not None
    assert counts[1] == counts[2]
    return int(counts[1])


class TestLimits:
    async def test_the_size_of_a_request(self, rest: Rest) -> None:
        async with rest.gateway.client(rest.alice) as client:
            answer = await client.post("/api/v1/executions/any/terminate", content=b"x" * (1 << 20) + b"x")
        assert answer.status_code == 413

    async def test_the_time_that_a_request_takes_to_arrive(self, rest: Rest) -> None:
        with Gateway(rest.stack.control_plane, "--arrival=0.5") as strict:
            reader, writer = await asyncio.open_connection("127.0.0.1", strict.port)
            head = f"POST /api/v1/executions/x/terminate HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {rest.alice}"
            writer.write(f"{head}\r\nContent-Length: 100\r\n\r\n{{".encode())
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert answer.endswith(b'{"detail": "The request took too long to arrive"}')

    async def test_the_rate_of_a_caller(self, rest: Rest) -> None:
        with Gateway(rest.stack.control_plane, "--rate=0.5", "--burst=3") as strict:
            first = [(await rest.terminate("x", gateway=strict)).status_code for _ in range(3)]
            over = await rest.terminate("x", gateway=strict)
            other = await rest.terminate("x", token=rest.bob, gateway=strict)
        assert first == [404, 404, 404]
        assert (over.status_code, int(over.headers["retry-after"]) <= 2, other.status_code) == (429, True, 404)


class TestAtOnce:
    async def test_bulk(self, rest: Rest, name: str) -> None:
        names = [f"{name}-{number}" for number in range(5)]
        for each in names[:4]:
            rest.observed(each, kind=Done if each == names[3] else Agent)
        rest.stack.until(names[3], Finished="True/Completed")
        async with rest.gateway.client(rest.alice) as client:
            body = {"execution_ids": [*names, names[0]], "reason": "all of it"}
            answer = await client.post("/api/v1/executions/terminate", json=body)
            none = await client.post("/api/v1/executions/terminate", json={**body, "execution_ids": ["x"] * 1001})
        async with rest.gateway.client("nobody") as client:
            stranger = await client.post("/api/v1/executions/terminate", json=body)
        results = answer.json()["results"]
        assert [(result["execution_id"], result["status"]) for result in results] == list(
            zip([*names, names[0]], [200, 200, 200, 400, 404, 200], strict=True)
        )
        assert results[0] == results[5]
        assert results[0]["terminated_at"] == rest.stack.samples.last_event(names[0]).event_time.ToJsonString()
        assert (none.status_code, stranger.status_code) == (422, 401)

    async def test_200_calls_at_once_and_none_is_lost(self, rest: Rest, name: str) -> None:
        names = await many(rest, name, 200)
        async with rest.gateway.client(rest.alice) as client:
            answers = await asyncio.gather(*(call(client, each) for each in names))
        assert [answer.status_code for answer in answers] == [200] * 200
        events = await closing(rest, names)
        assert [answer.json()["terminated_at"] for answer in answers] == [
            event.event_time.ToJsonString() for event in events
        ]

    async def test_killed_in_the_middle_and_started_again(self, rest: Rest, name: str) -> None:
        names = await many(rest, name, 200)
        async with rest.gateway.client(rest.alice) as client:
            calls = [asyncio.create_task(call(client, each)) for each in names]
            for first in islice(asyncio.as_completed(calls), 20):
                await first
            rest.gateway.kill()
            answers = await asyncio.gather(*calls, return_exceptions=True)
        rest.gateway.start()
        answered = {
            each: answer for each, answer in zip(names, answers, strict=True) if isinstance(answer, httpx.Response)
        }
        assert 20 <= len(answered) < 200
        assert {answer.status_code for answer in answered.values()} == {200}
        accepted = {each for each, item in executions(rest, name).items() if "terminate" in item["spec"]}
        assert accepted >= answered.keys()
        await asyncio.to_thread(
            wait_for, lambda: _count(rest, name, "True/Terminated") == len(accepted), "the rest", 60
        )
        assert {event.event_type for event in await closing(rest, accepted)} == {TERMINATED}
        async with rest.gateway.client(rest.alice) as client:
            again = await asyncio.gather(*(call(client, each) for each in names if each not in accepted))
        assert {answer.status_code for answer in again} <= {200}

    async def test_a_client_that_goes_away_changes_nothing(self, rest: Rest, name: str) -> None:
        rest.observed(name)
        rest.stack.operator.kill()
        try:
            async with rest.gateway.client(rest.alice) as client:
                with pytest.raises(httpx.ReadTimeout):
                    await client.post(f"/api/v1/executions/{name}/terminate", json={"reason": "bye"}, timeout=1)
        finally:
            rest.stack.operator.start()
        rest.stack.until(name, Terminated="True/Terminated")

    async def test_who_waits_is_answered_when_the_gateway_stops(self, rest: Rest, name: str) -> None:
        rest.observed(name)
        rest.stack.operator.kill()
        try:
            with Gateway(rest.stack.control_plane) as leaving:
                call = asyncio.create_task(rest.terminate(name, gateway=leaving))
                await asyncio.to_thread(wait_for, lambda: "terminate" in rest.stack.get(name)["spec"], "the request")
                await asyncio.to_thread(leaving.stop)
                answer = await call
        finally:
            rest.stack.operator.start()
        assert (answer.status_code, "the gateway stops" in answer.text) == (500, True)
        rest.stack.until(name, Terminated="True/Terminated")


async def many(rest: Rest, name: str, count: int) -> list[str]:
    """Start workflows and their Executions; return their names once the operator has seen them all."""
    names = [f"{name}-{number:03}" for number in range(count)]
    await asyncio.gather(*(asyncio.to_thread(rest.stack.samples.begin, Agent, each) for each in names))
    for each in names:
        manifest = {
            "apiVersion": API_VERSION,
            "kind": "Execution",
            "metadata": {"name": each, "namespace": "team-a", "labels": {"batch": name}},
            "spec": {"executionId": each},
        }
        rest.stack.control_plane.kube.apply(EXECUTIONS, manifest)
    await asyncio.to_thread(wait_for, lambda: _count(rest, name, "False/Open") == count, "the operator to see them", 60)
    return names


async def call(client: httpx.AsyncClient, identifier: str) -> httpx.Response:
    return await client.post(f"/api/v1/executions/{identifier}/terminate", json={"reason": "all at once"})


async def closing(rest: Rest, names: Iterable[str]) -> list[HistoryEvent]:
    """Return the last event of each workflow."""
    return await asyncio.gather(*(asyncio.to_thread(rest.stack.samples.last_event, each) for each in names))


def executions(rest: Rest, batch: str) -> dict[str, Any]:
    """Return the Executions of a batch by name."""
    items = rest.stack.control_plane.kube.call("GET", EXECUTIONS, labelSelector=f"batch={batch}")["items"]
    return {item["metadata"]["name"]: item for item in items}


def _count(rest: Rest, batch: str, finished: str) -> int:
    return sum(conditions_of(item).get("Finished") == finished for item in executions(rest, batch).values())


def differences(described: Any, served: Any, path: str = "") -> Iterator[str]:
    """Name all that the contract describes and that is served otherwise."""
    match described:
        case dict():
            for key, value in described.items():
                if key not in served:
                    yield f"{path}/{key}: missing"
                else:
                    yield from differences(value, served[key], f"{path}/{key}")
        case list() if len(described) == len(served):
            for number, (one, other) in enumerate(zip(described, served, strict=True)):
                yield from differences(one, other, f"{path}/{number}")
        case _ if described != served:
            yield f"{path}: {described!r} is served as {served!r}"

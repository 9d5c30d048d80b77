"""Credentials on real servers: certificates and API keys from Secrets, rotated under load, refused, never leaked."""

import asyncio
import base64
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from temporalio.client import WorkflowHandle
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from tests.support.certificates import Authority
from tests.support.installed import install
from tests.support.kube import conditions_of
from tests.support.operator import ACCOUNT, NAMESPACE, Operator
from tests.support.process import GuardedFolder
from tests.support.server import start_all
from tests.support.stack import API_VERSION, LocalStack
from tests.support.tls_front import PERMISSION_DENIED, RESOURCE_EXHAUSTED, LapsedAuthority, Request, TlsFront, pem
from tests.support.waiting import wait_for
from tests.support.workflows import TASK_QUEUE, Agent, Samples

LOAD, BATCH = 200, 25
OWN_KEY = "operators-own-key-7f3a"
Object = dict[str, Any]
Entries = Mapping[str, bytes]


class Endpoints(LocalStack):
    """A local stack whose Temporal is reached over TLS only.

    `own` is the operator's own address, where it has a certificate and an API key of its own. `mtls` wants client
    certificates, `keyed` wants API keys, `curious` asks for anything and wants nothing.
    """

    def start(self) -> None:
        self.folder = GuardedFolder("execution-operator-credentials-")
        self.authority, self.second, self.foreign = (self.authority_of_its_own() for _ in range(3))
        self.lapsed = LapsedAuthority(self.subfolder())
        self.ca = self.authority.certificate.read_bytes()
        self.secrets: list[bytes] = [OWN_KEY.encode()]
        self.fronts = [TlsFront(self.temporal.address, self.authority) for _ in range(4)]
        self.own, self.mtls, self.keyed, self.curious = self.fronts
        self.own.require_certificate(self.authority)
        self.own.require_key(OWN_KEY)
        self.mtls.require_certificate(self.authority, self.lapsed)
        self.keyed.require_key()
        self.curious.invite_certificate(self.authority)
        start_all(self.control_plane, self.temporal, *self.fronts)
        install(self.control_plane)
        self.samples = Samples(self.temporal.address, "shared")
        certificate, key = self.authority.issue_user("operator", [])
        self.profile = {
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(certificate),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(key),
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(self.authority.certificate),
        }
        self.logs: list[Path] = []
        start_all(self.samples, self.new_operator(TEMPORAL_API_KEY=OWN_KEY))

    def stop(self) -> None:
        super().stop()
        for front in self.fronts:
            front.stop()
        self.folder.remove()

    def new_operator(self, **environment: str) -> Operator:
        """Return the operator with other words in its own profile."""
        self.operator = Operator(self.control_plane, self.own.address, **self.profile, **environment)
        return self.operator

    def authority_of_its_own(self) -> Authority:
        return Authority(self.subfolder())

    def subfolder(self) -> Path:
        folder = self.folder.path / uuid.uuid4().hex
        folder.mkdir()
        return folder

    def secret(self, name: str, entries: Entries, namespace: str = NAMESPACE) -> None:
        """Create or replace a Secret, and remember its bytes."""
        self.apply_all(self.secret_manifest(name, entries, namespace))

    def secret_manifest(self, name: str, entries: Entries, namespace: str = NAMESPACE) -> Object:
        self.secrets += [content for entry, content in entries.items() if entry != "ca.crt"]
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls" if {"tls.crt", "tls.key"} <= entries.keys() else "Opaque",
            "metadata": {"name": name, "namespace": namespace},
            "data": {entry: base64.b64encode(content).decode() for entry, content in entries.items()},
        }

    def apply_all(self, *manifests: Object) -> None:
        content = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
        self.control_plane.kubectl("apply", "-f", "-", input=content)

    def tls(self, name: str, authority: Authority | None = None) -> Entries:
        """Issue a client certificate, as a Secret holds it."""
        certificate, key = pem((authority or self.authority).issue_user(name, []))
        return {"tls.crt": certificate, "tls.key": key, "ca.crt": self.ca}

    def tenant(self, name: str, front: TlsFront, namespace: str = "shared", **temporal: object) -> None:
        """Create an Organization of the namespace of its own name, behind a front."""
        self.apply_all(*tenant(name, {"address": front.address, "namespace": namespace, **temporal}))

    def leave(self, tenant: str, front: TlsFront) -> None:
        """Delete an Organization, so that it knocks no more, and let in anybody again."""
        self.control_plane.kubectl("delete", "organization", tenant)
        front.require_certificate()

    def ready(self, name: str, status: str, reason: str, seconds: float = 10) -> str:
        """Wait until the Organization's condition Ready is this; return its message."""
        shown: Object = {}

        def found() -> str | None:
            output = self.control_plane.kubectl("get", "organization", name, "--output=json").stdout
            shown.update(json.loads(output))
            if shown.get("status", {}).get("observedGeneration") != shown["metadata"]["generation"]:
                return None
            matching = conditions_of(shown).get("Ready") == f"{status}/{reason}"
            return str(shown["status"]["conditions"][0]["message"]) if matching else None

        try:
            return wait_for(found, f"{name} to be {status}/{reason}", seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it is {shown.get('status')}") from None

    def terminated(self, name: str, tenant: str) -> None:
        """Start a workflow of the tenant's, and have it terminated."""
        self.samples.begin(Agent, name, organization=tenant)
        self.apply("Execution", name, {"executionId": name, "terminate": {"reason": "test"}}, tenant)
        self.until(name, tenant, Terminated="True/Terminated")


def tenant(name: str, temporal: Mapping[str, object]) -> list[Object]:
    spec = {"namespaces": [name], "temporal": temporal, "ownership": {"searchAttribute": "OrganizationId"}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        {"apiVersion": API_VERSION, "kind": "Organization", "metadata": {"name": name}, "spec": spec},
    ]


@pytest.fixture(scope="module")
def stack() -> Iterator[Endpoints]:
    with Endpoints() as running:
        yield running


class Load:
    """Terminations asked for in batches, in a thread of its own, while the test does something else."""

    def __init__(self, stack: Endpoints, tenant: str) -> None:
        self.stack, self.tenant = stack, tenant
        self.names = [f"{tenant}-{number}" for number in range(LOAD)]
        self._thread = threading.Thread(target=self._request)

    def __enter__(self) -> Self:
        self.stack.samples.do(self._begin())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    async def _begin(self) -> None:
        attribute = SearchAttributePair(SearchAttributeKey.for_keyword("OrganizationId"), self.tenant)
        starts = (
            self.stack.samples.client.start_workflow(
                Agent.run, id=name, task_queue=TASK_QUEUE, search_attributes=TypedSearchAttributes([attribute])
            )
            for name in self.names
        )
        await asyncio.gather(*starts)

    def _request(self) -> None:
        for first in range(0, LOAD, BATCH):
            items = [
                {
                    "apiVersion": API_VERSION,
                    "kind": "Execution",
                    "metadata": {"name": name, "namespace": self.tenant},
                    "spec": {"executionId": name, "terminate": {"reason": "load"}},
                }
                for name in self.names[first : first + BATCH]
            ]
            manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
            self.stack.control_plane.kubectl("create", "-f", "-", input=manifest)

    def settled(self) -> list[Object]:
        """Wait until every Execution shows that it was terminated by us; return them."""
        wait_for(lambda: not self._unsettled(), f"{LOAD} terminations", 30, interval=0.3)
        return self._executions()

    def _unsettled(self) -> list[str]:
        return [
            execution["metadata"]["name"]
            for execution in self._executions()
            if conditions_of(execution).get("Terminated") != "True/Terminated"
            or "Reconciling" in conditions_of(execution)
        ]

    def _executions(self) -> list[Object]:
        listing = ("get", "executions", "--namespace", self.tenant, "--output=json")
        items: list[Object] = json.loads(self.stack.control_plane.kubectl(*listing).stdout)["items"]
        return items

    def histories(self) -> list[list[str]]:
        """Return for each workflow whose Executions its terminations name."""
        return self.stack.samples.do(self._histories())

    async def _histories(self) -> list[list[str]]:
        client = self.stack.samples.client
        return await asyncio.gather(*(_terminations(client.get_workflow_handle(name)) for name in self.names))


async def _terminations(handle: WorkflowHandle[Any, Any]) -> list[str]:
    events = (await handle.fetch_history()).events
    details = [
        event.workflow_execution_terminated_event_attributes.details
        for event in events
        if event.HasField("workflow_execution_terminated_event_attributes")
    ]
    return [json.loads(detail.payloads[0].data)["executionUid"] for detail in details]


class TestRotation:
    """A Secret changes, and then the server takes the old one no more, while 200 terminations are under way."""

    def test_of_a_certificate(self, stack: Endpoints) -> None:
        stack.secret("rotating-tls", stack.tls("rotating-old"))
        stack.tenant("rotating", stack.mtls, tls={"secretName": "rotating-tls"})
        stack.ready("rotating", "True", "Ready")
        stack.mtls.require_certificate(stack.authority, stack.second, stack.lapsed)
        old, new = {"certificate": "rotating-old"}, {"certificate": "rotating-new"}
        with Load(stack, "rotating") as load:
            wait_for(lambda: len(stack.mtls.calls("Terminate", **old)) > BATCH, "the old certificate to be in use")
            stack.secret("rotating-tls", stack.tls("rotating-new", stack.second))
            wait_for(lambda: stack.mtls.calls("Terminate", **new), "the new certificate to be in use")
            stack.mtls.require_certificate(stack.second, stack.lapsed)
            stack.mtls.drop()
        _all_terminated_once(load)
        assert len(stack.mtls.calls("Terminate", **new)) > BATCH
        _used_no_more(stack, stack.mtls, old)
        assert stack.mtls.open["rotating-old"] == 0
        stack.mtls.require_certificate(stack.authority, stack.lapsed)

    def test_of_an_api_key(self, stack: Endpoints) -> None:
        stack.secret("turning-tls", stack.tls("turning"))
        stack.secret("turning-key", {"apiKey": b"turning-old-4711\n"})
        stack.keyed.require_certificate(stack.authority)
        stack.keyed.require_key("turning-old-4711", "turning-new-4712")
        stack.tenant("turning", stack.keyed, tls={"secretName": "turning-tls"}, apiKeySecretName="turning-key")
        stack.ready("turning", "True", "Ready")
        old, new = {"key": "turning-old-4711"}, {"key": "turning-new-4712"}
        with Load(stack, "turning") as load:
            wait_for(lambda: len(stack.keyed.calls("Terminate", **old)) > BATCH, "the old key to be in use")
            stack.secret("turning-key", {"apiKey": b"turning-new-4712"})
            wait_for(lambda: stack.keyed.calls("Terminate", **new), "the new key to be in use")
            stack.keyed.require_key("turning-new-4712")
        _all_terminated_once(load)
        assert len(stack.keyed.calls("Terminate", **new)) > BATCH
        assert {call.certificate for call in stack.keyed.calls()} == {"turning"}
        _used_no_more(stack, stack.keyed, old)
        stack.leave("turning", stack.keyed)

    def test_of_both_at_once(self, stack: Endpoints) -> None:
        """The server wants a certificate and a key, and takes first both pairs, then only the new one."""
        stack.secret("twice-tls", stack.tls("twice-old"))
        stack.secret("twice-key", {"apiKey": b"twice-old-4713"})
        stack.keyed.require_certificate(stack.authority, stack.second)
        stack.keyed.require_key("twice-old-4713", "twice-new-4714")
        stack.tenant("twice", stack.keyed, tls={"secretName": "twice-tls"}, apiKeySecretName="twice-key")
        stack.ready("twice", "True", "Ready")
        old = {"certificate": "twice-old", "key": "twice-old-4713"}
        new = {"certificate": "twice-new", "key": "twice-new-4714"}
        with Load(stack, "twice") as load:
            wait_for(lambda: len(stack.keyed.calls("Terminate", **old)) > BATCH, "the old pair to be in use")
            stack.secret("twice-key", {"apiKey": b"twice-new-4714"})
            stack.secret("twice-tls", stack.tls("twice-new", stack.second))
            wait_for(lambda: stack.keyed.calls("Terminate", **new), "the new pair to be in use")
            stack.keyed.require_certificate(stack.second)
            stack.keyed.require_key("twice-new-4714")
            stack.keyed.drop()
        _all_terminated_once(load)
        assert len(stack.keyed.calls("Terminate", **new)) > BATCH
        _used_no_more(stack, stack.keyed, old)
        stack.leave("twice", stack.keyed)


def _all_terminated_once(load: Load) -> None:
    executions = load.settled()
    assert len(executions) == LOAD
    uids = {execution["spec"]["executionId"]: execution["metadata"]["uid"] for execution in executions}
    assert load.histories() == [[uids[name]] for name in load.names]
    listing = ("get", "events", "--namespace", load.tenant, "--field-selector=reason=Terminated", "--output=json")
    reported = [
        event["involvedObject"]["name"]
        for event in json.loads(load.stack.control_plane.kubectl(*listing).stdout)["items"]
    ]
    assert sorted(reported) == sorted(load.names)


def _used_no_more(stack: Endpoints, front: TlsFront, old: Mapping[str, str]) -> None:
    """Verify that requests after the rotation succeed, and that no connection uses the old credential any more."""
    before, knocks = len(front.calls(**old)), front.turned_away
    tenant = next(iter(old.values())).split("-")[0]
    stack.terminated(f"after-{tenant}", tenant)
    assert (len(front.calls(**old)), front.turned_away) == (before, knocks)


@dataclass(frozen=True)
class Material:
    """What a faulty Organization is given; None stands for no such Secret at all."""

    front: TlsFront
    tls: Entries | None = None
    key: Entries | None = None
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A way to be wrong, and what the Organization must say of it. `{tls}` and `{key}` stand for the Secrets' names."""

    make: Callable[[Endpoints], Material]
    reason: str
    words: str
    status: str = "False"


def _mtls(change: Callable[[Endpoints, dict[str, bytes]], Entries | None]) -> Callable[[Endpoints], Material]:
    return lambda stack: Material(stack.mtls, change(stack, dict(stack.tls("tester"))))


def _keyed(key: bytes) -> Callable[[Endpoints], Material]:
    return lambda stack: Material(stack.keyed, {"ca.crt": stack.ca}, {"apiKey": key})


def _without(entry: str) -> Callable[[Endpoints, dict[str, bytes]], Entries]:
    return lambda _, tls: {name: content for name, content in tls.items() if name != entry}


def _with(entry: str, content: Callable[[Endpoints], bytes]) -> Callable[[Endpoints, dict[str, bytes]], Entries]:
    return lambda stack, tls: {**tls, entry: content(stack)}


NONSENSE = b"-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2Utb2YtYS1zZWNyZXQtMTIz\n-----END CERTIFICATE-----\n"

CASES = {
    "absent": Case(_mtls(lambda *_: None), "SecretInvalid", "Secret {tls} does not exist"),
    "no-certificate": Case(_mtls(_without("tls.crt")), "SecretInvalid", "Secret {tls} has no key tls.crt"),
    "no-key": Case(_mtls(_without("tls.key")), "SecretInvalid", "Secret {tls} has no key tls.key"),
    "bad-certificate": Case(
        _mtls(_with("tls.crt", lambda _: NONSENSE)), "SecretInvalid", "Secret {tls}: tls.crt is no certificate"
    ),
    "empty-authority": Case(
        _mtls(_with("ca.crt", lambda _: b"none")), "SecretInvalid", "Secret {tls}: ca.crt is no certificate"
    ),
    "bad-key": Case(
        _mtls(_with("tls.key", lambda _: b"secret-nonsense-456")),
        "SecretInvalid",
        "Secret {tls}: tls.key is no private",
    ),
    "key-of-another": Case(
        _mtls(_with("tls.key", lambda stack: stack.tls("other")["tls.key"])),
        "SecretInvalid",
        "Secret {tls}: tls.key does not belong to tls.crt",
    ),
    "expired": Case(
        _mtls(lambda stack, _: stack.tls("late", stack.lapsed)),
        "TemporalRefused",
        "refuses the certificate in Secret {tls}: it has expired",
    ),
    "foreign": Case(
        _mtls(lambda stack, _: stack.tls("stranger", stack.foreign)),
        "TemporalRefused",
        "refuses the certificate in Secret {tls}: the server does not accept its issuer",
    ),
    "no-client-certificate": Case(
        _mtls(lambda stack, _: {"ca.crt": stack.ca}), "TemporalRefused", "the server wants a client certificate"
    ),
    "other-authority": Case(
        _mtls(_with("ca.crt", lambda stack: stack.foreign.certificate.read_bytes())),
        "TemporalRefused",
        "the server's certificate is not signed by ca.crt of Secret {tls}",
    ),
    "system-roots": Case(
        _mtls(_without("ca.crt")), "TemporalRefused", "not signed by an authority that this system trusts"
    ),
    "other-name": Case(
        lambda stack: Material(stack.mtls, stack.tls("tester"), more={"serverName": "temporal.example"}),
        "TemporalRefused",
        "spec.temporal.tls.serverName",
    ),
    "no-tls": Case(lambda stack: Material(stack.mtls), "TemporalUnavailable", "does it want TLS", status="Unknown"),
    "no-api-key": Case(
        lambda stack: Material(stack.keyed, {"ca.crt": stack.ca}, {"api-key": b"misnamed-key-789"}),
        "SecretInvalid",
        "Secret {key} has no key apiKey",
    ),
    "blank-key": Case(_keyed(b" \n"), "SecretInvalid", "Secret {key}: apiKey is blank"),
    "two-lines": Case(
        _keyed(b"first-half-abc\nsecond-half-def"), "SecretInvalid", "Secret {key}: apiKey is not one line"
    ),
    "not-ascii": Case(_keyed("schlüssel-ghi".encode()), "SecretInvalid", "Secret {key}: apiKey is not one line"),
    "wrong-key": Case(_keyed(b"wrong-key-jkl"), "TemporalRefused", "the API key in Secret {key}: Unauthenticated"),
}


@pytest.fixture(scope="module")
def faulty(stack: Endpoints) -> Iterator[Endpoints]:
    """One Organization for each case, all at once. The key front repeats the key that it refuses, as some do."""
    stack.keyed.require_key("some-key", refusal="no such key: {key}")
    manifests: list[Object] = []
    for name, case in CASES.items():
        material = case.make(stack)
        temporal: Object = {"address": material.front.address, "namespace": "shared"}
        if material.tls is not None or name == "absent":
            temporal["tls"] = {"secretName": f"{name}-tls", **material.more}
        if material.key is not None:
            temporal["apiKeySecretName"] = f"{name}-key"
        given = {"tls": material.tls, "key": material.key}
        manifests += [stack.secret_manifest(f"{name}-{kind}", entries) for kind, entries in given.items() if entries]
        manifests += tenant(name, temporal)
    stack.apply_all(*manifests)
    yield stack
    stack.control_plane.kubectl("delete", "organization", *CASES)


class TestFaults:
    """What is wrong is said with the Secret's name, and nothing is done."""

    @pytest.mark.parametrize("name", CASES)
    def test_is_told(self, faulty: Endpoints, name: str) -> None:
        case = CASES[name]
        message = faulty.ready(name, case.status, case.reason)
        assert case.words.format(tls=f"{name}-tls", key=f"{name}-key") in message

    def test_denies_and_is_mended_by_the_secret_alone(self, stack: Endpoints) -> None:
        stack.tenant("patient", stack.mtls, tls={"secretName": "patient-tls"})
        stack.secret("patient-tls", stack.tls("patient"), namespace="patient")
        stack.samples.begin(Agent, "patient", organization="patient")
        stack.apply("Execution", "patient", {"executionId": "patient", "terminate": {"reason": "soon"}}, "patient")
        execution = stack.until("patient", "patient", Terminated="False/OrganizationNotReady")
        assert "Secret patient-tls does not exist" in str(execution["status"]["conditions"])
        assert stack.samples.status("patient") == "RUNNING"
        stack.secret("patient-tls", stack.tls("patient"))
        stack.until("patient", "patient", seconds=5, Terminated="True/Terminated", Stalled="")
        stack.control_plane.kubectl("delete", "secret", "patient-tls", "--namespace", NAMESPACE)
        assert "does not exist" in stack.ready("patient", "False", "SecretInvalid")
        wait_for(lambda: stack.mtls.open["patient"] == 0, "the connection to be closed")

    def test_a_certificate_that_is_refused_from_now_on(self, stack: Endpoints) -> None:
        stack.secret("banned-tls", stack.tls("banned", stack.second))
        stack.mtls.require_certificate(stack.authority, stack.second, stack.lapsed)
        stack.tenant("banned", stack.mtls, tls={"secretName": "banned-tls"})
        stack.ready("banned", "True", "Ready")
        stack.mtls.require_certificate(stack.authority, stack.lapsed)
        stack.mtls.drop()
        stack.apply("Execution", "banned", {"executionId": "banned", "terminate": {"reason": "now"}}, "banned")
        stack.until("banned", "banned", Terminated="False/OrganizationNotReady")
        assert "the certificate in Secret banned-tls" in stack.ready("banned", "False", "TemporalRefused")
        stack.secret("banned-tls", stack.tls("banned-no-more"))
        stack.ready("banned", "True", "Ready")


REFUSALS = [
    pytest.param(PERMISSION_DENIED, "Request unauthorized.", "Unknown/TerminationFailed", id="permission"),
    pytest.param(RESOURCE_EXHAUSTED, "namespace rate limit exceeded", "Unknown/TemporalUnavailable", id="limit"),
]


class TestRefusals:
    """Temporal lets the operator look, and refuses or limits the termination itself."""

    @pytest.mark.parametrize(("status", "words", "answer"), REFUSALS)
    def test_is_told_and_made_up_for(self, stack: Endpoints, status: str, words: str, answer: str) -> None:
        name = f"refused-{status}"
        stack.secret(f"{name}-tls", stack.tls(name))
        stack.tenant(name, stack.mtls, tls={"secretName": f"{name}-tls"})
        stack.ready(name, "True", "Ready")
        stack.samples.begin(Agent, name, organization=name)
        with stack.mtls.refusing("TerminateWorkflowExecution", status, words):
            stack.apply("Execution", name, {"executionId": name, "terminate": {"reason": "test"}}, name)
            execution = stack.until(name, name, Terminated=answer, Reconciling=f"True/{answer.split('/')[1]}")
            assert words in str(execution["status"]["conditions"])
            assert execution["status"]["phase"] == "running"
            stack.ready(name, "True", "Ready")
        stack.until(name, name, Terminated="True/Terminated", Reconciling="")
        events = stack.samples.do(_terminations(stack.samples.client.get_workflow_handle(name)))
        assert events == [execution["metadata"]["uid"]]


class TestSharing:
    """Who may use which connection."""

    def test_one_connection_for_the_same_credential(self, stack: Endpoints) -> None:
        tls = stack.tls("twins")
        for name, namespace in (("castor", "shared"), ("pollux", "solo")):
            stack.secret(f"{name}-tls", tls)
            stack.tenant(name, stack.mtls, namespace, tls={"secretName": f"{name}-tls"})
        for name in ("castor", "pollux"):
            stack.ready(name, "True", "Ready")
            stack.apply("Execution", name, {"executionId": "nobody", "terminate": {"reason": "test"}}, name)
            stack.until(name, name, Terminated="False/ExecutionNotFound")
        calls = stack.mtls.calls("DescribeWorkflowExecution", certificate="twins")
        assert {call.namespace for call in calls} == {"shared", "solo"}
        assert stack.mtls.connected["twins"] == 1

    def test_never_anothers(self, stack: Endpoints) -> None:
        stack.keyed.require_key("red-key-1", "blue-key-2")
        stack.secret("keyed-ca", {"ca.crt": stack.ca})
        for name, namespace, key in (("red", "shared", b"red-key-1"), ("blue", "solo", b"blue-key-2")):
            stack.secret(f"{name}-key", {"apiKey": key})
            tls = {"secretName": "keyed-ca"}
            stack.tenant(name, stack.keyed, namespace, tls=tls, apiKeySecretName=f"{name}-key")
        for name in ("red", "blue"):
            stack.ready(name, "True", "Ready")
            stack.apply("Execution", name, {"executionId": "nobody", "terminate": {"reason": "test"}}, name)
            stack.until(name, name, Terminated="False/ExecutionNotFound")
        namespaces = {
            key: {call.namespace for call in stack.keyed.calls("Describe", key=key)}
            for key in ("red-key-1", "blue-key-2")
        }
        assert namespaces == {"red-key-1": {"shared"}, "blue-key-2": {"solo"}}
        for front in stack.fronts:
            used = {(call.connection, call.certificate, call.key) for call in front.calls()}
            assert len(used) == len({connection for connection, *_ in used})

    def test_the_operators_own_stay_at_its_own_address(self, stack: Endpoints) -> None:
        stack.namespace("home")
        stack.apply("Organization", "home", {"namespaces": ["home"], "temporal": {"namespace": "solo"}, **OWNED})
        stack.ready("home", "True", "Ready")
        assert stack.own.calls("Describe", certificate="operator", key=OWN_KEY, accepted=True)
        stack.secret("away-ca", {"ca.crt": stack.ca})
        stack.tenant("away", stack.curious, tls={"secretName": "away-ca"})
        stack.ready("away", "True", "Ready")
        assert {(call.certificate, call.key) for call in stack.curious.calls()} == {("", "")}
        stack.tenant("spelled", stack.own, tls={"secretName": "away-ca"}, address=stack.own.named_address)
        assert "the server wants a client certificate" in stack.ready("spelled", "False", "TemporalRefused")

    def test_the_operators_own_are_not_mixed_with_an_organizations(self, stack: Endpoints) -> None:
        """At the operator's own address, an Organization that brings its own credential is known by that alone."""
        stack.own.require_key(OWN_KEY, "guests-key-9", "ops-9")
        stack.secret("guest-key", {"apiKey": b"guests-key-9"})
        stack.tenant("guest", stack.own, apiKeySecretName="guest-key")
        stack.secret("visitor-tls", stack.tls("visitor"))
        stack.tenant("visitor", stack.own, tls={"secretName": "visitor-tls"})
        for environment in ({"TEMPORAL_API_KEY": OWN_KEY}, {"TEMPORAL_GRPC_META_AUTHORIZATION": "Bearer ops-9"}):
            requests = _requests_of_a_new_operator(stack, environment)
            assert {call.key for call in requests if call.method.startswith("Terminate")} == {"guests-key-9"}
            assert {call.key for call in requests if call.certificate == "visitor"} == {""}
        assert "a call without an API key" in stack.ready("visitor", "False", "TemporalRefused")


def _requests_of_a_new_operator(stack: Endpoints, environment: Mapping[str, str]) -> list[Request]:
    """Restart the operator with this in its profile; return what the own front sees of the guest and the visitor."""
    stack.logs.append(_kept(stack))
    stack.operator.stop()
    seen = len(stack.own.requests)
    stack.new_operator(**environment).start()
    stack.terminated(f"guest-{len(stack.logs)}", "guest")
    wait_for(lambda: _of(stack.own.requests[seen:], "visitor"), "the visitor to knock")
    return stack.own.requests[seen:]


def _of(requests: list[Request], certificate: str) -> list[Request]:
    return [request for request in requests if request.certificate == certificate]


OWNED = {"ownership": {"searchAttribute": "OrganizationId"}}


def _kept(stack: Endpoints) -> Path:
    """Copy the operator's log, which goes with it."""
    kept = stack.subfolder() / "operator.log"
    kept.write_bytes(stack.operator.log.read_bytes())
    return kept


class TestSecrecy:
    """The Secrets that the operator may read, and the absence of credentials in its output."""

    def test_secrets_of_its_own_namespace_only(self, stack: Endpoints) -> None:
        account = f"--as=system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
        kubectl = stack.control_plane.kubectl
        assert kubectl("auth", "can-i", "list", "secrets", account, "--namespace", NAMESPACE).stdout == "yes\n"
        for where in (("--namespace", "default"), ("--namespace", "kube-system"), ("--all-namespaces",)):
            for verb in ("get", "list", "watch"):
                assert kubectl("auth", "can-i", verb, "secrets", account, *where, check=False).stdout == "no\n"

    def test_a_server_that_repeats_the_key(self, stack: Endpoints) -> None:
        stack.secret("echo-ca", {"ca.crt": stack.ca})
        stack.secret("echo-key", {"apiKey": b"echoed-key-5150"})
        stack.keyed.require_key("echoed-key-5150")
        stack.tenant("echo", stack.keyed, tls={"secretName": "echo-ca"}, apiKeySecretName="echo-key")
        stack.ready("echo", "True", "Ready")
        stack.keyed.require_key(refusal="no such key: {key}")
        stack.apply("Execution", "echo", {"executionId": "echo", "terminate": {"reason": "test"}}, "echo")
        stack.until("echo", "echo", Terminated="False/OrganizationNotReady")
        assert "echoed-key-5150" not in str((stack.get("echo", "echo"), stack.events("echo", "echo")))
        assert "…" in stack.ready("echo", "False", "TemporalRefused")

    def test_nothing_of_a_secret_is_ever_told(self, faulty: Endpoints) -> None:
        kinds = "organizations.control-plane.kubiya.ai,executions.control-plane.kubiya.ai,events"
        reported = faulty.control_plane.kubectl("get", kinds, "--all-namespaces", "--output=yaml").stdout
        reported += "".join(log.read_text() for log in (*faulty.logs, faulty.operator.log))
        assert "wrong-key-key" in reported
        pieces = {piece for content in faulty.secrets for piece in _pieces(content)}
        assert len(pieces) > 2 * len(CASES)
        assert [piece for piece in pieces if piece in reported] == []


def _pieces(content: bytes) -> Iterator[str]:
    """Yield what would give a Secret away: each of its lines that is long enough, and these in base64."""
    for line in content.splitlines():
        if len(line) > 7 and not line.startswith(b"-----"):
            yield line.decode("utf-8", "replace")
            yield base64.b64encode(line).decode().rstrip("=")[:-1]

"""`kubectl execution` on real servers, run by the real kubectl."""

import json
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from execution_operator.plugin.cli import run
from tests.support.kube import GROUP, conditions_of
from tests.support.lean import link_dependencies, run_lean
from tests.support.plugin import SCRIPTS, Terminal, environment, execution
from tests.support.stack import API_VERSION, LocalStack
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Done, Parent, Stubborn

CONNECTED = "{current-context: a, contexts: [{name: a, context: {cluster: c}}], clusters: [{name: c, cluster: {%s}}]}"


class Prompt:
    """alice at her prompt: she may edit and terminate in team-a."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.alice = stack.control_plane.kubeconfig_for_user("alice")
        self.editor = stack.control_plane.kubeconfig_for_user("editor")
        for user, roles in (("alice", ("execution-editor", "execution-terminator")), ("editor", ("execution-editor",))):
            for role in roles:
                binding = ("create", "rolebinding", f"{user}-{role}", f"--clusterrole={role}", f"--user={user}")
                stack.control_plane.kubectl(*binding, "--namespace=team-a")

    def __call__(self, *words: str, kubeconfig: Path | None = None, **more: str) -> CompletedProcess[str]:
        result = execution(kubeconfig or self.alice, *words, **more)
        assert "Traceback" not in result.stderr
        return result

    def terminate(self, *words: str, kubeconfig: Path | None = None) -> CompletedProcess[str]:
        return self("terminate", *words, "-n", "team-a", "--reason", "runaway cost", kubeconfig=kubeconfig)

    def observed(self, name: str, kind: type = Agent, organization: str = "acme", **labels: str) -> str:
        """Start a workflow and its Execution, and wait until the operator has seen it."""
        self.stack.samples.begin(kind, name, organization=organization)
        self.create(name, **labels)
        wait_for(lambda: conditions_of(self.stack.get(name)), f"{name} to be observed")
        return name

    def create(self, *names: str, **labels: str) -> None:
        for name in names:
            manifest = {
                "apiVersion": API_VERSION,
                "kind": "Execution",
                "metadata": {"name": name, "namespace": "team-a", "labels": labels},
                "spec": {"executionId": name},
            }
            self.stack.control_plane.kube.apply(f"{GROUP}/namespaces/team-a/executions", manifest)


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(durable=True) as running:
        running.organization("acme", "team-a")
        yield running


@pytest.fixture(scope="module")
def prompt(stack: LocalStack) -> Prompt:
    return Prompt(stack)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name for the test's own workflow and Execution."""
    return f"{request.node.originalname.removeprefix('test_').replace('_', '-')[:40]}-{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="module")
def lean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lean")
    linked = link_dependencies(folder)
    assert linked >= {"aiohttp", "pyyaml", "rich"}
    assert not linked & {"kopf", "kubernetes", "temporalio", "pydantic", "prometheus-client", "fastapi", "uvicorn"}
    return folder


class TestTerminate:
    def test_one_and_wait(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name, Stubborn)
        result = prompt.terminate(name, "--wait=20s")
        event = prompt.stack.samples.last_event(name)
        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines() == [
            f"execution.control-plane.kubiya.ai/{name} requested",
            f"execution.control-plane.kubiya.ai/{name} Terminated at {event.event_time.ToJsonString()}",
        ]
        assert event.workflow_execution_terminated_event_attributes.reason == "runaway cost"

    def test_without_waiting(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name)
        result = prompt.terminate(f"execution/{name}")
        assert (result.returncode, result.stdout) == (0, f"execution.control-plane.kubiya.ai/{name} requested\n")
        prompt.stack.until(name, Terminated="True/Terminated")

    def test_again_is_as_good(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name)
        assert [prompt.terminate(name, "--wait").returncode for _ in range(2)] == [0, 0]

    def test_goes_on_past_failures(self, prompt: Prompt, name: str) -> None:
        names = [f"{name}-{of}" for of in ("fine", "done", "theirs", "missing", "fine-too")]
        for each, kind, organization in zip(
            names, (Agent, Done, Agent, None, Agent), ("acme", "acme", "hooli", "", "acme"), strict=True
        ):
            if kind:
                prompt.observed(each, kind, organization)
        prompt.stack.until(names[1], Finished="True/Completed")
        result = prompt.terminate(*names, "--wait")
        assert result.returncode == 1
        assert f"{names[0]} Terminated at" in result.stdout
        assert f"{names[4]} Terminated at" in result.stdout
        assert f"{names[1]} AlreadyClosed: the workflow closed as Completed" in result.stderr
        assert f"{names[2]} OrganizationMismatch" in result.stderr
        assert f"{names[3]} NotFound" in result.stderr
        assert result.stderr.splitlines()[-1].startswith("5 executions: 2 Terminated, 1 ")

    def test_by_label_and_past_those_that_are_closed(self, prompt: Prompt, name: str) -> None:
        for number in range(3):
            prompt.observed(f"{name}-{number}", Done if number == 2 else Agent, batch=name)
        prompt.stack.until(f"{name}-2", Finished="True/Completed")
        result = prompt.terminate("-l", f"batch={name}", "--wait")
        assert (result.returncode, result.stderr) == (0, "2 executions: 2 Terminated\n")
        again = prompt.terminate("-l", f"batch={name}")
        assert (again.returncode, again.stderr) == (0, "No open executions found (3 executions closed already).\n")

    def test_all_namespaces(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name, batch=name)
        admin = prompt.stack.control_plane.admin_kubeconfig
        words = ("terminate", "-l", f"batch={name}", "-A", "--reason=everywhere", "--wait")
        result = prompt(*words, kubeconfig=admin)
        assert (result.returncode, result.stdout.splitlines()[0]) == (0, f"team-a/{name} requested")
        assert prompt(*words, "-o", "name", kubeconfig=admin).stdout == ""
        denied = prompt(*words)
        assert (denied.returncode, "cannot list resource" in denied.stderr) == (1, True)

    def test_grace(self, prompt: Prompt, name: str) -> None:
        names = [prompt.observed(f"{name}-willing"), prompt.observed(f"{name}-stubborn", Stubborn)]
        result = prompt.terminate(*names, "--grace=2s", "--wait=20s")
        assert result.returncode == 0, result.stderr
        assert f"{names[0]} Cancelled at" in result.stdout
        assert f"{names[1]} Terminated at" in result.stdout

    def test_timed_out(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name, Stubborn)
        result = prompt.terminate(name, "--grace=1h", "--wait=1s")
        assert result.returncode == 3
        assert f"{name} timed out: GracePeriod: cancellation requested" in result.stderr

    @pytest.mark.parametrize("where", ["server", "client"])
    def test_dry_run(self, prompt: Prompt, name: str, where: str) -> None:
        prompt.observed(name)
        before = prompt.stack.get(name)
        result = prompt.terminate(name, f"--dry-run={where}")
        assert (result.returncode, "requested (dry run)" in result.stdout) == (0, True)
        denied = prompt.terminate(name, f"--dry-run={where}", kubeconfig=prompt.editor)
        assert denied.returncode == (1 if where == "server" else 0)
        assert prompt.stack.get(name) == before

    def test_without_the_permission(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name)
        result = prompt.terminate(name, kubeconfig=prompt.editor)
        assert result.returncode == 1
        assert 'this needs the verb "create" on "executions/terminate"' in result.stderr

    def test_output(self, prompt: Prompt, name: str) -> None:
        names = [prompt.observed(f"{name}-{number}") for number in range(2)]
        as_json = json.loads(prompt.terminate(names[0], "-o", "json", "--wait").stdout)
        assert as_json["status"]["termination"]["outcome"] == "Terminated"
        as_yaml = yaml.safe_load(prompt.terminate(*names, "-o", "yaml", "--wait").stdout)
        assert [item["metadata"]["name"] for item in as_yaml["items"]] == names
        as_name = prompt.terminate(*names, "-o", "name")
        assert as_name.stdout == "".join(f"execution.control-plane.kubiya.ai/{each}\n" for each in names)

    def test_one_shot(self, prompt: Prompt, name: str) -> None:
        identifier = f"Orders/{name}"
        prompt.stack.samples.begin(Agent, identifier)
        result = prompt.terminate("--execution-id", identifier, "--wait")
        assert result.returncode == 0, result.stderr
        assert prompt.stack.samples.status(identifier) == "TERMINATED"
        second = prompt.stack.samples.begin(Agent, identifier)
        assert prompt.terminate("--execution-id", identifier, "--wait").returncode == 0
        assert prompt.stack.samples.status(identifier, second.result_run_id) == "TERMINATED"

    def test_by_identifier_of_one_that_is_there(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name)
        result = prompt.terminate("--execution-id", name, "--wait", "-o", "name")
        assert result.stdout == f"execution.control-plane.kubiya.ai/{name}\n"
        assert prompt.stack.get(name)["status"]["phase"] == "cancelled"

    def test_flux_leaves_it_alone(self, prompt: Prompt, name: str) -> None:
        """It undoes what managers wrote whose names begin with `kubectl`."""
        prompt.observed(name)
        prompt.stack.samples.begin(Agent, f"{name}-new")
        prompt.terminate(name)
        prompt.terminate("--execution-id", f"{name}-new")
        for each in (name, f"{name}-new"):
            entries = prompt.stack.get(each)["metadata"]["managedFields"]
            managers = [entry["manager"] for entry in entries if "f:terminate" in entry["fieldsV1"].get("f:spec", {})]
            assert managers == ["execution-terminator"]

    def test_usage(self, prompt: Prompt) -> None:
        """All kinds of it are in the unit tests: here the code and the words come through kubectl."""
        result = prompt("terminate", "x")
        assert result.returncode == 2
        assert result.stderr.startswith("error: the following arguments are required: --reason\n")


class TestTerminal:
    def test_asks_before_more_than_one(self, prompt: Prompt, name: str) -> None:
        names = [prompt.observed(f"{name}-{number}", batch=name) for number in range(2)]
        words = ("terminate", "-n", "team-a", "-l", f"batch={name}", "--reason=x", "--wait")
        with Terminal(prompt.alice, *words) as terminal:
            terminal.until("Terminate 2 executions in team-a: ")
            terminal.type("n")
            assert terminal.end() == 1
        with Terminal(prompt.alice, *words) as terminal:
            terminal.until("[y/N]")
            terminal.interrupt()
            assert terminal.end() == 130
        assert "terminate" not in prompt.stack.get(names[0])["spec"]
        with Terminal(prompt.alice, *words) as terminal:
            terminal.until("[y/N]")
            terminal.type("y")
            assert terminal.end() == 0
        assert "2 executions: 2 Terminated" in terminal.screen

    def test_ctrl_c_says_what_was_requested_and_what_not(self, prompt: Prompt, name: str) -> None:
        names = [f"{name}-{number:03}" for number in range(200)]
        prompt.create(*names, batch=name)
        selection = ("-n", "team-a", "-l", f"batch={name}", "--yes", "--wait", "--concurrency=1")
        with Terminal(prompt.alice, "terminate", *selection, "--reason=x") as terminal:
            terminal.until("requested")
            terminal.interrupt()
            assert terminal.end() == 130
        output = terminal.screen[terminal.screen.index("interrupted; requests that were made stay in force:") :]
        query = ("get", "executions", "--namespace=team-a", f"--selector=batch={name}", "--output=json")
        items = json.loads(prompt.stack.control_plane.kubectl(*query).stdout)["items"]
        requested = sum("terminate" in item["spec"] for item in items)
        assert 0 < requested < 200
        assert f"  {requested:,} requested: " in output
        assert f"  {200 - requested:,} not requested: " in output

    def test_ctrl_c_twice_does_not_wait_and_tells_all_the_same(self, prompt: Prompt, name: str) -> None:
        names = [f"{name}-{number:03}" for number in range(200)]
        prompt.create(*names, batch=name)
        selection = ("-n", "team-a", "-l", f"batch={name}", "--yes", "--concurrency=2")
        server = prompt.stack.control_plane.apiserver
        assert server is not None
        with Terminal(prompt.alice, "terminate", *selection, "--reason=x") as terminal:
            terminal.until(" requested")
            server.signal(signal.SIGSTOP)
            try:
                time.sleep(0.5)  # what was answered before is counted, and the next ones are sent
                terminal.interrupt()
                terminal.until("Ctrl-C again leaves at once")
                terminal.interrupt()
                assert terminal.end(8) == 130
            finally:
                server.signal(signal.SIGCONT)
        assert " 2 sent without an answer, possibly requested: " in terminal.screen
        assert "interrupted; requests that were made stay in force:" in terminal.screen
        assert "Repeat the command to request the rest." in terminal.screen
        assert "Traceback" not in terminal.screen

    def test_watch(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name)
        with Terminal(prompt.alice, "watch", "-n", "team-a", name) as terminal:
            terminal.until("running")
            prompt.stack.terminate(name, "seen")
            terminal.until("cancelled")
            terminal.interrupt()
            assert terminal.end() == 0


class TestShow:
    def test_get_is_as_kubectl_has_it(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name, batch=name)
        for words in ((), ("-o", "wide")):
            ours = prompt("get", "-n", "team-a", "-l", f"batch={name}", *words).stdout
            query = ("get", "executions", "--namespace=team-a", f"--selector=batch={name}", *words)
            theirs = prompt.stack.control_plane.kubectl(*query).stdout
            assert [line.split()[:-1] for line in ours.splitlines()] == [
                line.split()[:-1] for line in theirs.splitlines()
            ]
        assert prompt("get", "-n", "team-a", name, "-o", "name").stdout == f"execution.control-plane.kubiya.ai/{name}\n"
        assert prompt("get", "-n", "team-a", "-l", "batch=none").stderr == "No resources found in team-a namespace.\n"

    def test_what_is_missing_hides_nothing(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name)
        for command in ("get", "describe"):
            result = prompt(command, "missing", name, "gone", "-n", "team-a")
            assert result.returncode == 1
            assert name in result.stdout
            assert [line.split()[2] for line in result.stderr.splitlines()] == ['"missing"', '"gone"']

    def test_describe_tells_it_in_order(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name, Parent)
        wait_for(lambda: prompt.stack.exists(f"{name}-child"), "the child")
        prompt.terminate(name, "--wait")
        wait_for(lambda: len(prompt.stack.events(name)) == 2, "the Events")
        organization = json.dumps({"spec": {"temporal": {"uiUrl": "https://ui.example/"}}})
        admin = prompt.stack.control_plane
        admin.kubectl("patch", "organization", "acme", "--type=merge", f"--patch={organization}")
        output = prompt("describe", name, "-n", "team-a", kubeconfig=admin.admin_kubeconfig).stdout
        run = prompt.stack.get(name)["status"]["runId"]
        assert f"https://ui.example/namespaces/shared/workflows/{name}/{run}/history" in output
        assert "1 left running" in output
        order = ["started in Temporal", "pinned for acme", "requested by alice: runaway cost", "workflow terminated"]
        positions = [output.index(words) for words in order]
        assert "ChildrenAbandoned" in output
        assert positions == sorted(positions)

    def test_watch_without_a_terminal(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name)
        command = [str(SCRIPTS / "kubectl-execution"), "watch", "-n", "team-a", name]
        with subprocess.Popen(command, env=environment(prompt.alice), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == f"team-a/{name}   running   -   -   -\n"
            prompt.stack.terminate(name, "seen")
            lines = iter(process.stdout.readline, "")
            assert any(f"team-a/{name}   cancelled   Terminated   seen   20" in line for line in lines)
            process.terminate()


class TestImport:
    def test_goes_on_where_it_was(self, prompt: Prompt, name: str) -> None:
        for number in range(3):
            prompt.stack.samples.begin(Agent, f"{name}/{number}")
        temporal: Any = {"TEMPORAL_ADDRESS": prompt.stack.temporal.address, "TEMPORAL_NAMESPACE": "shared"}
        words = ("import", "-n", "team-a", "--query", f"WorkflowId STARTS_WITH '{name}/'")
        wait_for(lambda: "3 executions would be created" in prompt(*words, "--dry-run", **temporal).stderr, "3 of them")
        first = prompt(*words, "--limit=2", **temporal)
        assert (
            first.stderr
            == "2 executions created in team-a, 0 existed before, 0 failed; there are more: raise --limit (now 2)\n"
        )
        second = prompt(*words, "--limit=2", **temporal)
        assert second.stderr == "1 execution created in team-a, 2 existed before, 0 failed\n"
        (created,) = second.stdout.split()[:1]
        prompt.stack.until(created.partition("/")[2], Finished="False/Open")

    def test_passes_over_others_workflows(self, prompt: Prompt, name: str) -> None:
        prompt.stack.samples.begin(Agent, f"{name}-ours")
        prompt.stack.samples.begin(Agent, f"{name}-theirs", organization="hooli")
        temporal: Any = {"TEMPORAL_ADDRESS": prompt.stack.temporal.address, "TEMPORAL_NAMESPACE": "shared"}
        admin = prompt.stack.control_plane.admin_kubeconfig
        words = ("import", "-n", "team-a", "--query", f"WorkflowId STARTS_WITH '{name}-'", "--dry-run")
        wait_for(lambda: prompt(*words, **temporal).stderr.startswith("2 "), "both, for one who sees no Organizations")
        result = prompt(*words, kubeconfig=admin, **temporal)
        assert result.stdout == f"execution.control-plane.kubiya.ai/{name}-ours created (dry run)\n"

    def test_says_what_is_wrong(self, prompt: Prompt) -> None:
        temporal: Any = {"TEMPORAL_ADDRESS": prompt.stack.temporal.address, "TEMPORAL_NAMESPACE": "shared"}
        nowhere = prompt("import", "-n", "nowhere", kubeconfig=prompt.stack.control_plane.admin_kubeconfig, **temporal)
        assert (nowhere.returncode, nowhere.stderr) == (1, 'error: namespaces "nowhere" not found\n')
        away = prompt("import", "-n", "team-a", TEMPORAL_ADDRESS="127.0.0.1:1")
        assert (away.returncode, away.stderr.startswith("error: Temporal: ")) == (1, True)


class TestConnection:
    def test_no_kubeconfig(self, prompt: Prompt, tmp_path: Path) -> None:
        result = prompt("get", kubeconfig=tmp_path / "none")
        assert (result.returncode, "no kubeconfig" in result.stderr) == (1, True)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("clusters: 5", "is not a kubeconfig"),
            ("[1]", "is not a kubeconfig"),
            ("{clusters: [{}]}", "is not a kubeconfig"),
            ("{", "can't be read"),
            ("{}", "has no current context"),
            ("{current-context: a, contexts: [{name: a, context: {cluster: c}}]}", "does not have"),
            (CONNECTED % "server: here", "is not a URL: here"),
            (CONNECTED % "server: 'https://127.0.0.1:1', certificate-authority-data: '#'", "is not base64"),
            (CONNECTED % "server: 'https://127.0.0.1:1', certificate-authority-data: eA==", "can't be used"),
            (CONNECTED % "server: 'https://127.0.0.1:1', certificate-authority: none", "can't be used"),
        ],
    )
    def test_a_kubeconfig_that_is_wrong(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
    ) -> None:
        (tmp_path / "config").write_text(content)
        assert run(["get", "--kubeconfig", str(tmp_path / "config")]) == 1
        error = capsys.readouterr().err
        assert (error[:7], error.count("\n"), message in error) == ("error: ", 1, True), error

    def test_no_answer(self, prompt: Prompt, tmp_path: Path) -> None:
        config = yaml.safe_load(prompt.alice.read_text())
        config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
        (tmp_path / "config").write_text(yaml.dump(config))
        result = prompt("get", kubeconfig=tmp_path / "config")
        assert result.returncode == 1
        assert result.stderr.startswith("error: no answer from https://127.0.0.1:1: ")

    def test_context_and_credential_command(self, prompt: Prompt, name: str, tmp_path: Path) -> None:
        """Two files, merged; a context of the second, whose user is made by a command; its namespace."""
        prompt.observed(name)
        prompt.stack.control_plane.kubectl("create", "serviceaccount", name, "--namespace=team-a")
        user = f"--user=system:serviceaccount:team-a:{name}"
        prompt.stack.control_plane.kubectl(
            "create", "rolebinding", name, "--clusterrole=execution-viewer", user, "-n", "team-a"
        )
        token = prompt.stack.control_plane.kubectl("create", "token", name, "--namespace=team-a").stdout.strip()
        credential = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {"token": token},
        }
        (tmp_path / "credential.json").write_text(json.dumps(credential))
        command = {
            "apiVersion": credential["apiVersion"],
            "command": "cat",
            "args": [str(tmp_path / "credential.json")],
        }
        cluster = yaml.safe_load(prompt.alice.read_text())["clusters"][0]["name"]
        second = {
            "users": [{"name": "made", "user": {"exec": {**command, "interactiveMode": "Never"}}}],
            "contexts": [{"name": "other", "context": {"cluster": cluster, "user": "made", "namespace": "team-a"}}],
        }
        (tmp_path / "second").write_text(yaml.dump(second))
        result = prompt("get", name, "--context=other", KUBECONFIG=f"{prompt.alice}:{tmp_path / 'second'}")
        assert result.stdout.splitlines()[1].split()[:2] == [name, "running"]
        unknown = prompt("get", "--context=none")
        assert unknown.stderr == "error: the kubeconfig has no context 'none'\n"

    def test_impersonation(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name)
        admin = prompt.stack.control_plane.admin_kubeconfig
        result = prompt.terminate(name, "--as=alice", "--wait", kubeconfig=admin)
        assert result.returncode == 0
        assert prompt.stack.get(name)["status"]["termination"]["requestedBy"] == "alice"


class TestHelp:
    def test_shows_examples(self) -> None:
        command = [str(SCRIPTS / "kubectl-execution"), "--help"]
        assert "examples:" in subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def test_imports_little(self) -> None:
        program = (
            "import sys; from execution_operator.plugin.cli import run\n"
            "try: run(['--help'])\n"
            "except SystemExit: pass\n"
            "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
        )
        command = [str(SCRIPTS / "python"), "-c", program]
        loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stderr.split())
        assert not loaded & {"asyncio", "aiohttp", "rich", "yaml", "pydantic", "kubernetes", "kopf", "temporalio"}

    def test_completion(self, prompt: Prompt, name: str) -> None:
        prompt.observed(name)
        for words, expected in (
            (("term",), ["terminate"]),
            (("terminate", "--rea"), ["--reason"]),
            (("terminate", "-n", "team-a", name[:-2]), [name]),
        ):
            result = subprocess.run(
                [SCRIPTS / "kubectl_complete-execution", *words],
                env=environment(prompt.alice),
                capture_output=True,
                text=True,
                check=True,
            )
            assert result.stdout.splitlines() == [*expected, ":4"]
        line = ("__complete", "execution", "terminate", "-n", "team-a", name[:-2])
        by_kubectl = subprocess.run(
            [SCRIPTS / "kubectl", *line], env=environment(prompt.alice), capture_output=True, text=True, check=True
        )
        assert by_kubectl.stdout.splitlines()[:1] == [name]
        for shell in ("bash", "zsh", "fish"):
            assert "kubectl_complete-execution" in prompt("completion", shell).stdout


class TestLean:
    """The plugin where nothing is installed but what the distribution asks for without its extras."""

    def test_every_command_that_needs_no_temporal(self, prompt: Prompt, name: str, lean: Path) -> None:
        prompt.observed(name)
        words = ("terminate", name, "-n", "team-a", "--reason=lean", "--wait", "-o", "yaml")
        for line in (words, ("get", name, "-n", "team-a"), ("describe", name, "-n", "team-a"), ("--help",)):
            result = run_lean(lean, "execution_operator.plugin.cli", *line, kubeconfig=prompt.alice)
            assert (result.returncode, result.stderr) == (0, "")
        assert prompt.stack.get(name)["status"]["termination"]["reason"] == "lean"
        doctor = run_lean(lean, "execution_operator.plugin.cli", "doctor", "-n", "team-a", kubeconfig=prompt.alice)
        assert (doctor.returncode, doctor.stderr) == (0, "")

    def test_import_says_what_it_needs(self, prompt: Prompt, lean: Path) -> None:
        result = run_lean(lean, "execution_operator.plugin.cli", "import", "-n", "team-a", kubeconfig=prompt.alice)
        output = "error: import needs temporalio: pip install 'execution-operator[import]'\n"
        assert (result.returncode, result.stderr) == (1, output)

    def test_the_operator_says_what_it_needs(self, lean: Path) -> None:
        for command, extra in (("run", "operator"), ("gateway", "gateway")):
            result = run_lean(lean, "execution_operator.__main__", command)
            output = "not installed: kopf, kubernetes, prometheus_client, pydantic, temporalio "
            assert (result.returncode, result.stderr) == (
                1,
                f"{output}(pip install 'execution-operator[{extra}]')\n",
            )


class TestDoctor:
    """Each test makes one misconfiguration, checks that the doctor finds it, and repairs it."""

    @pytest.fixture
    def removed(self, prompt: Prompt) -> Iterator[Callable[..., Any]]:
        """Give what removes an object; it is put back in the end."""
        kubectl, lost = prompt.stack.control_plane.kubectl, list[Any]()

        def remove(*which: str) -> Any:
            found = json.loads(kubectl("get", *which, "--output=json").stdout)
            kubectl("delete", *which)
            lost.append(found)
            for name in ("uid", "resourceVersion", "creationTimestamp"):
                del found["metadata"][name]
            return found

        yield remove
        for item in lost:
            kubectl("create", "--filename=-", input=json.dumps(item))

    def doctor(self, prompt: Prompt, namespace: str = "team-a", kubeconfig: Path | None = None) -> tuple[int, str]:
        admin = prompt.stack.control_plane.admin_kubeconfig
        result = prompt("doctor", "-n", namespace, kubeconfig=kubeconfig or admin)
        assert result.stderr == ""
        return result.returncode, result.stdout

    def only_problem(self, prompt: Prompt, namespace: str = "team-a", kubeconfig: Path | None = None) -> str:
        """Return the only problem, and how to fix it."""
        code, output = self.doctor(prompt, namespace, kubeconfig)
        assert (code, output.count("✗")) == (1, 1), output
        return output[output.index("✗") :]

    def test_nothing_to_fix(self, prompt: Prompt) -> None:
        code, output = self.doctor(prompt)
        assert (code, output.splitlines()[-1], output.count("?")) == (0, "nothing to fix", 0), output

    def test_nothing_to_fix_in_what_alice_may_read(self, prompt: Prompt) -> None:
        code, output = self.doctor(prompt, kubeconfig=prompt.alice)
        unseen = output.count("? ")
        last = f"nothing to fix; {unseen} could not be checked"
        assert (code, output.splitlines()[-1], unseen > 0) == (0, last, True), output

    def test_no_such_namespace(self, prompt: Prompt) -> None:
        _, output = self.doctor(prompt, "nowhere")
        assert "✗ namespace nowhere does not exist" in output

    def test_an_operator_of_another_version_in_another_place(self, prompt: Prompt, removed: Callable[..., Any]) -> None:
        kubectl = prompt.stack.control_plane.kubectl
        ours = removed("deployment", "execution-operator", "--namespace=execution-operator")
        pod = {**ours["spec"]["template"]["spec"], "serviceAccountName": "termination"}
        pod["containers"] = [{**pod["containers"][0], "image": "registry.example/operator:0.0.9"}]
        template = {**ours["spec"]["template"], "spec": pod}
        metadata = {"name": "termination", "labels": ours["metadata"]["labels"]}
        theirs = {**ours, "metadata": metadata, "spec": {**ours["spec"], "template": template}}
        prompt.stack.namespace("operations")
        kubectl("create", "--namespace=operations", "--filename=-", input=json.dumps(theirs))
        try:
            assert "the operator's account may not watch Executions" in self.only_problem(prompt)
            role = ("--clusterrole=cluster-admin", "--serviceaccount=operations:termination")
            kubectl("create", "clusterrolebinding", "termination", *role)
            code, output = self.doctor(prompt)
            assert (code, "! the operator operations/termination is 0.0.9, this plugin" in output) == (
                0,
                True,
            ), output
        finally:
            kubectl("delete", "clusterrolebinding", "termination", "--ignore-not-found")
            kubectl("delete", "deployment", "termination", "--namespace=operations")

    def test_namespace_not_mapped(self, prompt: Prompt) -> None:
        prompt.stack.namespace("nobodys")
        assert "add nobodys to spec.namespaces" in self.only_problem(prompt, "nobodys")

    def test_namespace_of_two(self, prompt: Prompt) -> None:
        prompt.stack.organization("hooli", "team-a")
        try:
            assert "namespace team-a is listed by acme, hooli" in self.only_problem(prompt)
        finally:
            prompt.stack.control_plane.kubectl("delete", "organization", "hooli")

    @pytest.mark.parametrize(
        ("temporal", "words"),
        [
            ({"namespace": "there-is-none"}, "TemporalNamespaceNotFound"),
            ({"namespace": "shared", "address": "127.0.0.1:1"}, "TemporalUnavailable"),
            ({"namespace": "shared", "apiKeySecretName": "lost"}, "Secret lost does not exist"),
        ],
    )
    def test_temporal(self, prompt: Prompt, temporal: dict[str, str], words: str) -> None:
        spec = {"namespaces": ["lonely"], "temporal": temporal, "ownership": {"searchAttribute": "OrganizationId"}}
        prompt.stack.namespace("lonely")
        prompt.stack.apply("Organization", "lonely", spec)
        try:
            wait_for(lambda: words in self.doctor(prompt, "lonely")[1], "the operator to have looked")
            assert "Organization lonely is not ready" in self.only_problem(prompt, "lonely")
        finally:
            prompt.stack.control_plane.kubectl("delete", "organization", "lonely")

    def test_no_permission(self, prompt: Prompt) -> None:
        assert "you may not terminate in team-a" in self.only_problem(prompt, kubeconfig=prompt.editor)

    @pytest.mark.parametrize(
        ("kind", "name", "words"),
        [
            (
                "validatingadmissionpolicybinding",
                "execution-terminate-permission",
                "every user who may edit an Execution may terminate it",
            ),
            ("mutatingadmissionpolicy", "execution-terminate-requester", "the requester is not recorded"),
            ("clusterrolebinding", "execution-operator", "the operator's account may not"),
        ],
    )
    def test_not_installed(self, prompt: Prompt, removed: Callable[..., Any], kind: str, name: str, words: str) -> None:
        removed(kind, name)
        assert words in self.only_problem(prompt)

    def test_an_old_crd(self, prompt: Prompt) -> None:
        patch = '[{"op": "remove", "path": "/spec/versions/0/selectableFields"}]'
        kubectl, crd = prompt.stack.control_plane.kubectl, "crd/executions.control-plane.kubiya.ai"
        fields = kubectl("get", crd, "--output=jsonpath={.spec.versions[0].selectableFields}").stdout
        kubectl("patch", crd, "--type=json", f"--patch={patch}")
        try:
            assert "lacks the selectable fields .spec.executionId" in self.only_problem(prompt)
        finally:
            back = f'[{{"op": "add", "path": "/spec/versions/0/selectableFields", "value": {fields}}}]'
            kubectl("patch", crd, "--type=json", f"--patch={back}")

    def test_no_operator(self, prompt: Prompt, name: str) -> None:
        prompt.stack.operator.kill()
        try:
            prompt.create(name)
            wait_for(lambda: "has not observed 1 execution" in self.doctor(prompt)[1], "the doctor to find it")
            assert f"({name})" in self.only_problem(prompt)
        finally:
            prompt.stack.operator.start()

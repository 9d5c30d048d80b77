"""`make demo [KEEP=1]`."""

import argparse
import signal
import sys
from pathlib import Path

from tests.demo.scenario import RESOURCES, Scenario
from tests.demo.screen import Screen
from tests.support.stack import LocalStack

START = (
    "temporal workflow start --type Agent --task-queue samples --workflow-id mine "
    "--search-attribute 'OrganizationId=\"acme\"'"
)
CREATE = (
    """kubectl create -n team-a -f - <<< '{"apiVersion":"control-plane.kubiya.ai/v1alpha1","kind":"Execution","""
    """"metadata":{"name":"mine"},"spec":{"executionId":"mine"}}'"""
)


def main() -> int:
    """Run the demo. Return 0 only if each check passed."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--keep", action="store_true", help="keep the servers running afterwards, and print commands to try"
    )
    keep = parser.parse_args().keep
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    screen = Screen()
    screen.title("starting etcd, kube-apiserver and Temporal; installing deploy/kustomize; starting the operator")
    with LocalStack(ui=keep) as stack:
        _introduce(stack, screen)
        scenario = Scenario(stack, screen)
        scenario.prepare()
        scenario.main_job()
        scenario.refusals()
        scenario.speed()
        scenario.result()
        code = screen.verdict()
        if keep:
            _stay(stack, screen)
    return code


def _introduce(stack: LocalStack, screen: Screen) -> None:
    account = "system:serviceaccount:execution-operator:execution-operator"
    screen.say(f"API server {stack.control_plane.url}, Temporal {stack.temporal.address}")
    screen.say(f"the operator runs as {account}, with RBAC on; its permissions beyond those of every account:")
    rights = stack.control_plane.kubectl("auth", "can-i", "--list", f"--as={account}", "--namespace=team-a").stdout
    for row in rights.splitlines():
        if "kubiya" in row or row.startswith("events"):
            screen.say(f"  {' '.join(row.split())}")


def _stay(stack: LocalStack, screen: Screen) -> None:
    screen.title("the servers run until Ctrl-C; commands for another terminal:")
    for line in (
        f"export PATH={Path(sys.executable).parent}:$PATH KUBECONFIG={stack.control_plane.admin_kubeconfig}",
        f"export TEMPORAL_ADDRESS={stack.temporal.address} TEMPORAL_NAMESPACE=shared",
        f"# Temporal's UI: {stack.temporal.ui_url}/namespaces/shared/workflows",
        f"# the resources: {RESOURCES}",
        f"# the operator's log: tail -f {stack.operator.log}",
        "kubectl get executions -A",
        START,
        CREATE,
        """kubectl patch execution mine -n team-a --type=merge -p '{"spec":{"terminate":{"reason":"just trying"}}}'""",
        "kubectl describe execution mine -n team-a",
    ):
        screen.say(line)
    try:
        signal.pause()
    except KeyboardInterrupt:
        screen.say("stopping")


if __name__ == "__main__":
    sys.exit(main())

"""The operator's pods in the cluster, read from their Deployment and Lease."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from execution_operator.manifests.workload import CONTAINER
from tests.e2e.kind import KindCluster
from tests.support.kube import Json, KubeError, List
from tests.support.packages import Chart

ERROR = '"level": "ERROR"'


class Operators:
    """Reads the state of the operator's pods, and waits for it.

    Args:
        cluster: Where they run.
        chart: The release that they belong to.
    """

    def __init__(self, cluster: KindCluster, chart: Chart) -> None:
        self._cluster = cluster
        self.name, self.namespace = chart.name, chart.namespace
        labels = chart.deployment(cluster)["spec"]["selector"]["matchLabels"]
        self.selector = ",".join(f"{key}={value}" for key, value in labels.items())

    def pods(self) -> List:
        """Return the pods that are not being deleted."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        found: List = self._cluster.kube.call("GET", path, labelSelector=self.selector)["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready(self) -> List:
        """Return the ready pods."""
        return [pod for pod in self.pods() if _ready_since(pod)]

    def leader(self) -> str:
        """Return the pod that holds the Lease. Empty if none does."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/{self.name}"
        holder: str = self._cluster.kube.call("GET", path)["spec"].get("holderIdentity") or ""
        return holder.partition("_")[0]

    def rolled_out(self) -> None:
        """Wait until the Deployment is as its spec says."""
        self._cluster.rolled_out(self.namespace, self.name)

    def images(self) -> set[str]:
        """Return the images of the pods."""
        return {_container(pod)["image"].rpartition("/")[2] for pod in self.pods()}

    def restarts(self) -> int:
        """Count the restarts of the pods' containers."""
        return sum(_container(pod)["restartCount"] for pod in self.pods())

    def errors(self) -> list[str]:
        """Return the errors in the pods' logs."""
        options = (f"--selector={self.selector}", f"--namespace={self.namespace}", "--tail=-1")
        return [line for line in self._cluster.kubectl("logs", *options).stdout.splitlines() if ERROR in line]

    def seconds_to_ready(self) -> list[float]:
        """Return for each pod the whole seconds from its start by the kubelet until it was ready."""
        starts = [(_time(pod["status"]["startTime"]), _time(_ready_since(pod))) for pod in self.ready()]
        return [(ready - start).total_seconds() for start, ready in starts]

    @contextmanager
    def counted(self) -> Iterator[list[int]]:
        """Count the ready pods repeatedly during the block."""
        counts: list[int] = []
        done = threading.Event()

        def count() -> None:
            while not done.is_set():
                try:
                    counts.append(len(self.ready()))
                except (KubeError, OSError):
                    continue
                finally:
                    time.sleep(0.2)

        thread = threading.Thread(target=count, daemon=True)
        thread.start()
        try:
            yield counts
        finally:
            done.set()
            thread.join()


def _container(pod: Json) -> Json:
    statuses: List = pod["status"].get("containerStatuses", [])
    return next((of for of in statuses if of["name"] == CONTAINER), {"image": "", "restartCount": 0})


def _ready_since(pod: Json) -> str:
    """Return the time since which the pod is ready. Empty if it is not ready."""
    conditions = pod["status"].get("conditions", [])
    return next((of["lastTransitionTime"] for of in conditions if (of["type"], of["status"]) == ("Ready", "True")), "")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)

"""A kind cluster with Temporal and the chart in it, as users would set them up."""

from dataclasses import dataclass
from typing import Self

from tests.demo.screen import Screen
from tests.e2e.forward import Forward
from tests.e2e.kind import KindCluster
from tests.e2e.operators import Operators
from tests.support.image import CHECKOUT, TAG, build, docker, facts
from tests.support.installed import wait_until_enforced
from tests.support.packages import Chart
from tests.support.server import Server
from tests.support.stack import Stack
from tests.support.workflows import Samples

TEMPORAL = "temporal-dev:local"
NEXT = "next"
"""The tag of the release that follows."""

KIND = CHECKOUT / "deploy" / "kind"
VALUES = ("temporal.address=temporal.temporal.svc:7233", "gateway.enabled=true")


@dataclass(frozen=True)
class Images:
    """The images that the cluster runs."""

    operator: str
    temporal: str
    upgrade: str

    @classmethod
    def built(cls) -> Self:
        """Build them, or find them built already.

        Raises:
            NoEngineError: There is no Docker engine, or no base image.
        """
        temporal = build(TEMPORAL, "deploy/kind/Dockerfile", ("tests/requirements.txt",))
        operator = build(TAG)
        upgrade = f"{operator.partition(':')[0]}:{NEXT}"
        docker("build", "--quiet", f"--tag={upgrade}", "-", context=f"FROM {operator}\nLABEL release={NEXT}\n".encode())
        return cls(operator, temporal, upgrade)


class KindStack(Stack):
    """The cluster, Temporal at `temporal.temporal.svc`, the chart's release, and a worker on this machine."""

    control_plane: KindCluster

    def __init__(self, kind: str, images: Images, screen: Screen) -> None:
        self.control_plane = KindCluster(kind)
        self.chart = Chart("termination", "operations", VALUES)
        self._images, self._screen = images, screen
        self._parts: list[Server] = []

    def start(self) -> None:
        """Create the cluster, and install Temporal and the chart. Return once the operator is ready."""
        self._screen.title("creating a kind cluster, loading the images")
        self.control_plane.start()
        self.control_plane.load(self._images.operator, self._images.upgrade, self._images.temporal)
        version = self.control_plane.kube.call("GET", "/version")["gitVersion"]
        nodes = self.control_plane.kube.call("GET", "/api/v1/nodes")["items"]
        self._screen.say(f"Kubernetes {version}, {len(nodes)} node(s)")
        self._screen.title("installing Temporal's dev server and the chart, in namespaces with restricted Pod Security")
        self.control_plane.kubectl("apply", "--validate=strict", "-f", KIND / "temporal.yaml")
        self.chart.install(self.control_plane)
        self.control_plane.rolled_out("temporal", "temporal")
        wait_until_enforced(self.control_plane)
        for deployment in (self.chart.name, f"{self.chart.name}-gateway"):
            self.control_plane.rolled_out(self.chart.namespace, deployment)
        self.operators = Operators(self.control_plane, self.chart)
        self.samples = self.worker("shared")
        self._tell()

    def stop(self) -> None:
        """Delete the cluster."""
        while self._parts:
            self._parts.pop().stop()
        self.control_plane.stop()

    def worker(self, namespace: str) -> Samples:
        """Return a worker in a Temporal namespace, which ends with the site."""
        forward = Forward(self.control_plane, "temporal", "temporal", 7233)
        self._parts.append(forward)
        forward.start()
        samples = Samples(forward.address, namespace)
        samples.start()
        self._parts.append(samples)
        return samples

    def _tell(self) -> None:
        """Print the image's size, the pods' start times and the leader."""
        seconds = ", ".join(f"{taken:.0f} s" for taken in self.operators.seconds_to_ready())
        self._screen.say(f"the operator's image: {facts(self._images.operator)}")
        self._screen.say(f"its pods, from their start to ready: {seconds}; {self.operators.leader()} leads")

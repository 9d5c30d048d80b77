"""One REST call through the gateway's Service, from a pod."""

import json

from tests.demo.screen import Screen
from tests.e2e.kind_stack import KindStack
from tests.support.gateway import Account
from tests.support.workflows import Agent

CALL = """
import sys, urllib.request
url, reason = sys.argv[1:]
headers = {"Authorization": "Bearer " + sys.stdin.read().strip(), "Content-Type": "application/json"}
request = urllib.request.Request(url, reason.encode(), headers)
print(urllib.request.urlopen(request, timeout=60).read().decode())
"""


def call(stack: KindStack, screen: Screen) -> None:
    """Terminate a workflow as a ServiceAccount, and compare the response with Temporal."""
    screen.title("the REST call, from a pod, through the gateway's Service")
    caller = Account(stack.control_plane, "team-a", "caller").bind("team-a", "execution-editor", "execution-terminator")
    stack.samples.begin(Agent, "rest")
    stack.apply("Execution", "rest", {"executionId": "rest"}, "team-a")
    stack.until("rest", Finished="False/Open")
    url = f"http://{stack.chart.name}-gateway.{stack.chart.namespace}.svc/api/v1/executions/rest/terminate"
    command = ("exec", "-i", "--namespace=temporal", "deployment/temporal", "--", "python3", "-c", CALL, url)
    answer = stack.control_plane.kubectl(*command, '{"reason": "by REST"}', input=caller.token).stdout
    screen.command(f"POST {url}", answer)
    event = stack.samples.last_event("rest")
    expected = {"success": True, "workflow_id": "rest", "terminated_at": event.event_time.ToJsonString()}
    screen.promise("the response agrees with Temporal's history", kept=json.loads(answer) == expected, found=answer)
    details = event.workflow_execution_terminated_event_attributes.details.payloads[0].data.decode()
    by = json.loads(details).get("requestedBy")
    screen.promise("the history names the caller", kept=by == "system:serviceaccount:team-a:caller", found=by)

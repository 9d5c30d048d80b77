"""The watch of Organizations."""

from execution_operator.api import Organization
from execution_operator.kube.client import Api, collection
from execution_operator.kube.parse import parse
from execution_operator.kube.watch import Change, Selection, Watch
from execution_operator.organizations.controller import OrganizationController


def organization_watch(api: Api, controller: OrganizationController) -> Watch:
    """Return the watch that keeps the controller up to date. It does not run yet."""

    def changed(change: Change) -> None:
        organization = None if change.deleted else parse(Organization, change.object)
        if organization is None:  # an Organization that does not fit its schema grants nothing
            controller.drop(change.object["metadata"]["name"])
        else:
            controller.put(organization)

    return Watch(api, Selection(collection("organizations")), changed, controller.listed)

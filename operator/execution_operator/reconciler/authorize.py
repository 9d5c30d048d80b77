"""Stage 1, authorize: may this Execution be acted on, and for which Organization? No I/O."""

from execution_operator.api import Execution
from execution_operator.core.authorization import authorize as checks
from execution_operator.core.authorization.authorize import Denied, Failing, Grant, Undecided
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.workflow.finalizer import explain_waiting_deletion
from execution_operator.core.workflow.findings import Recorded
from execution_operator.core.workflow.state import is_closed


def authorize(execution: Execution, mapping: Mapping) -> Grant | Recorded | Denied | Failing | Undecided:
    """Decide whether the Execution may be acted on.

    Returns:
        A Grant; or Recorded where the status already shows how the workflow closed, so that nothing is left to decide;
        or the reason why there is no grant. The message of a denial also says that a deletion waits for it.
    """
    if is_closed(execution.status):
        return Recorded()
    decision = checks.authorize(execution, mapping)
    return decision if isinstance(decision, Grant) else explain_waiting_deletion(execution, decision)

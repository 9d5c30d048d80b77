"""The queue of Executions to reconcile, its workers, and the limits of how many run at once."""

"""The queue of Executions to reconcile, and how many are reconciled at once."""

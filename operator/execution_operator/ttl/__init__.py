"""Deletes finished Executions when their ttlSecondsAfterFinished has passed."""

"""The workflow behind an Execution: runs, what was found, what is requested, grace period, finalizer."""

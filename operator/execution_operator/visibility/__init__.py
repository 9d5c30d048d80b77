"""What changed in Temporal without the operator: closed and paused runs, found through visibility."""

"""Temporal, seen through the ports: the only user of temporalio."""

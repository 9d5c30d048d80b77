"""Helpers of the fault tests: servers behind fault proxies, load on them, and checks against Temporal's history."""

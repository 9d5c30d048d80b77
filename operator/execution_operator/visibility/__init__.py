"""Polls Temporal's visibility for runs that closed, were paused or were unpaused without the operator."""

"""Metrics, the parts of a request's duration, health checks, and the HTTP server that serves them."""

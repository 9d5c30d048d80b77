"""The controller of Organizations: probes of their Temporal, readiness, status."""

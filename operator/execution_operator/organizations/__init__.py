"""The controller of Organizations: it probes their Temporal namespaces and writes their statuses."""

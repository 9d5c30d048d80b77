"""The REST call. It changes Executions with the caller's own token only."""

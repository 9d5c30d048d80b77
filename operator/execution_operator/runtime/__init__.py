"""Rate limiter, backoff and periodic task. Nothing here knows of Executions."""

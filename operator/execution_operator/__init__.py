"""execution-operator: ends the Temporal workflow behind a Kubernetes `Execution`, exactly and provably."""

__version__ = "0.1.0"

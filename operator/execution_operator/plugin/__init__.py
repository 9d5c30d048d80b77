"""`kubectl execution`, a kubectl plugin. It needs an API server only, and imports nothing of the operator."""

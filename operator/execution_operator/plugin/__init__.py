"""`kubectl execution`, a kubectl plugin. It needs an API server, and no part of the operator."""

"""`kubectl execution`: the act at the prompt. Needs an API server and no part of the operator."""

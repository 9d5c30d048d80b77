"""The Kubernetes API behind the operator's ports. No other package imports the kubernetes package."""

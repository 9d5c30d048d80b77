"""The Kubernetes API, seen through the ports: the only user of the kubernetes package."""

"""Adapters of the ports to Temporal. This is the only package that imports temporalio."""

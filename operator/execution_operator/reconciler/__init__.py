"""The act on one Execution in six stages: authorize, resolve, pin, terminate, observe, record."""

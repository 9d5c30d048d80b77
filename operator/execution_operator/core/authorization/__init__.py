"""Who may act on an Execution: namespace to Organization, the checks in their order, proof of ownership."""

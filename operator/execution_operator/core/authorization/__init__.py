"""Authorization of an Execution: the map from namespaces to Organizations, the checks, and the proof of ownership."""

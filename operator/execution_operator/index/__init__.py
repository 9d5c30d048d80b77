"""In-memory indexes, without I/O: open runs, newest resource versions, counts by phase."""

"""In-memory indexes without I/O: open runs, newest resourceVersions, counts by phase."""

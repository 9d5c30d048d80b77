"""What the operator survives: crashes, cuts and restarts at every step of the act, on real servers."""

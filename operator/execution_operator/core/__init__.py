"""The pure core: decisions as data, without I/O, clock or SDK."""

"""The benchmark. It is run by hand and is not part of the tests."""

"""What is measured: run by hand, never part of the tests."""

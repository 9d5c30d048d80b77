"""Mutants: the product without one tenancy check. The test of that check must fail."""

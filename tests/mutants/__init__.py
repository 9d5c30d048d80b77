"""The product with one check of tenancy taken out: the test that is there for it must fail."""

"""The REST contract over the same resources. The caller's own token does all that changes anything."""

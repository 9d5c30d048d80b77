"""What is written about an Execution or an Organization: conditions, status, Events."""

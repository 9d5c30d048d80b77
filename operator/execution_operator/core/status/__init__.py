"""The status of Executions and Organizations: phases, conditions, the record of a request, and Events."""

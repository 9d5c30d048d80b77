"""The errors of Temporal and of the API server."""

from execution_operator.core.errors import Conflict, ObjectNotFound, RecordError, TemporalError


def test_a_temporal_error_tells_a_refusal_from_no_answer() -> None:
    assert (TemporalError("down").refused, TemporalError("no", refused=True).refused) == (False, True)
    assert str(TemporalError("down")) == TemporalError("down").message == "down"


def test_conflict_and_object_not_found_are_record_errors() -> None:
    assert issubclass(Conflict, RecordError)
    assert issubclass(ObjectNotFound, RecordError)

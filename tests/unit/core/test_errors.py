"""What can go wrong outside."""

from execution_operator.core.errors import Conflict, ObjectNotFound, RecordError, TemporalError


def test_an_answer_that_says_no_is_told_from_none_at_all() -> None:
    assert (TemporalError("down").refused, TemporalError("no", refused=True).refused) == (False, True)
    assert str(TemporalError("down")) == TemporalError("down").message == "down"


def test_whoever_catches_what_the_api_server_does_catches_all_of_it() -> None:
    assert issubclass(Conflict, RecordError)
    assert issubclass(ObjectNotFound, RecordError)

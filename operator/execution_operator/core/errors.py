"""The errors of Temporal and of the API server, as the parts of the program without I/O know them.

Exception
├── TemporalError       a call to Temporal failed
├── RecordError         the API server did not return or accept an object
│   ├── Conflict        the object has changed since it was read
│   ├── ObjectNotFound  the object does not exist any more
│   └── Unreadable      the object does not fit its schema
└── SecretError         a Secret is missing or malformed
"""


class TemporalError(Exception):
    """A call to Temporal failed. Another attempt may succeed.

    Attributes:
        message: What happened, for people; free of credentials and payloads.
        refused: True if Temporal answered and refused the call; False if there was no answer.
    """

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.refused = refused


class RecordError(Exception):
    """The API server did not return or accept an object."""


class Conflict(RecordError):  # noqa: N818 - an expected answer, not a failure
    """The object has changed since it was read. Read it again and reconcile anew."""


class ObjectNotFound(RecordError):  # noqa: N818 - an expected answer, not a failure
    """The object does not exist any more, or another one has its name now."""


class Unreadable(RecordError):  # noqa: N818 - the API server did return the object
    """The object does not fit its schema. No retry helps until somebody repairs it. The message names the fields."""


class SecretError(Exception):
    """A Secret is missing or malformed. The message names it and says what is wrong. It never quotes a value."""

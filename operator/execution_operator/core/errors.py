"""What can go wrong outside, as the pure part of the program knows it.

Exception
├── TemporalError      a call to Temporal settled nothing
├── RecordError        the API server did not give or take an object
│   ├── Superseded     the object has changed since it was read
│   ├── Gone           the object is no longer there
│   └── Unreadable     the object does not fit its schema
└── SecretError        a Secret is missing or malformed
"""


class TemporalError(Exception):
    """A call to Temporal that settled nothing. The next try may.

    Attributes:
        message: What happened, for people; free of credentials and payloads.
        refused: Temporal answered, and said no. False: it gave no answer.
    """

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.refused = refused


class RecordError(Exception):
    """The API server did not give or take an object."""


class Conflict(RecordError):  # noqa: N818 - nothing failed: the object has changed
    """The object changed since it was read: read it again and decide anew."""


class ObjectNotFound(RecordError):  # noqa: N818 - likewise
    """The object is no longer there."""


class Unreadable(RecordError):  # noqa: N818 - likewise: it was given
    """The object does not fit its schema. No other try reads it until somebody mends it. The message says where."""


class SecretError(Exception):
    """A Secret is missing or malformed. The message names it and says what is wrong, never what it holds."""

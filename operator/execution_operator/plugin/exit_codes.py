"""Exit codes of the commands, and the exception that ends a command with one of them."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    TIMED_OUT = 3
    INTERRUPTED = 130


class Failure(Exception):  # noqa: N818 - it ends a command with a message, and need not be a fault of the program
    """Ends the command with a message for the user, without a traceback."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code

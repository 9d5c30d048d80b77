"""Exit codes of the commands, for scripts."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    TIMED_OUT = 3
    INTERRUPTED = 130


class Failure(Exception):  # noqa: N818 - what users are told is no error of the program
    """Ends the command with a message for people."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code

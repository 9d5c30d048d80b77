"""The output of the demo: commands with their real output, and the result of each check."""

import sys
import time


class Screen:
    """Prints lines, and remembers the checks that failed."""

    def __init__(self) -> None:
        self.broken: list[str] = []
        self.promises = 0
        self._start = time.monotonic()

    def title(self, text: str) -> None:
        """Print the title of a part."""
        self._print(f"\n== {text}  [{time.monotonic() - self._start:.1f} s]")

    def say(self, text: str) -> None:
        """Print a line of explanation."""
        self._print(f"   {text}")

    def command(self, line: str, output: str) -> None:
        """Print a command and its output."""
        self._print(f"$ {line}")
        for row in output.rstrip().splitlines():
            self._print(f"  {row}")

    def promise(self, text: str, *, kept: bool, found: object = None) -> None:
        """Print the result of a check."""
        self.promises += 1
        if kept:
            self._print(f"  \N{CHECK MARK} {text}")
            return
        self.broken.append(text)
        self._print(f"  \N{BALLOT X} {text}: found {found!r}")

    def verdict(self) -> int:
        """Print the summary. Return the exit code."""
        took = time.monotonic() - self._start
        if self.broken:
            self._print(f"\n{len(self.broken)} of {self.promises} promises broken, after {took:.1f} s")
            return 1
        self._print(f"\nAll {self.promises} promises kept, in {took:.1f} s.")
        return 0

    @staticmethod
    def _print(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

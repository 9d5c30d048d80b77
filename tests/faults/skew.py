"""A machine whose wall clock is wrong, and jumps: for Python programs that have this folder on their path."""

from pathlib import Path

SOURCE = '''"""Python runs this at its start: every clock of the wall is off by the hours that a file tells."""

import datetime
import time
from pathlib import Path

HOURS = Path(__file__).with_name("hours")
sound = time.time


def shift():
    return 3600 * int(HOURS.read_text())


class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=shift())


time.time = lambda: sound() + shift()
datetime.datetime = Shifted
'''


class WallClock:
    """The wall clock of the programs that are started with this folder first on their path.

    Args:
        folder: Where its parts are put.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jump(0)
        (folder / "sitecustomize.py").write_text(SOURCE)

    def jump(self, hours: int) -> None:
        """Have it be so many hours ahead of the truth, or behind it, from now on."""
        new = self.folder / "hours.new"
        new.write_text(str(hours))
        new.replace(self.folder / "hours")

"""A wrong wall clock for Python programs: a `sitecustomize.py` that shifts their time by some hours."""

from pathlib import Path

SOURCE = '''"""Python runs this at its start. It shifts the wall clock by the number of hours in a file."""

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
    """The wall clock of the programs that have its folder first on their import path.

    Args:
        folder: The folder for `sitecustomize.py` and the number of hours.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jump(0)
        (folder / "sitecustomize.py").write_text(SOURCE)

    def jump(self, hours: int) -> None:
        """Set the clock to this many hours ahead of the true time, or behind it if negative."""
        new = self.folder / "hours.new"
        new.write_text(str(hours))
        new.replace(self.folder / "hours")

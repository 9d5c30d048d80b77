"""The newest version that was seen of each object, where several streams tell of it and one may be behind."""

from collections import OrderedDict

REMEMBERED = 20_000
"""Objects that are remembered at most, those that were seen last: some 4 MB. No stream should be behind by more."""


class ResourceVersionTracker:
    """Versions by UID."""

    def __init__(self) -> None:
        self._versions: OrderedDict[str, int] = OrderedDict()

    def saw(self, uid: str, version: int) -> None:
        """Take note of a version, whatever the object was then."""
        self._versions[uid] = max(version, self._versions.get(uid, version))
        self._versions.move_to_end(uid)
        if len(self._versions) > REMEMBERED:
            self._versions.popitem(last=False)

    def outdated(self, uid: str, version: int) -> bool:
        """Whether a newer version is known."""
        return version < self._versions.get(uid, version)

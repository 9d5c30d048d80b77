"""The newest resourceVersion of each object, where several watches report it and one of them may be behind."""

from collections import OrderedDict

MAX_OBJECTS = 20_000
"""Objects that are remembered at most, in about 4 MB. The object that was observed longest ago is forgotten first."""


class ResourceVersionTracker:
    """Newest resourceVersions by UID."""

    def __init__(self) -> None:
        self._versions: OrderedDict[str, int] = OrderedDict()

    def observe(self, uid: str, version: int) -> None:
        """Remember a version, if it is the newest of its object."""
        self._versions[uid] = max(version, self._versions.get(uid, version))
        self._versions.move_to_end(uid)
        if len(self._versions) > MAX_OBJECTS:
            self._versions.popitem(last=False)

    def is_outdated(self, uid: str, version: int) -> bool:
        """Return whether a newer version of the object was observed."""
        return version < self._versions.get(uid, version)

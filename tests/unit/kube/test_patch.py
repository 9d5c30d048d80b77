"""JSON merge patches (RFC 7386), as properties and as examples."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_operator.kube.patch import merge_patch

VALUES = st.recursive(
    st.booleans() | st.integers() | st.text("xy", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


def apply(patch: Any, target: Any) -> Any:
    """Apply a merge patch, as the pseudo code of the RFC does."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply(value, result.get(name))
    return result


@given(OBJECTS, OBJECTS)
def test_the_patch_turns_old_into_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert apply(merge_patch(old, new), old) == new


@given(OBJECTS)
def test_equal_objects_need_no_patch(one: dict[str, Any]) -> None:
    assert merge_patch(one, one) == {}


@given(OBJECTS, OBJECTS)
def test_an_empty_patch_means_equal(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert (merge_patch(old, new) == {}) == (old == new)


PATCHES: list[Any] = [
    pytest.param({"a": 1}, {"a": 1}, {}, id="same"),
    pytest.param({}, {"a": 1}, {"a": 1}, id="added"),
    pytest.param({"a": 1}, {}, {"a": None}, id="removed"),
    pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}, id="only what changed inside"),
    pytest.param({"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}, id="lists as a whole"),
    pytest.param({"a": {"b": 1}}, {"a": 1}, {"a": 1}, id="object to scalar"),
    pytest.param({"a": 1}, {"a": {}}, {"a": {}}, id="scalar to object"),
]


@pytest.mark.parametrize(("old", "new", "patch"), PATCHES)
def test_examples_of_patches(old: dict[str, Any], new: dict[str, Any], patch: dict[str, Any]) -> None:
    assert merge_patch(old, new) == patch

"""The index of open Executions by run."""

from dataclasses import replace

from execution_operator.index.open_runs import OpenRuns, Reference


def reference(uid: str = "uid-1", run_id: str = "run-1", organization: str = "acme") -> Reference:
    return Reference(uid, "team-a", f"name-{uid}", organization, run_id)


def index(*references: Reference) -> OpenRuns:
    runs = OpenRuns()
    for each in references:
        runs.put(each)
    return runs


def test_several_executions_may_stand_for_one_run() -> None:
    runs = index(reference("uid-1"), reference("uid-2"), reference("uid-3", "run-3"))
    assert [each.uid for each in runs.of_run("run-1")] == ["uid-1", "uid-2"]
    runs.drop("uid-1")
    assert [each.uid for each in runs.of_run("run-1")] == ["uid-2"]
    runs.drop("uid-2")
    assert (runs.of_run("run-1"), len(runs)) == ((), 1)


def test_the_next_run_takes_the_place_of_the_one_before() -> None:
    runs = index(reference(run_id="run-1"), reference(run_id="run-2"))
    assert (runs.of_run("run-1"), runs.of_run("run-2")) == ((), (reference(run_id="run-2"),))


def test_the_same_again_changes_nothing() -> None:
    assert index(reference(), reference()).of_run("run-1") == (reference(),)


def test_what_is_not_known_is_no_error() -> None:
    index().drop("uid-1")


def test_what_a_list_does_not_hold_is_forgotten() -> None:
    runs = index(reference("uid-1"), reference("uid-2"))
    runs.retain({"uid-2", "uid-9"})
    assert [each.uid for each in runs.of_run("run-1")] == ["uid-2"]


def test_a_list_of_a_namespace_says_nothing_of_others() -> None:
    runs = index(reference("uid-1"), Reference("uid-2", "team-b", "name-uid-2", "acme", "run-2"))
    runs.retain(set(), namespace="team-b")
    assert (len(runs), len(runs.of_run("run-1"))) == (1, 1)


def test_how_many_a_namespace_has() -> None:
    runs = index(reference("uid-1"), Reference("uid-2", "team-b", "name-uid-2", "acme", "run-2"), reference("uid-3"))
    runs.put_unpinned("uid-4", "team-a")
    assert [runs.count_in_namespace(name) for name in ("team-a", "team-b", "team-c")] == [2, 1, 0]


def test_by_organization() -> None:
    runs = index(reference("uid-1"), reference("uid-2", organization="globex"))
    assert [each.uid for each in runs.of_organization("globex")] == ["uid-2"]
    assert (runs.has_open_runs("acme"), runs.has_open_runs("globex"), runs.has_open_runs("initech")) == (
        True,
        True,
        False,
    )
    runs.put(reference("uid-2", organization="acme"))
    assert (runs.has_open_runs("acme"), runs.has_open_runs("globex")) == (True, False)
    runs.retain(set())
    assert not runs.has_open_runs("acme")


def test_executions_are_counted_by_phase_those_without_a_run_as_pending() -> None:
    runs = index(reference("uid-1"), replace(reference("uid-2"), phase="paused"))
    runs.put_unpinned("uid-3", "team-a")
    assert runs.count_by_phase() == {"running": 1, "paused": 1, "pending": 1}
    runs.put(replace(reference("uid-1"), phase="terminating"))
    runs.put(reference("uid-3"))
    assert runs.count_by_phase() == {"terminating": 1, "paused": 1, "running": 1}
    runs.put_unpinned("uid-2", "team-b")
    runs.retain({"uid-1"}, "team-a")
    assert runs.count_by_phase() == {"terminating": 1, "pending": 1}
    runs.retain({"uid-1"})
    assert runs.count_by_phase() == {"terminating": 1}


def test_the_paused_are_known() -> None:
    runs = index(reference("uid-1"), paused := replace(reference("uid-2"), phase="paused"))
    assert [*runs.paused()] == [paused]
    runs.put(reference("uid-2"))
    assert [*runs.paused()] == []
    runs.put(paused)
    runs.drop("uid-2")
    assert [*runs.paused()] == []

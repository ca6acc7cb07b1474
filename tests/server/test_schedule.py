"""Whose turn it is: the rules of the queue, decided by hand for each case."""

import asyncio
from typing import Any

import pytest

from weaklabel_server.jobs.operations.schedule import Schedule, WaitingFit
from weaklabel_server.jobs.operations.turns import Turns


def fit(name: str, *, memory: int = 1, short: bool = True) -> WaitingFit:
    """The fit "A3" is the third of project A; of all fits "A3" is older than "B4"."""
    project, number = ord(name[0]), int(name[1:])
    return WaitingFit(key=number * 100 + project, project=project, memory=memory, short=short)


def name(waiting: WaitingFit | None) -> str:
    return "-" if waiting is None else f"{chr(waiting.project)}{waiting.key // 100}"


def one_at_a_time(schedule: Schedule) -> str:
    """All that wait, in the order of their turns where one runs at a time."""
    order = []
    while (taken := schedule.take()) is not None:
        order.append(name(taken))
        schedule.remove(taken.key)
    return " ".join(order)


def filled(schedule: Schedule, names: str, **options: Any) -> Schedule:
    for one in names.split():
        schedule.add(fit(one, **options))
    return schedule


def begun(schedule: Schedule) -> str:
    """All that begin now."""
    order = []
    while (taken := schedule.take()) is not None:
        order.append(name(taken))
    return " ".join(order)


def test_of_one_project_the_oldest_goes_first() -> None:
    assert one_at_a_time(filled(Schedule(places=1), "A3 A1 A2")) == "A1 A2 A3"


def test_projects_take_turns() -> None:
    schedule = filled(Schedule(places=1), "A1 A2 A3 A4 B5 B6 C7")
    assert one_at_a_time(schedule) == "A1 B5 C7 A2 B6 A3 A4"


def test_a_burst_before_does_not_count_for_long() -> None:
    schedule = Schedule(places=1)
    assert one_at_a_time(filled(schedule, "A1 A2 A3 B4")) == "A1 B4 A2 A3"
    # A was served last, so B is next, although its fit is younger.
    assert one_at_a_time(filled(schedule, "A5 B6 A7")) == "B6 A5 A7"


def test_a_fit_waits_for_one_fit_of_another_project_and_not_for_its_hundred() -> None:
    schedule = filled(Schedule(places=1), " ".join(f"A{number}" for number in range(100)))
    running = schedule.take()
    assert running is not None
    schedule.add(fit("B100"))
    assert schedule.take() is None
    schedule.remove(running.key)
    assert name(schedule.take()) == "B100"


def test_a_project_leaves_a_place_to_others() -> None:
    schedule = filled(Schedule(places=3), "A1 A2 A3 A4")
    assert begun(schedule) == "A1 A2"
    schedule.add(fit("B5"))
    assert begun(schedule) == "B5"


def test_a_project_runs_as_many_as_it_may() -> None:
    schedule = filled(Schedule(places=4, per_project=1), "A1 A2 B3 C4")
    assert begun(schedule) == "A1 B3 C4"
    schedule.remove(fit("A1").key)
    assert begun(schedule) == "A2"
    assert begun(filled(Schedule(places=2, per_project=2), "A1 A2 A3")) == "A1 A2"


def test_a_short_fit_finds_a_place_beside_long_ones() -> None:
    schedule = filled(Schedule(places=2), "A1 B2 C3", short=False)
    assert begun(schedule) == "A1"
    schedule.add(fit("D4"))
    assert begun(schedule) == "D4"
    schedule.remove(fit("D4").key)
    assert begun(schedule) == ""
    schedule.remove(fit("A1").key)
    assert begun(schedule) == "B2"


def test_a_short_fit_overtakes_a_long_one_of_its_project_that_may_not_begin() -> None:
    schedule = filled(Schedule(places=2), "A1 B2", short=False)
    schedule.add(fit("B3"))
    assert begun(schedule) == "A1 B3"


def test_the_only_place_is_for_long_fits_too() -> None:
    assert one_at_a_time(filled(Schedule(places=1), "A1 A2", short=False)) == "A1 A2"


def test_those_that_run_have_the_memory_together() -> None:
    schedule = Schedule(places=3, per_project=3, memory=10)
    for one, memory in (("A1", 6), ("B2", 6), ("C3", 2)):
        schedule.add(fit(one, memory=memory))
    # C3 would fit, but then a large fit might never find the memory.
    assert begun(schedule) == "A1"
    schedule.remove(fit("A1").key)
    assert begun(schedule) == "B2 C3"


def test_a_fit_that_needs_all_memory_runs_alone() -> None:
    schedule = Schedule(places=2, memory=10)
    schedule.add(fit("A1", memory=99))
    schedule.add(fit("B2", memory=1))
    assert begun(schedule) == "A1"


def test_what_is_removed_takes_no_turn() -> None:
    schedule = filled(Schedule(places=1), "A1 A2 B3")
    schedule.remove(fit("A1").key)
    schedule.remove(fit("A1").key)
    assert one_at_a_time(schedule) == "A2 B3"


async def test_turns_are_given_in_that_order() -> None:
    turns = Turns(filled(Schedule(places=1), ""))
    order = []

    async def run(one: str) -> None:
        async with turns.turn(fit(one)):
            order.append(one)
            await asyncio.sleep(0)

    await asyncio.gather(*(run(one) for one in ("A1", "A2", "A3", "B4")))
    assert order == ["A1", "B4", "A2", "A3"]


@pytest.mark.parametrize("moment", ["waiting", "called", "running"])
async def test_a_turn_that_is_given_up_goes_to_the_next(moment: str) -> None:
    turns = Turns(Schedule(places=1))
    reached = []

    async def run(one: str, seconds: float) -> None:
        async with turns.turn(fit(one)):
            reached.append(one)
            await asyncio.sleep(seconds)

    async with turns.turn(fit("A1")):
        second = asyncio.create_task(run("A2", 60))
        third = asyncio.create_task(run("A3", 0))
        await asyncio.sleep(0)
        if moment == "waiting":
            second.cancel()
            await asyncio.sleep(0)
    # The end of the block has called the second, which has not gone on yet.
    if moment == "running":
        await asyncio.sleep(0)
    second.cancel()
    await third
    assert second.cancelled()
    assert reached == (["A2", "A3"] if moment == "running" else ["A3"])

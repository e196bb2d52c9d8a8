"""What is told of a study before it is started."""

from pathlib import Path

from engine.studies import StudyEstimate
from gui.metrics.study_session import StudySession
from gui.metrics.study_standing import Standing
from gui.training.estimator import room_left
from gui.widgets.words import count, duration, room


def left_words(standing: Standing, session: StudySession) -> str:
    """How many runs a study has, and how many of them are there."""
    study, cells = standing.study, len(standing.states)
    words = f"{count(cells, 'run')}: {count(len(study.methods), 'method')} × {count(len(study.seeds), 'seed')}"
    if standing.done == cells:
        return f"{words}, all trained and evaluated."
    there = [f"{standing.done} done"] if standing.done else []
    failed = sum(state.state == "failed" for state in standing.states)
    begun = standing.begun - sum(state.state == "failed" and state.step > 0 for state in standing.states)
    there += [f"{begun} begun"] if begun else []
    there += [f"{failed} failed"] if failed else []
    return f"{words}, {', '.join(there) if there else 'none done yet'}."


def needed_words(needed: StudyEstimate | None, runs: Path, *, measuring: bool) -> str:
    """What the runs that are left will take on this machine."""
    trying = "Trying a few steps to tell how long it will take…"
    if needed is None:
        return trying if measuring else ""
    if needed.seconds is None:
        return trying if measuring else "How long it will take is known once it runs."
    side = f", {needed.plan.workers} runs at a time" if needed.plan.workers > 1 else ""
    disk = f"; {room(needed.disk)} on disk" if needed.disk else ""
    words = f"What is left takes about {duration(needed.seconds)} on this machine{side}{disk}."
    free = room_left(runs)
    return words if needed.disk < free else f"{words} Only {room(free)} are free where runs are kept."

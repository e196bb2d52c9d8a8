"""Texts that describe a study before it is started."""

from pathlib import Path

from engine.studies import StudyEstimate
from gui.metrics.study_session import StudySession
from gui.metrics.study_standing import Standing
from gui.training.estimator import room_left
from gui.widgets.words import count, duration, room


def summary_text(standing: Standing, session: StudySession) -> str:
    """Return how many runs a study has, and how many are done, started or failed."""
    study, cells = standing.study, len(standing.states)
    words = f"{count(cells, 'run')}: {count(len(study.methods), 'method')} × {count(len(study.seeds), 'seed')}"
    if standing.done == cells:
        return f"{words}; all trained and evaluated."
    parts = [f"{standing.done} done"] if standing.done else []
    failed = sum(state.state == "failed" for state in standing.states)
    started = standing.started - sum(state.state == "failed" and state.step > 0 for state in standing.states)
    parts += [f"{started} started"] if started else []
    parts += [f"{failed} failed"] if failed else []
    return f"{words}; {', '.join(parts) if parts else 'none started'}."


def estimate_text(needed: StudyEstimate | None, runs: Path, *, measuring: bool) -> str:
    """Return how long the remaining runs will take on this machine, and their disk space."""
    trying = "Timing a few steps to estimate how long it will take…"
    if needed is None:
        return trying if measuring else ""
    if needed.seconds is None:
        return trying if measuring else "The time left will be estimated once it is running."
    side = f", {needed.plan.workers} runs at a time" if needed.plan.workers > 1 else ""
    disk = f"; {room(needed.disk)} on disk" if needed.disk else ""
    words = f"Time left: about {duration(needed.seconds)} on this machine{side}{disk}."
    free = room_left(runs)
    return words if needed.disk < free else f"{words} Only {room(free)} is free in the runs folder."

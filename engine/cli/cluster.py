"""The commands `scheduler` and `worker`: a cluster on which studies are trained, without installing anything else."""

import argparse
import asyncio
import contextlib
import ipaddress
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.progress import answer, say
from engine.errors import ConfigError, RunError
from engine.jobs.processes import termination_signals
from engine.system.numbers import whole_number
from engine.system.program import COMMAND

if TYPE_CHECKING:
    from distributed.security import Security

PORT = 8786
MAX_SLOTS = 256
LOCAL = "127.0.0.1:0"
"""Address of the health pages that `distributed` serves without a dashboard: this machine only."""

CONNECT_SECONDS = 30
"""Time limit for a worker to reach its scheduler, which may be starting, too."""

SIDES = ("scheduler", "worker", "client")

OPEN = (
    "Note: without TLS, anyone who can reach {address} can run code as you, on this machine and on every worker. Use "
    "it only on a network that you trust, or pass --tls-ca, --tls-cert and --tls-key."
)


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands."""
    scheduler = commands.add_parser(
        "scheduler",
        help="start the scheduler of a cluster",
        description="Start a scheduler of Dask's `distributed`, and print its address. Workers connect to it, and "
        "studies are sent to it with: study NAME --scheduler ADDRESS, or in the window.",
    )
    scheduler.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="address to listen on (default 127.0.0.1: this machine only)"
    )
    scheduler.add_argument("--port", default=str(PORT), metavar="N", help=f"port (default {PORT}; 0: any free one)")
    tls_options(scheduler)
    scheduler.set_defaults(do=_scheduler)

    worker = commands.add_parser(
        "worker",
        help="train the runs of studies on this machine, as part of a cluster",
        description="Connect to a scheduler and train what it sends, until stopped. Runs are saved before it ends.",
    )
    worker.add_argument("address", metavar="ADDRESS", help="address of the scheduler, e.g. tcp://192.168.1.5:8786")
    worker.add_argument(
        "--slots", metavar="N", help="runs at the same time, with one thread each (default: as cores and memory allow)"
    )
    worker.add_argument("--scratch", type=Path, metavar="DIR", help="folder for temporary files")
    tls_options(worker)
    worker.set_defaults(do=_worker)


def tls_options(to: argparse.ArgumentParser) -> None:
    """Add --tls-ca, --tls-cert and --tls-key."""
    to.add_argument("--tls-ca", type=Path, metavar="FILE", help="certificate authority of the cluster (PEM)")
    to.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate of this side (PEM)")
    to.add_argument("--tls-key", type=Path, metavar="FILE", help="private key of this side (PEM)")


def security(arguments: argparse.Namespace) -> "Security | None":
    """Return the TLS files given, or None if none is. Raises ConfigError if they are not complete."""
    files = {name: getattr(arguments, f"tls_{name}") for name in ("ca", "cert", "key")}
    given = {name: path for name, path in files.items() if path is not None}
    if not given:
        return None
    if len(given) < len(files):
        raise ConfigError("--tls-ca, --tls-cert and --tls-key are given together or not at all.")
    for path in given.values():
        if not path.is_file():
            raise ConfigError(f"{path} is not a file.")
    from distributed.security import Security

    ca, cert, key = (str(given[name].absolute()) for name in files)
    files_of = {"cert": cert, "key": key}
    sides = {f"tls_{side}_{kind}": path for side in SIDES for kind, path in files_of.items()}
    return Security(require_encryption=True, tls_ca_file=ca, **sides)


def _scheduler(arguments: argparse.Namespace) -> int:
    port = _whole("--port", arguments.port, 0, 65535)
    safe = security(arguments)

    async def serve() -> None:
        from distributed import Scheduler

        _quiet()
        protocol = "tls://" if safe else "tcp://"
        scheduler = Scheduler(
            host=arguments.host,
            port=port,
            protocol=protocol,
            security=safe or {},
            dashboard=False,
            dashboard_address=LOCAL,
        )
        try:
            await scheduler.start()
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError stands for what went wrong in starting
            cause = error.__cause__ or error
            words = getattr(cause, "strerror", None) or cause
            raise RunError(f"{arguments.host}:{port} cannot be used: {words}.") from None
        answer(scheduler.address)
        if safe is None and not _is_loopback(arguments.host):
            say(OPEN.format(address=scheduler.address))
        say(f"Connect workers with: {COMMAND} worker {scheduler.address}")
        await _until_stopped(scheduler.finished())
        await scheduler.close()

    asyncio.run(serve())
    return 0


def _worker(arguments: argparse.Namespace) -> int:
    from engine.studies.cluster.remote import stop_all
    from engine.studies.machine import plan_for

    given = arguments.slots
    slots = plan_for(MAX_SLOTS).workers if given is None else _whole("--slots", given, 1, MAX_SLOTS)
    scratch = None if arguments.scratch is None else str(arguments.scratch)
    safe = security(arguments)

    async def serve() -> bool:
        from distributed import Worker

        _quiet()
        missing = RunError(f"There is no scheduler at {arguments.address}. Start one with: {COMMAND} scheduler")
        try:
            worker = Worker(
                arguments.address,
                nthreads=slots,
                memory_limit=0,
                host="127.0.0.1" if _is_loopback(_host_of(arguments.address)) else None,
                dashboard=False,
                dashboard_address=LOCAL,
                security=safe or {},
                death_timeout=CONNECT_SECONDS,
                local_directory=scratch,
            )
        except (OSError, ValueError):
            raise missing from None
        try:
            await asyncio.wait_for(worker.start(), CONNECT_SECONDS)
        except (OSError, TimeoutError, ValueError, RuntimeError):
            with contextlib.suppress(Exception):  # it has not started completely
                await worker.close()
            raise missing from None
        say(f"Connected to {arguments.address} with {slots} slot{'s' if slots > 1 else ''}.")
        stopped = await _until_stopped(worker.finished())
        await asyncio.to_thread(stop_all)
        with contextlib.suppress(Exception):  # the scheduler may be gone
            await asyncio.wait_for(worker.close(), 5)
        return stopped

    if asyncio.run(serve()):
        return 0
    raise RunError(f"The scheduler at {arguments.address} is gone. Runs that were training here have been saved.")


async def _until_stopped(finished: Any) -> bool:
    """Wait until a signal asks this process to end (True) or the server has ended by itself (False)."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in termination_signals():
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl+C raises KeyboardInterrupt
            loop.add_signal_handler(number, stop.set)
    ends = asyncio.ensure_future(finished)
    asked = asyncio.ensure_future(stop.wait())
    await asyncio.wait({ends, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    return stop.is_set()


def _quiet() -> None:
    """Keep the library's log to what needs attention."""
    for name in ("distributed", "distributed.scheduler", "distributed.worker", "distributed.core", "distributed.comm"):
        logging.getLogger(name).setLevel(logging.ERROR)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _host_of(address: str) -> str:
    """The host of an address such as tcp://127.0.0.1:8786."""
    return address.rpartition("//")[2].rpartition(":")[0].strip("[]")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _whole(option: str, text: str, least: int, most: int) -> int:
    try:
        value = whole_number(text)
    except ValueError:
        value = -1
    if not least <= value <= most:
        raise ConfigError(f"{option} is {text!r}; it must be a whole number from {least} to {most:,}.")
    return value

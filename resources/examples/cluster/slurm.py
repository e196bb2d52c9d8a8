"""A cluster whose workers are SLURM jobs, started and ended with the work: needs `pip install dask-jobqueue`.

Run it on the login node, in the project's folder, and leave it running; then start a study with the address it prints:

    .venv/bin/python resources/examples/cluster/slurm.py --most 50
    .venv/bin/python main.py study methods-dsprites --workers 50 --scheduler ADDRESS

`--workers` is how many runs wait for workers at the same time, so that jobs are submitted for them.
"""

import argparse
import signal
from pathlib import Path

from dask_jobqueue import SLURMCluster

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--most", type=int, default=20, help="most jobs at the same time")
parser.add_argument("--queue", help="partition")
parser.add_argument("--hours", type=int, default=12, help="longest time of a job; runs go on in the next one")
parser.add_argument("--memory", default="3GB", help="memory of a job")
arguments = parser.parse_args()

cluster = SLURMCluster(
    queue=arguments.queue,
    cores=1,
    processes=1,
    memory=arguments.memory,
    walltime=f"{arguments.hours}:00:00",
    job_script_prologue=[
        f"cd {Path.cwd()}",
        "export OMP_NUM_THREADS=1",
        # Runs train in child processes of the workers, which daemons may not have.
        "export DASK_DISTRIBUTED__WORKER__DAEMON=False",
    ],
)
cluster.adapt(minimum=0, maximum=arguments.most)
print(cluster.scheduler_address, flush=True)  # noqa: T201 (the answer of this script)
signal.pause()

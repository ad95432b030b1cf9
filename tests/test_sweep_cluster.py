"""A sweep on a cluster of real processes: the table of this machine, whoever dies meanwhile, and what is wrong told."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cluster_gate
import numpy as np
import pytest
from cluster_machines import Process
from sweep_market import GUARDED, SMALL, SPECS, assert_same, market, run_live, walk, write_csv

from hedgerow import __version__
from hedgerow.cli.main import main
from hedgerow.engine.dryrun.problem import RunError
from hedgerow.engine.load import Spec, load, loads
from hedgerow.engine.registry import Binding, Registry
from hedgerow.engine.sweep import cluster, cluster_task, cluster_workers, runner
from hedgerow.engine.sweep.cluster import ClusterRunner, scheduler_address
from hedgerow.engine.sweep.cluster_task import Answer, Batch, Freight, answer, job_of, run_batch, stop
from hedgerow.engine.sweep.path import EventPath
from hedgerow.engine.sweep.results import Results, shape_of
from hedgerow.engine.sweep.runner import Progress, sweep
from hedgerow.engine.sweep.sets import ParameterSets, parameter_sets

GATE = "desk.gate"
# The small spec, behind a bound function that holds a worker where a test wants it.
GATED = SMALL.replace("machine:\n", f"observe:\n  tick:\n    passed: {{call: {GATE}, with: {{x: 1}}}}\nmachine:\n", 1)


class Machines:
    """A scheduler, and workers that a test may end; they are replaced for the next one."""

    def __init__(self, folder: Path) -> None:
        self.gate = folder
        cluster_gate.make(folder)
        self.scheduler = Process("scheduler")
        self.workers: list[Process] = []

    @property
    def on(self) -> str:
        return self.scheduler.address.replace("tcp:", "dask:")

    def start(self, *has: str) -> Process:
        """Start a worker, and wait until the scheduler knows it."""
        worker = Process("worker", self.scheduler.address, *has, gate=self.gate)
        self.workers.append(worker)
        return worker

    def fill(self, many: int) -> None:
        """Have so many plain workers ready, none of them held."""
        (self.gate / "armed").unlink(missing_ok=True)
        alive = [each for each in self.workers if each.alive]
        self.workers = [each for each in alive if each.plain][:many]
        for each in alive:
            if each not in self.workers:
                each.end()
        for _ in range(many - len(self.workers)):
            self.start()
        assert all(each.address for each in self.workers)

    def kill(self, pid: int) -> None:
        """End one of its own processes as the system does that is short of memory."""
        (found,) = (each for each in (self.scheduler, *self.workers) if each.pid == pid)
        os.kill(pid, signal.SIGKILL)
        found.end()

    def end(self) -> None:
        for each in (*self.workers, self.scheduler):
            if each.alive:
                each.end()


def started(folder: Path) -> Machines:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    if not hasattr(os, "mkfifo"):
        pytest.skip("workers are held at a named pipe, which this system does not have")
    return Machines(folder)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    machines = started(tmp_path_factory.mktemp("gate"))
    yield machines
    machines.end()


@pytest.fixture
def machines(kept: Machines) -> Machines:
    """Two workers on one scheduler."""
    kept.fill(2)
    return kept


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Machines]:
    """A scheduler that a test may lose."""
    folder = tmp_path / "gate"
    folder.mkdir()
    machines = started(folder)
    yield machines
    machines.end()


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_workers, "LOOK_SECONDS", 0.05)


@pytest.fixture(scope="module")
def spec() -> Spec:
    return loads(SMALL)


@pytest.fixture(scope="module")
def gated() -> Spec:
    return loads(GATED, registry=Registry({GATE: Binding(GATE, "guard", "cluster_gate:gate")}))


def many(spec: Spec) -> ParameterSets:
    """Return 120 sets: three tasks."""
    return parameter_sets(spec, grid={"step": "0.004:0.08:0.004", "most": "2,3,5", "patient": "false,true"})


@pytest.fixture(scope="module")
def path(spec: Spec) -> EventPath:
    return market(spec, walk(80, 21, volatility=0.02))


def handing_over(*, lots: str, waits: str) -> tuple[Spec, ParameterSets, EventPath]:
    """Return a sweep with timers, bad rows and an end, of which native code gives some rows to the reference."""
    spec = loads(GUARDED)
    path = market(spec, [100, 85, 160, -1, 155, 80, 95, 160, 130, 90, 99] * 4, skip_bad=True)
    return spec, parameter_sets(spec, grid={"lot": lots, "wait": waits}), path


def written(folder: Path) -> list[bytes]:
    """Return the tables in a folder, byte for byte."""
    return [(folder / name).read_bytes() for name in ("results.parquet", "days.parquet")]


@pytest.fixture(scope="module")
def whole(gated: Spec, path: EventPath, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The tables of the gated spec on this machine."""
    folder = tmp_path_factory.mktemp("whole")
    sweep(gated, path, many(gated), keep_days=True, folder=folder)
    return written(folder)


def refused(call: Callable[[], object]) -> RunError:
    with pytest.raises(RunError) as error:
        call()
    return error.value


def when_held(machines: Machines, then: Callable[[int], object]) -> threading.Thread:
    """Arm the gate, and do something when a worker, of which it gets the number, is held in it."""
    cluster_gate.arm(machines.gate)
    thread = threading.Thread(target=lambda: then(cluster_gate.held(machines.gate)), daemon=True)
    thread.start()
    return thread


# --- the table ---


@pytest.mark.parametrize("backend", ["native", "live"])
def test_two_workers_write_the_bytes_of_this_machine(
    machines: Machines, spec: Spec, path: EventPath, tmp_path: Path, backend: Any
) -> None:
    if backend == "native":
        pytest.importorskip("llvmlite")
    here = sweep(spec, path, many(spec), backend=backend, keep_days=True, folder=tmp_path / "here")
    told: list[Progress] = []
    there = sweep(
        spec, path, many(spec), backend=backend, keep_days=True, folder=tmp_path / "there", on=machines.on,
        progress=told.append,
    )  # fmt: skip
    assert written(tmp_path / "there") == written(tmp_path / "here")
    assert (there.about, there.axes, there.total) == (here.about, here.axes, here.total)
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert told[-1] == Progress(120, 120, 120 * 80)


def test_rows_that_native_code_hands_over_are_counted_on_a_cluster_too(machines: Machines, tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    spec, sets, path = handing_over(lots="0.25,0.5,1", waits="10m,2h")
    for on, folder in ((None, "here"), (machines.on, "there")):
        table = sweep(spec, path, sets, keep_days=True, folder=tmp_path / folder, on=on)
        assert table.column("handed").min() > 0
    assert written(tmp_path / "there") == written(tmp_path / "here")


def test_a_worker_without_native_code_changes_no_bit(machines: Machines, tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    assert machines.start("no-llvmlite").address
    spec, sets, path = handing_over(lots="0.25,0.5,1,2", waits="10m,20m,2h")
    sweep(spec, path, sets, backend="live", keep_days=True, folder=tmp_path / "here")
    table = sweep(spec, path, sets, keep_days=True, folder=tmp_path / "there", on=machines.on)
    assert written(tmp_path / "there") == written(tmp_path / "here")
    reason = "llvmlite is not installed (pip install 'hedgerow[sweep]'), on 1 of 3 workers; the others ran native code"
    assert (table.about["backend"], table.about["backend_reason"]) == ("live", reason)
    error = refused(lambda: sweep(spec, path, sets, backend="native", on=machines.on))
    assert (error.code, error.file) == ("HR807", "--backend")
    assert error.message.startswith(f"there is no native code on `{machines.workers[2].address}`: llvmlite is not")


def test_one_runner_takes_path_after_path(machines: Machines, spec: Spec) -> None:
    sets = many(spec)[:60]
    capitals = np.full(len(sets), 1000.0)
    runs = ClusterRunner(machines.on, spec, "same", "tick", "live")
    try:
        for rows, seed in ((30, 1), (90, 2), (30, 1)):
            path = market(spec, walk(rows, seed))
            results = Results.empty(shape_of(spec.program(), len(path.stops)), len(sets))
            assert runs.run(sets, capitals, path, results) == len(sets)
            assert_same(results, run_live(spec, sets, path))
    finally:
        runs.close()


def test_a_spec_of_several_files_goes_with_all_of_them(machines: Machines, tmp_path: Path) -> None:
    desk = load(SPECS / "drawdown_desk.yaml")
    sets = parameter_sets(desk, grid={"max_drawdown": "0.01,0.05"})
    path = market(desk, walk(60, 5))
    here = sweep(desk, path, sets, backend="live", keep_days=True, folder=tmp_path / "here")
    there = sweep(desk, path, sets, backend="live", keep_days=True, folder=tmp_path / "there", on=machines.on)
    assert len(desk.sources) > 1
    assert written(tmp_path / "there") == written(tmp_path / "here")
    assert there.about["program"] == here.about["program"]


def test_the_command_runs_on_a_cluster(machines: Machines, spec: Spec, path: EventPath, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL.replace("<= 350 USD", "<= 3500 USD"))
    command = ["sweep", str(tmp_path / "small.yaml"), "--data", write_csv(tmp_path, path), "--days", "--no-report"]
    command += ["--grid", "step=0.01:0.05:0.01"]
    assert main([*command, "--out", str(tmp_path / "here"), "--workers", "1"]) == 0
    assert main([*command, "--out", str(tmp_path / "there"), "--on", machines.on]) == 0
    for name in ("results.parquet", "days.parquet", "summary.json"):
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


# --- who dies meanwhile ---


def test_the_task_of_a_worker_that_is_killed_is_run_by_the_other_to_the_same_table(
    machines: Machines, gated: Spec, path: EventPath, whole: list[bytes], tmp_path: Path
) -> None:
    killer = when_held(machines, machines.kill)
    table = sweep(gated, path, many(gated), keep_days=True, folder=tmp_path / "there", on=machines.on)
    killer.join(timeout=30)
    assert sum(each.alive for each in machines.workers) == 1
    assert len(table) == 120
    assert written(tmp_path / "there") == whole


def test_what_is_lost_with_all_workers_is_sent_again_to_those_that_joined_and_fit(
    machines: Machines, gated: Spec, path: EventPath, whole: list[bytes], tmp_path: Path
) -> None:
    machines.fill(1)

    def join(pid: int) -> None:
        assert machines.start("old").address
        assert machines.start().address
        machines.kill(pid)

    killer = when_held(machines, join)
    table = sweep(gated, path, many(gated), keep_days=True, folder=tmp_path / "there", on=machines.on)
    killer.join(timeout=30)
    assert written(tmp_path / "there") == whole
    old = machines.workers[1].address
    left_out = f"worker {old} joined and was left out: it has hedgerow 0.0.1, and this machine {__version__}"
    assert left_out in table.about["notes"]


@pytest.mark.slow
def test_a_worker_that_joins_without_native_code_is_left_out_of_a_native_sweep(
    machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llvmlite")
    monkeypatch.setattr(runner, "BLOCK_SECONDS", 0.0)
    spec, sets, path = handing_over(lots="0.1:2:0.1", waits="10m,20m,1h,2h,3h,4h")
    sweep(spec, path, sets, backend="native", keep_days=True, folder=tmp_path / "here")

    def join(_: Progress) -> None:
        if len(machines.workers) == 2:
            assert machines.start("no-llvmlite").address

    table = sweep(spec, path, sets, keep_days=True, folder=tmp_path / "there", on=machines.on, progress=join)
    assert written(tmp_path / "there") == written(tmp_path / "here")
    (note,) = (each for each in table.about["notes"] if "left out" in each)
    assert note.startswith(f"worker {machines.workers[2].address} joined and was left out: there is no native code: ")


def test_all_workers_lost_is_an_error_that_keeps_what_is_done(
    machines: Machines,
    gated: Spec,
    path: EventPath,
    whole: list[bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machines.fill(1)
    monkeypatch.setattr(runner, "BLOCK_SECONDS", 0.0)
    monkeypatch.setattr(cluster_workers, "LOST_SECONDS", 0.0)
    killers: list[threading.Thread] = []

    def arm(at: Progress) -> None:
        if at.done >= 50 and not killers:
            killers.append(when_held(machines, machines.kill))

    options: dict[str, Any] = {"keep_days": True, "folder": tmp_path / "there"}
    error = refused(lambda: sweep(gated, path, many(gated), on=machines.on, progress=arm, **options))
    killers[0].join(timeout=30)
    assert (error.code, error.file) == ("HR833", "--on")
    assert error.message == f"all workers of `{machines.on}` are lost, and none came for 0 s"
    ran: list[Progress] = []
    sweep(gated, path, many(gated), resume=True, progress=ran.append, **options)
    assert ran[-1].events == 70 * 80
    assert written(tmp_path / "there") == whole


def test_a_cluster_without_workers_is_told(
    kept: Machines, spec: Spec, path: EventPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.fill(0)
    monkeypatch.setattr(cluster_workers, "WORKERS_SECONDS", 0.2)
    error = refused(lambda: sweep(spec, path, many(spec), on=kept.on))
    assert (error.code, error.message) == ("HR833", f"`{kept.on}` has no workers, and none came within 0.2 s")


@pytest.mark.slow
def test_a_scheduler_that_is_lost_is_an_error(
    own: Machines, gated: Spec, path: EventPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_workers, "CONNECT_SECONDS", 1.0)
    own.fill(1)

    def lose(pid: int) -> None:
        own.kill(own.scheduler.pid)
        own.kill(pid)

    killer = when_held(own, lose)
    on = own.on
    error = refused(lambda: sweep(gated, path, many(gated), on=on))
    killer.join(timeout=30)
    assert (error.code, error.message) == ("HR833", f"the connection to the scheduler at `{on}` is lost")


@pytest.mark.slow
def test_a_task_that_kills_its_workers_is_an_error(
    tmp_path: Path, gated: Spec, path: EventPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    (tmp_path / "gate").mkdir()
    machines = started(tmp_path / "gate")
    try:
        machines.fill(2)
        killer = when_held(machines, machines.kill)
        error = refused(lambda: sweep(gated, path, many(gated), on=machines.on))
        killer.join(timeout=30)
    finally:
        machines.end()
    assert (error.code, error.message) == (
        "HR833", "a task of 50 sets was lost with every worker that it ran on",
    )  # fmt: skip


# --- in TLS ---


def certificates(folder: Path) -> dict[str, str]:
    """Return Dask's settings for one key and certificate of 127.0.0.1, made for the day."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificates, is not installed")
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, *subject]
    subprocess.run([*command, "-out", certificate], check=True, capture_output=True)
    roles = {f"{role}.{what}": file for role in ROLES for what, file in (("cert", certificate), ("key", key))}
    return {"ca-file": certificate, **roles}


ROLES = ("scheduler", "worker", "client")


@pytest.mark.slow
def test_a_scheduler_is_spoken_to_in_tls(
    tmp_path: Path, spec: Spec, path: EventPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask = pytest.importorskip("dask")
    settings = certificates(tmp_path)
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME", "tls")
    for name, file in settings.items():
        spelt = name.upper().replace(".", "__").replace("-", "_")
        monkeypatch.setenv(f"DASK_DISTRIBUTED__COMM__TLS__{spelt}", file)
    machines = started(tmp_path)
    try:
        machines.fill(1)
        assert machines.on.startswith("tls://")
        error = refused(lambda: sweep(spec, path, many(spec), on=machines.on))
        assert error.message == f"there are no certificates to speak to `{machines.on}` with"
        with dask.config.set({f"distributed.comm.tls.{name}": file for name, file in settings.items()}):
            assert len(sweep(spec, path, many(spec), on=machines.on)) == 120
    finally:
        machines.end()


def test_settings_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    dask = pytest.importorskip("dask")
    with dask.config.set({"distributed.comm.require-encryption": True}):
        error = refused(lambda: cluster_workers._connected("dask://127.0.0.1:1"))
    assert error.message == "Dask's settings ask for TLS, and `dask://127.0.0.1:1` has none"
    nowhere = str(tmp_path / "nowhere.pem")
    with dask.config.set({"distributed.comm.tls.ca-file": nowhere, "distributed.comm.tls.client.cert": nowhere}):
        error = refused(lambda: cluster_workers._connected("tls://127.0.0.1:1"))
    assert error.message.startswith("the certificates of Dask's settings cannot be read: ")


# --- interrupted ---


def test_an_interrupted_sweep_goes_on_to_the_same_bytes(
    machines: Machines, spec: Spec, path: EventPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BLOCK_SECONDS", 0.0)
    options: dict[str, Any] = {"backend": "live", "keep_days": True}
    done: list[int] = []
    first = sweep(
        spec, path, many(spec), folder=tmp_path / "there", on=machines.on,
        interrupted=lambda: max(done, default=0) >= 100, progress=lambda at: done.append(at.done), **options,
    )  # fmt: skip
    assert first.interrupted
    assert len(first) == 100
    sweep(spec, path, many(spec), folder=tmp_path / "there", on=machines.on, resume=True, **options)
    sweep(spec, path, many(spec), folder=tmp_path / "here", **options)
    assert written(tmp_path / "there") == written(tmp_path / "here")


def test_a_stop_reaches_the_workers_between_two_sets(machines: Machines, spec: Spec) -> None:
    path, sets = market(spec, walk(20_000, 8)), many(spec)
    results = Results.empty(shape_of(spec.program(), len(path.stops)), len(sets))
    on_cluster = ClusterRunner(machines.on, spec, "same", "tick", "live")
    try:
        done = on_cluster.run(sets, np.full(len(sets), 1000.0), path, results, interrupted=lambda: True)
    finally:
        on_cluster.close()
    assert done == results.done.sum() < len(sets)
    rows = np.flatnonzero(results.done)
    assert_same(results.part(rows), run_live(spec, sets.take(rows), path))


def test_a_task_begins_no_set_after_a_stop(spec: Spec, path: EventPath) -> None:
    sets = many(spec)[:3]
    freight = Freight(job_of(spec, "same", "tick", native=False), path)
    for name, done in (("going on", 3), ("stopped", 0)):
        if not done:
            stop(name)
        assert run_batch(freight, Batch(tuple(sets), np.full(3, 1000.0), name)).done.sum() == done


# --- what is sent ---


@pytest.mark.parametrize("file", sorted(SPECS.rglob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_spec_is_the_same_program_where_only_its_texts_are(file: Path) -> None:
    shipped = load(file, permit=cluster_task.WAIVABLE)
    event = next((each.name for each in shipped.program().events), "tick")
    assert answer(job_of(shipped, "next", event, native=False)) == Answer("", "asked for")


USER = "hedgerow: 1\nname: user\nuse: {c: {spec: PART}}\n"
PART = (
    "hedgerow: 1\nname: part\nevents: {tick: {price: {}}}\n"
    "machine: {initial: on, states: {on: {on: {tick: {name: go, to: off}}}, off: {}}}\n"
)


@pytest.mark.parametrize(("folder", "part"), [(".", "part.yaml"), (".", "inner/part.yaml"), ("inner", "../part.yaml")])
def test_files_that_a_spec_uses_are_laid_out_as_they_were(tmp_path: Path, folder: str, part: str) -> None:
    home = tmp_path / folder
    home.mkdir(exist_ok=True)
    (home / part).parent.mkdir(exist_ok=True)
    (home / part).write_text(PART)
    (home / "user.yaml").write_text(USER.replace("PART", part))
    job = job_of(load(home / "user.yaml"), "same", "tick", native=False)
    assert answer(job) == Answer("", "asked for")
    assert not any(str(tmp_path) in text for pair in job.texts for text in pair)


def test_a_text_in_memory_finds_the_files_that_it_uses(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(PART)
    job = job_of(loads(USER.replace("PART", "part.yaml"), folder=tmp_path), "same", "tick", native=False)
    assert answer(job) == Answer("", "asked for")


def test_a_text_in_memory_whose_files_stand_nobody_knows_where_is_refused(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(PART)
    (tmp_path / "inner").mkdir()
    told = loads(USER.replace("PART", "../part.yaml"), folder=tmp_path / "inner")
    error = refused(lambda: job_of(told, "same", "tick", native=False))
    assert (error.code, error.message) == ("HR807", "the files that the spec uses cannot be told apart from others")


def test_what_lies_askew_after_its_way_is_put_straight(spec: Spec, path: EventPath) -> None:
    crooked = np.frombuffer(bytearray(b"\0" + path.times.tobytes()), np.int64, offset=1)
    freight = Freight.__new__(Freight)
    freight.__setstate__({"job": None, "key": "", "path": type(path)(**{**vars(path), "times": crooked})})
    assert not crooked.flags.aligned
    assert freight.path.times.flags.aligned
    np.testing.assert_array_equal(freight.path.times, path.times)


# --- what cannot be ---


@pytest.mark.parametrize(
    "on",
    [
        "", "10.0.0.7:8786", "tcp://10.0.0.7:8786", "dask://10.0.0.7", "dask://:8786", "dask://a b:1", "dask://a:0",
        "dask://a:65536", "dask://a:1/x", "dask://me@a:1", "DASK://a:1",
    ],
)  # fmt: skip
def test_an_address_of_another_form_is_refused(on: str) -> None:
    error = refused(lambda: scheduler_address(on))
    assert (error.code, error.file, error.message) == ("HR833", "--on", f"`{on}` is no address of a scheduler")
    assert error.help == "write dask://host:port, e.g. dask://127.0.0.1:8786"


def test_addresses_in_dasks_own_words() -> None:
    pytest.importorskip("distributed")
    assert scheduler_address("dask://127.0.0.1:8786") == "tcp://127.0.0.1:8786"
    assert scheduler_address("tls://desk.example:1") == "tls://desk.example:1"
    assert scheduler_address("dask://[::1]:65535") == "tcp://[::1]:65535"


def test_without_distributed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    error = refused(lambda: scheduler_address("dask://127.0.0.1:8786"))
    assert (error.code, error.help) == ("HR809", "install the extra: pip install 'hedgerow[cluster]'")


def test_workers_of_this_machine_and_of_a_cluster_cannot_be_asked_for_together(spec: Spec, path: EventPath) -> None:
    error = refused(lambda: sweep(spec, path, many(spec), workers=2, on="dask://127.0.0.1:8786"))
    assert (error.code, error.file, error.message) == ("HR807", "--workers", "a cluster has its own workers")


def test_a_cluster_that_is_not_there_is_told_before_anything_is_written(
    spec: Spec, path: EventPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster_workers, "CONNECT_SECONDS", 0.3)
    with socket.socket() as taken:  # bound and not listening: nobody else is there either
        taken.bind(("127.0.0.1", 0))
        on = f"dask://127.0.0.1:{taken.getsockname()[1]}"
        error = refused(lambda: sweep(spec, path, many(spec), folder=tmp_path / "there", on=on))
    assert (error.code, error.message) == ("HR833", f"no scheduler answers at `{on}` within 0.3 s")
    assert error.help == "start one: dask scheduler, or check the address, and whether it is tls://"
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(
    ("has", "why"),
    [
        ("old", f"it has hedgerow 0.0.1, and this machine {__version__}"),
        ("other", "the spec is another program there: the code of that hedgerow is not the code of this one"),
    ],
)
def test_a_worker_that_is_another_one_is_refused(
    machines: Machines, spec: Spec, path: EventPath, has: str, why: str
) -> None:
    address = machines.start(has).address
    error = refused(lambda: sweep(spec, path, many(spec), on=machines.on))
    assert (error.code, error.message) == ("HR833", f"worker `{address}`: {why}")


def test_another_python_and_no_hedgerow_are_refused() -> None:
    own = sys.version.split()[0]
    assert cluster_workers._other("3.9.1", __version__) == f"it has Python 3.9.1, and this machine {own}"
    assert cluster_workers._other(own, ModuleNotFoundError("No module named 'hedgerow'")).startswith(
        "it has no hedgerow: "
    )
    assert cluster_workers._other(f"{sys.version_info[0]}.{sys.version_info[1]}.99", __version__) == ""


def test_a_function_that_a_worker_cannot_import_is_named(
    machines: Machines, path: EventPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def gate(x: float) -> float:\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    here = loads(GATED, registry=Registry({GATE: Binding(GATE, "guard", "only_here:gate")}))
    error = refused(lambda: sweep(here, path, many(here), on=machines.on))
    first = min(each.address for each in machines.workers)
    assert error.code == "HR833"
    assert error.message == (
        f"worker `{first}`: `desk.gate` cannot be imported from `only_here:gate`: No module named 'only_here', "
        "and 1 more of 2 workers do not fit"
    )


def test_results_that_are_not_whole_are_no_table(spec: Spec, path: EventPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that runs today sends half a task back; what would is told, and no table is made of it."""
    pytest.importorskip("distributed")

    class Nobody:
        fit: dict[str, int] = {"a": 1}  # noqa: RUF012

        def look(self) -> bool:
            return False

    broken = ClusterRunner.__new__(ClusterRunner)
    broken.__dict__.update(_cluster=Nobody(), backend="live")
    empty = Results.empty(shape_of(spec.program(), len(path.stops)), 3)
    monkeypatch.setattr(ClusterRunner, "_send", lambda *_: [])
    monkeypatch.setattr(cluster, "ASKED_EVERY", 0.0)
    error = refused(lambda: broken.run(many(spec)[:3], np.ones(3), path, empty))
    assert (error.code, error.message) == ("HR833", "3 of 3 sets did not come back whole")

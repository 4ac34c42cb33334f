"""Load on Yuxin and on what it is set beside, in one run on one machine: see run --help. Standard library alone."""

import argparse
import json
import os
import pathlib
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RELEASE = ROOT / "target" / "release"
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, seconds=60):
    until = time.time() + seconds
    while time.time() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port} after {seconds} s")


def call(method, url, body=None, key=None):
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as reply:
        return json.loads(reply.read())


class Process:
    """A server with what it has used: CPU seconds and resident memory, its children's included."""

    def __init__(self, args, env=None, log=None):
        self.log = open(log, "wb") if log else subprocess.DEVNULL
        self.popen = subprocess.Popen(
            [str(a) for a in args], env={**os.environ, **(env or {})}, cwd=ROOT, stdout=self.log, stderr=self.log
        )

    def pids(self):
        found, todo = [], [self.popen.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            try:
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    todo += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                pass
        return found

    def cpu_seconds(self):
        return sum(cpu_of(pid) for pid in self.pids())

    def memory_mb(self):
        return sum(memory_of(pid) for pid in self.pids())

    def stop(self):
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def cpu_of(pid):
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    except OSError:
        return 0.0


def memory_of(pid):
    try:
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024
    except (OSError, TypeError):
        return 0.0


class Departments(Process):
    """`yuxin sandbox`; with delay_ms, behind a fault script that holds every answer for so long."""

    def __init__(self, work, delay_ms=0):
        self.port = free_port()
        args = [RELEASE / "yuxin", "sandbox", "--listen", f"127.0.0.1:{self.port}"]
        if delay_ms:
            script = work / "slow.toml"
            step = f"steps = [{{ fault = \"slow\", ms = {delay_ms} }}]\n"
            script.write_text("".join(f"[{d}]\n{step}" for d in ("tax", "social_insurance", "payment_history")))
            args += ["--faults", script]
        super().__init__(args, log=work / "departments.log")
        wait_for(self.port)
        self.base = f"http://127.0.0.1:{self.port}"


class Yuxin(Process):
    """`yuxin serve` on a store, with a bank's key and a consent of each firm."""

    def __init__(self, work, name, store, departments, cache_seconds, settings=None):
        self.store, self.port, self.management = store, free_port(), free_port()
        self.env = {
            "YUXIN_SERVER__LISTEN": f"127.0.0.1:{self.port}",
            "YUXIN_MANAGEMENT__LISTEN": f"127.0.0.1:{self.management}",
            "YUXIN_SERVER__QUOTA_PER_SECOND": "1000000",
            "YUXIN_SERVER__QUOTA_BURST": "1000000",
            "YUXIN_STORE__URL": store,
            "YUXIN_SOURCES__CACHE_SECONDS": str(cache_seconds),
            **{f"YUXIN_SOURCES__{d}__BASE_URL": departments.base for d in ("TAX", "SOCIAL_INSURANCE", "PAYMENT_HISTORY")},
            **(settings or {}),
        }
        super().__init__([RELEASE / "yuxin", "serve"], self.env, work / f"{name}.log")
        wait_for(self.management)
        wait_for(self.port)
        self.key = self.command("keys", "create", "--bank", "Load bank").strip()
        self.url = f"http://127.0.0.1:{self.port}/v1/decisions"

    def command(self, *args):
        done = subprocess.run([RELEASE / "yuxin", *args], env={**os.environ, **self.env}, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"yuxin {' '.join(args)}: {done.stderr}")
        return done.stdout

    def consents(self, firms):
        def register(uscc):
            ask = {
                "uscc": uscc,
                "purposes": ["working_capital"],
                "valid_until": "2099-01-01T00:00:00Z",
                "document_sha256": "0" * 64,
            }
            reply = call("POST", f"http://127.0.0.1:{self.port}/v1/consents", ask, self.key)
            return {"uscc": uscc, "consent_id": reply["id"], "purpose": "working_capital", "amount_fen": 50_000_000, "term_months": 12}

        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(register, firms))



def wrk(port, key, bodies, seconds, connections):
    env = {**os.environ, "LOAD_KEY": key, "LOAD_BODIES": str(bodies)}
    threads = 1
    args = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(HERE / "decisions.lua"), f"http://127.0.0.1:{port}/"]
    done = subprocess.run(args, env=env, capture_output=True, text=True)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        sys.exit(f"wrk said: {done.stdout}\n{done.stderr}")
    return json.loads(line.removeprefix("RESULT "))


def measure(server, port, key, bodies, seconds, connections):
    """One stretch of load with what the server used for it."""
    cpu = server.cpu_seconds()
    result = wrk(port, key, bodies, seconds, connections)
    used = server.cpu_seconds() - cpu
    good = result["requests"] - result["refused"]
    result["per_second"] = good / result["seconds"]
    result["cpu_us"] = used / max(good, 1) * 1e6
    result["memory_mb"] = server.memory_mb()
    return result


class Postgres(Process):
    """A server of its own with the defaults of durability (fsync and synchronous_commit on)."""

    def __init__(self, work):
        binaries = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        if not binaries:
            sys.exit("PostgreSQL is not installed: apt-get install postgresql")
        self.binaries, self.port, data = binaries[-1], free_port(), work / "postgres"
        self.user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.user:
            data.mkdir()
            work.chmod(0o755)
            subprocess.run(["chown", "postgres", data], check=True)
        quiet = {"stdout": subprocess.DEVNULL, "check": True, "cwd": "/"}
        subprocess.run([*self.user, self.binaries / "initdb", "-D", data, "-U", "load", "-A", "trust", "-E", "UTF8"], **quiet)
        options = ["-p", self.port, "-k", "", "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB"]
        super().__init__([*self.user, self.binaries / "postgres", "-D", data, *options], log=work / "postgres.log")
        wait_for(self.port)
        time.sleep(1)

    def database(self, name):
        base = f"postgres://load@127.0.0.1:{self.port}"
        subprocess.run(["psql", f"{base}/postgres", "-qc", f"CREATE DATABASE {name}"], check=True)
        return f"{base}/{name}"


class Peer(Process):
    """The FastAPI peer, one uvicorn worker for each core."""

    def __init__(self, work, python, store, bodies, key, name):
        self.store, self.port = store, free_port()
        env = {"PEER_STORE": store, "PEER_BODIES": str(bodies), "LOAD_KEY": key, "OMP_NUM_THREADS": "1"}
        args = ["-m", "uvicorn", "peer:app", "--app-dir", HERE, "--port", self.port, "--workers", os.cpu_count(), "--log-level", "warning"]
        super().__init__([python, *args], env, work / f"{name}.log")
        wait_for(self.port)
        time.sleep(8)  # each worker trains its models


class Both:
    """A server and the database server that works for it, counted together."""

    def __init__(self, *parts):
        self.parts = parts

    def cpu_seconds(self):
        return sum(part.cpu_seconds() for part in self.parts)

    def memory_mb(self):
        return sum(part.memory_mb() for part in self.parts)


def count(store, sql="SELECT COUNT(*) FROM decisions"):
    if store.startswith("sqlite"):
        import sqlite3

        with sqlite3.connect(f"file:{store.removeprefix('sqlite://')}?mode=ro", uri=True) as db:
            return db.execute(sql).fetchone()[0]
    return int(subprocess.run(["psql", store, "-Atc", sql], capture_output=True, text=True, check=True).stdout)


class Contest:
    """One run: everything on one machine, one after the other, several rounds of each, medians."""

    def __init__(self, args, work):
        self.args, self.work, self.rows = args, work, []
        self.departments = Departments(work)
        self.firms = [firm["uscc"] for firm in call("GET", f"{self.departments.base}/firms?limit={args.firms}")]

    def round(self, label, server, port, key, bodies, store=None):
        """Load for each round; reconciles what was acknowledged with what is stored."""
        before = count(store) if store else 0
        runs = [measure(server, port, key, bodies, self.args.seconds, self.args.connections) for _ in range(self.args.rounds)]
        time.sleep(1)  # what was under way when the load stopped
        middle = {field: statistics.median(run[field] for run in runs) for field in ("per_second", "p50_ms", "p99_ms", "cpu_us", "memory_mb")}
        acknowledged = sum(run["requests"] - run["refused"] for run in runs)
        middle |= {
            "label": label,
            "refused": sum(run["refused"] for run in runs),
            "broken": sum(run["broken"] for run in runs),
            "acknowledged": acknowledged,
            "stored": count(store) - before if store else None,
        }
        if store:
            # Requests under way at the end of a round are stored and were not waited for.
            most = acknowledged + self.args.connections * self.args.rounds
            middle["reconciled"] = acknowledged <= middle["stored"] <= most
        self.rows.append(middle)
        print(json.dumps(middle), flush=True)
        return middle

    def yuxin(self, label, name, store, departments, cache_seconds, extra=(), settings=None):
        yuxin = Yuxin(self.work, name, store, departments, cache_seconds, settings)
        asks = yuxin.consents(self.firms)
        bodies = self.work / f"{name}.bodies"
        bodies.write_text("".join(json.dumps(ask) + "\n" for ask in asks))
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda ask: call("POST", yuxin.url, ask, yuxin.key), asks))
        self.round(label, Both(yuxin, *extra), yuxin.port, yuxin.key, bodies, store)
        yuxin.stop()
        return bodies, yuxin.key, replies

    def run(self):
        a = self.args
        lite = f"sqlite://{self.work}/yuxin.db"
        bodies, key, replies = self.yuxin("Yuxin, SQLite, warm evidence", "sqlite", lite, self.departments, 3600)
        size = statistics.mean(len(json.dumps(r, ensure_ascii=False, separators=(",", ":")).encode()) for r in replies)
        reply = self.work / "reply.json"
        reply.write_text('{"reply":"' + "x" * (int(size) - 12) + '"}')
        port = free_port()
        echo = Process([RELEASE / "examples" / "echo", f"127.0.0.1:{port}", reply], log=self.work / "echo.log")
        wait_for(port)
        self.round("bare actix-web echo", echo, port, key, bodies)
        echo.stop()
        postgres = Postgres(self.work)
        url = postgres.database("yuxin")
        self.yuxin("Yuxin, PostgreSQL, warm evidence", "postgresql", url, self.departments, 3600, [postgres])
        slow = Departments(self.work, 80)
        lite_cold = f"sqlite://{self.work}/cold.db"
        many = {"YUXIN_SOURCES__CONCURRENT_MAX": "1024"}
        self.yuxin("Yuxin, SQLite, departments at 80 ms", "cold", lite_cold, slow, 0, settings=many)
        slow.stop()
        for name, store, extra in (
            ("SQLite", f"sqlite://{self.work}/peer.db", []),
            ("PostgreSQL", postgres.database("peer"), [postgres]),
        ):
            peer = Peer(self.work, a.python, store, bodies, key, f"peer-{name}")
            self.round(f"FastAPI peer, {name}", Both(peer, *extra), peer.port, key, bodies, store)
            peer.stop()
        postgres.stop()
        self.departments.stop()


def table(rows):
    ceiling = next(row["per_second"] for row in rows if row["label"].startswith("bare"))
    lines = [
        "| | answers/s | of the echo's | p50 ms | p99 ms | CPU µs an answer | memory MB | acknowledged / stored |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        stored = "" if row["stored"] is None else f"{row['acknowledged']} / {row['stored']}{'' if row['reconciled'] else ' (!)'}"
        lines.append(
            f"| {row['label']} | {row['per_second']:.0f} | {row['per_second'] / ceiling:.3f} | {row['p50_ms']:.1f} | {row['p99_ms']:.1f} "
            f"| {row['cpu_us']:.0f} | {row['memory_mb']:.0f} | {stored} |"
        )
    return "\n".join(lines)


def plot(python, rows, path):
    """Drawn by the peer's Python, which has matplotlib."""
    script = (
        "import json, sys, matplotlib; matplotlib.use('svg'); import matplotlib.pyplot as plt\n"
        "rows = json.load(sys.stdin)[::-1]\n"
        "fig, ax = plt.subplots(figsize=(8, 3.2), layout='constrained')\n"
        "ax.barh([r['label'] for r in rows], [r['per_second'] for r in rows], color='#336699'); ax.set_xscale('log')\n"
        "[ax.text(r['per_second'], i, f\" {r['per_second']:.0f}\", va='center') for i, r in enumerate(rows)]\n"
        "ax.set_xlabel('answers a second (logarithmic)'); ax.margins(x=0.12); fig.savefig(sys.argv[1])\n"
    )
    subprocess.run([python, "-c", script, str(path)], input=json.dumps(rows), text=True, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of load in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--firms", type=int, default=1000)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target" / "load")
    parser.add_argument("--python", default=sys.executable, help="the Python with the peer's packages")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=args.out) as work:
        contest = Contest(args, pathlib.Path(work))
        contest.run()
    (args.out / "load.json").write_text(json.dumps(contest.rows, indent=1))
    (args.out / "load.md").write_text(table(contest.rows) + "\n")
    plot(args.python, contest.rows, args.out / "load.svg")
    print(table(contest.rows))


if __name__ == "__main__":
    main()

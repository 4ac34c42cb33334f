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

    def stored(self):
        """Decisions in the store, counted there."""
        sql = "SELECT COUNT(*) FROM decisions"
        if self.store.startswith("sqlite"):
            import sqlite3

            with sqlite3.connect(f"file:{self.store.removeprefix('sqlite://')}?mode=ro", uri=True) as db:
                return db.execute(sql).fetchone()[0]
        return int(subprocess.run(["psql", self.store, "-Atc", sql], capture_output=True, text=True, check=True).stdout)


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

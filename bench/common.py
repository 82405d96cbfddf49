"""What the benchmarks share: programs that are started, measured and ended by their id."""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEY = "benchmark-admin-key-0123456789ab"
TICK = os.sysconf("SC_CLK_TCK")


def need(*programs):
    """Installs by apt what is missing; `programs` are (command, package)."""
    missing = [package for command, package in programs if not shutil.which(command, path=os.environ["PATH"] + ":/usr/sbin")]
    if not missing:
        return
    apt = ["apt-get"] if os.geteuid() == 0 else ["sudo", "apt-get"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*apt, "update", "-qq"], check=True, env=environment)
    subprocess.run([*apt, "install", "-qq", "-y", "--no-install-recommends", *missing], check=True, env=environment)


def build(program="lockgate", variable="LOCKGATE_BIN"):
    """A program as it is released: what the environment names, or what `cargo xtask release` builds."""
    if path := os.environ.get(variable):
        return pathlib.Path(path).resolve()
    lines = subprocess.run(["cargo", "xtask", "release"], check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    built = {path.name: path for path in map(pathlib.Path, lines)}
    os.environ["LOCKGATE_BIN"], os.environ["BARE_BIN"] = str(built["lockgate"]), str(built["bare"])
    return built[program]


def target():
    """Where cargo leaves what it builds."""
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def free_ports(count):
    """Consecutive ports on loopback that nobody holds."""
    for base in range(18600, 30000, 20):
        sockets = []
        try:
            for port in range(base, base + count):
                sockets.append(socket.create_server(("127.0.0.1", port)))
            return list(range(base, base + count))
        except OSError:
            continue
        finally:
            for taken in sockets:
                taken.close()
    sys.exit("no free ports on loopback")


class Program:
    """A started program; ended by its id, with its output kept in a file."""

    started = []

    def __init__(self, name, arguments, directory, pin=None):
        self.name, self.log = name, directory / f"{name}.log"
        arguments = [str(argument) for argument in arguments]
        if pin is not None:
            arguments = ["taskset", "-c", str(pin), *arguments]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory)
        Program.started.append(self)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @classmethod
    def stop_named(cls, *names):
        for program in cls.started:
            if program.name in names:
                program.stop()

    @classmethod
    def stop_all(cls):
        for program in reversed(cls.started):
            program.stop()

    def fail(self, what):
        sys.exit(f"{self.name}: {what}\n{self.log.read_text(errors='replace')[-3000:]}")


def ask(port, method, path, body=None, headers=None, timeout=10):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def wait_for(program, port, path="/", seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if program.process.poll() is not None:
            program.fail(f"ended with {program.process.returncode}")
        try:
            ask(port, "GET", path, timeout=2)
            if program.process.poll() is None:
                return
        except OSError:
            time.sleep(0.005)
    program.fail(f"no answer on port {port} within {seconds} s")


def settings(directory, proxy, admin, workers):
    """A configuration file for Lockgate; JSON is YAML."""
    path = directory / "config.yaml"
    path.write_text(json.dumps({
        "apisix": {"node_listen": [{"ip": "127.0.0.1", "port": proxy, "enable_http2": True}],
                   "enable_control": False},
        "deployment": {"admin": {"admin_key": [{"name": "admin", "key": KEY, "role": "admin"}],
                                 "admin_listen": {"ip": "127.0.0.1", "port": admin}}},
        "plugin_attr": {"prometheus": {"enable_export_server": False}},
        "nginx_config": {"worker_processes": workers,
                         "http": {"access_log": str(directory / "lockgate-access.log")}},
    }))
    return path


def put(admin, path, body):
    status, answer = ask(admin, "PUT", f"/apisix/admin{path}", json.dumps(body), {"X-API-KEY": KEY}, 60)
    if status not in (200, 201):
        sys.exit(f"PUT {path}: {status} {answer.decode(errors='replace')}")


def cpu(pid):
    """User and system time of a process with all its threads, in seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def running(pid):
    """What `cpu` tells, to the nanosecond; of threads that have ended it knows nothing."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident(pid):
    """Resident memory in MB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def instructions(program, directory, out, send, count=3000):
    """User-space instructions of a request: `send` sends so many of them to a program that runs under callgrind."""
    control = lambda word: subprocess.run(["callgrind_control", word, str(program.pid)], check=True, capture_output=True, timeout=120)
    send(500)
    control("-z")
    send(count)
    known = set(directory.glob(f"{out.name}*"))
    control("-d")
    for _ in range(600):
        for path in sorted(set(directory.glob(f"{out.name}.*")) - known):
            if found := re.search(r"^totals: (\d+)", path.read_text(errors="replace"), re.M):
                return int(found[1]) / count
        time.sleep(0.1)
    sys.exit("callgrind wrote no counts")


def under_callgrind(name, command, directory):
    """A program under callgrind, and where its counts go."""
    out = directory / f"callgrind-{name}"
    return Program(f"callgrind-{name}", ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *command], directory), out


def children(pid):
    return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

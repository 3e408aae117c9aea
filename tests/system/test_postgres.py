"""A real PostgreSQL server of its own for tests: in a temporary directory, on a Unix socket; gone at the end."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

PROGRAMS = pathlib.Path("/usr/lib/postgresql/15/bin")


class TestPostgres:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="feilun-postgres-"))
        self.url = f"postgresql:///postgres?user=feilun&host={self.directory}"
        self.process = None
        if os.geteuid() == 0:
            os.chown(self.directory, *self.user()[:2])
        subprocess.run([PROGRAMS / "initdb", "-D", self.directory / "data", "-U", "feilun", "-A", "trust", "-E", "UTF8",
                        "--locale=C", "--no-sync", "--no-instructions"],
                       check=True, stdout=subprocess.DEVNULL, cwd=self.directory, **self.as_user())
        self.start()

    @staticmethod
    def user():
        entry = pwd.getpwnam("postgres")
        return entry.pw_uid, entry.pw_gid

    def as_user(self):
        """The server refuses to run as root."""
        if os.geteuid() != 0:
            return {}
        uid, gid = self.user()
        return {"user": uid, "group": gid, "extra_groups": []}

    def start(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAMS / "postgres", "-D", self.directory / "data", "-k", self.directory, "-c", "listen_addresses="],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory, **self.as_user())
        while subprocess.run([PROGRAMS / "pg_isready", "-q", "-h", self.directory]).returncode != 0:
            if self.process.poll() is not None:
                raise RuntimeError((self.directory / "log").read_text())
            time.sleep(0.02)

    def stop(self, how=signal.SIGINT):
        """SIGINT: ends all connections and stops in good order."""
        self.process.send_signal(how)
        self.process.wait(30)

    def processes(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]

    def freeze(self):
        """It hangs: connections stay open, and nothing answers."""
        for process in self.processes():
            os.kill(process, signal.SIGSTOP)

    def thaw(self):
        for process in reversed(self.processes()):
            os.kill(process, signal.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.thaw()
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)

"""The real, unmodified control plane on loopback, in a process that can reach no other machine."""

import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from tests.end_to_end.control_plane.installed import ensure_installed
from tests.end_to_end.control_plane.postgres import Postgres, dies_with_parent
from tests.end_to_end.control_plane.services import Services
from tests.support.waiting import LONG_PATIENCE, PATIENCE, wait_until

HERE = Path(__file__).parent
# Nothing listens on this port, so a connection is refused at once.
CLOSED = "127.0.0.1:9"

# Settings of the program's remote services: answered by the stub, refused, or switched off.
STUBBED = ("KUBIYA_API_BASE", "KUBIYA_API_URL", "ENFORCER_SERVICE_URL")
REFUSED = (
    *("TEMPORAL_CLOUD_PROXY_URL", "TEMPORAL_WORKFLOWS_API_BASE", "CONTEXT_GRAPH_API_BASE", "ORCHESTRATOR_API_BASE"),
    *("LITELLM_API_BASE", "LITELLM_API_URL"),
)
OFF = {
    "AGNO_TELEMETRY": "false",
    "ANONYMIZED_TELEMETRY": "false",
    "DO_NOT_TRACK": "1",
    "KUBIYA_RECOMMENDED_WORKER_VERSION": "1.0.2",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",
    "OTEL_ENABLED": "false",
    "OTEL_LOCAL_STORAGE_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
}


class ControlPlane:
    """A running control plane with its database and the services that it calls."""

    def __init__(self) -> None:
        self._python = ensure_installed()
        self.folder = Path(tempfile.mkdtemp(prefix="control-plane-"))
        self.egress = self.folder / "egress"
        self.log = self.folder / "log"
        self.services = Services()
        self.database = Postgres()
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._process = self._start()

    def stop(self) -> None:
        """Stop the control plane, its database and services, and remove their files."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.database.stop()
        self.services.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def refused(self) -> list[str]:
        """Return the refused attempts to reach another machine."""
        return self.egress.read_text().splitlines() if self.egress.exists() else []

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the control plane, and migrate its database while it imports its modules."""
        shutil.copytree(HERE / "guard", self.folder / "guard")
        port = self.url.rpartition(":")[2]
        address = ["--host", "127.0.0.1", "--port", port, "--loop", "asyncio", "--no-access-log"]
        serve = ["-m", "uvicorn", "control_plane_api.app.main:app", *address, "--timeout-graceful-shutdown", "2"]
        migrate = [str(self._python.with_name("kubiya-migrate"))]
        with self.log.open("ab") as log:
            process = self._python_with(serve, log.fileno())
            if self._python_with(migrate, log.fileno()).wait(LONG_PATIENCE):
                raise RuntimeError(f"the database cannot be migrated:\n{self.log.read_text()}")
        self._wait(process)
        return process

    def _python_with(self, arguments: list[str], log: int) -> subprocess.Popen[bytes]:
        # It would read files in its working folder as settings, so that folder is empty.
        empty = self.folder / "empty"
        empty.mkdir(exist_ok=True)
        command = [*dies_with_parent("TERM"), str(self._python), *arguments]
        environ = self._environ()
        return subprocess.Popen(command, cwd=empty, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _environ(self) -> dict[str, str]:
        """Return the complete environment of its process: nothing is inherited."""
        return {
            **OFF,
            **dict.fromkeys(STUBBED, self.services.url),
            **dict.fromkeys(REFUSED, f"http://{CLOSED}"),
            **dict.fromkeys(("CONTROL_PLANE_URL", "CONTROL_PLANE_API_URL"), self.url),
            **dict.fromkeys(("TEMPORAL_HOST", "TEMPORAL_URL"), CLOSED),
            **dict.fromkeys(("HOME", "TMPDIR"), str(self.folder)),
            "DATABASE_URL": self.database.url,
            "ENVTREE_TEST_EGRESS": str(self.egress),
            "ENVIRONMENT": "development",
            "LANG": "C.UTF-8",
            "LOG_LEVEL": "info",
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(self.folder / "guard"),
            "PYTHONUNBUFFERED": "1",
            "SECRET_KEY": "throw-away",
            "TEMPORAL_NAMESPACE": "local",
        }

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        opener = build_opener(ProxyHandler({}))

        def answers() -> bool:
            assert process.poll() is None, f"the control plane does not start:\n{self.log.read_text()}"
            try:
                opener.open(f"{self.url}/api/openapi.json", timeout=PATIENCE).close()
            except (URLError, OSError):
                return False
            return True

        wait_until(answers, lambda: f"the control plane:\n{self.log.read_text()}", LONG_PATIENCE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

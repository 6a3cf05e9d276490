"""Starts the services of compose.yaml by podman, where there is no compose tool.

Environment, volumes and confinement are those of the file; a `subpath` becomes a bind
mount of that part of the volume. Consul and Redis are the host's, on the bridge's address.
The last argument is the Consul agent. Called by `tests/images compose`.
"""

import subprocess
import sys
import time
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
PODMAN = ["podman", "--runtime", "runc", "--cgroup-manager=cgroupfs"]
NAME = "gearmesh-try"
# A network that nobody has: 10.231.77.0/24.
NET = "10.231.77"
BRIDGE = f"{NET}.1"
PASSWORD = "try"
ENGINES = "vault file db email http browser state scheduler orchestrator events gateway".split()
STARTED_MAX_S = 60

services = yaml.safe_load((HERE / "compose.yaml").read_text())["services"]
addresses = {n: f"{NET}.{10 + i}" for i, n in enumerate(["identity", *ENGINES])}
hosts = [f"--add-host={n}:{a}" for n, a in {**addresses, "consul": BRIDGE, "redis": BRIDGE}.items()]


def podman(*args: str, check: bool = True) -> str:
    done = subprocess.run([*PODMAN, *args], capture_output=True, text=True)
    if check and done.returncode:
        raise SystemExit(f"podman {' '.join(args[:3])}: {done.stdout}{done.stderr}")
    return done.stdout


def volume(entry, files: str) -> str:
    if isinstance(entry, dict):
        part = f"{files}/{entry['volume']['subpath']}:{entry['target']}"
        return part + (":ro" if entry.get("read_only") else "")
    return f"{HERE}/{entry[2:]}" if entry.startswith("./") else f"{NAME}-{entry}"


def flags(name: str, files: str) -> list[str]:
    service = services[name]
    out = ["--no-healthcheck", "--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"]
    out += ["--read-only", "--read-only-tmpfs=false"] if service.get("read_only") else []
    out += [f"--tmpfs={t}" for t in service.get("tmpfs", [])]
    out += [f"--cap-drop={c}" for c in service.get("cap_drop", [])]
    out += [f"--shm-size={service['shm_size'][:-1]}"] if "shm_size" in service else []
    for option in service.get("security_opt", []):
        out.append("--security-opt=" + option.removesuffix(":true").replace("./", f"{HERE}/"))
    for key, value in service.get("environment", {}).items():
        value = value.replace("${REDIS_PASSWORD:?set it}", PASSWORD)
        out.append(f"--env={key}={value.replace('${OTEL_EXPORTER_OTLP_ENDPOINT:-}', '')}")
    out += [f"--volume={volume(v, files)}" for v in service.get("volumes", [])]
    if service.get("network_mode") == "none":
        return [*out, "--network=none"]
    address = [f"--ip={addresses[name]}"] if name in addresses else []
    return [*out, f"--network={NAME}", *address, *hosts]


def once(name: str, files: str, *command: str) -> str:
    return podman("run", "--rm", *flags(name, files), "localhost/gearmesh", *(command or services[name]["command"]))


def launch(name: str, files: str) -> None:
    podman("run", "-d", f"--name={NAME}-{name}", *flags(name, files), f"localhost/{services[name]['image']}")


def wait(names: list[str]) -> None:
    end = time.monotonic() + STARTED_MAX_S
    for name in names:
        while subprocess.run([*PODMAN, "exec", f"{NAME}-{name}", "/service", "health"], capture_output=True).returncode:
            if time.monotonic() > end:
                raise SystemExit(f"{name} does not serve: {podman('logs', '--tail=5', f'{NAME}-{name}')}")
            time.sleep(0.2)


def beside(*command: str) -> subprocess.Popen:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def clean() -> None:
    for name in [*reversed(ENGINES), "identity"]:
        podman("rm", "-fv", "--ignore", "-t", "12", f"{NAME}-{name}", check=False)
    for name in ["mesh", "identity", *ENGINES]:
        podman("volume", "rm", "-f", f"{NAME}-{name}", check=False)
    podman("network", "rm", "-f", NAME, check=False)


def main(consul: str) -> None:
    clean()
    podman("network", "create", f"--subnet={NET}.0/24", NAME)
    podman("volume", "create", f"{NAME}-mesh")
    files = podman("volume", "inspect", "--format={{.Mountpoint}}", f"{NAME}-mesh").strip()
    running = []
    try:
        once("init", files)
        # The bridge has its address with the first container; identity asks again for Consul.
        launch("identity", files)
        running.append(beside(consul, "agent", "-dev", "-bind", BRIDGE, "-client", BRIDGE, "-dns-port=-1",
                              "-grpc-port=-1", "-disable-host-node-id"))
        running.append(beside("redis-server", "--bind", BRIDGE, "--requirepass", PASSWORD, "--save", "", "--dir", "/tmp"))
        wait(["identity"])
        for name in ENGINES:
            launch(name, files)
        wait(ENGINES)
        once("renew", files)
        end = time.monotonic() + STARTED_MAX_S
        while missing := set(ENGINES) - {"gateway"} - {t.split(".")[0] for t in once("admin", files, "tool", "list", "-o", "name").split()}:
            if time.monotonic() > end:
                raise SystemExit(f"the gateway has no tools of {', '.join(sorted(missing))}")
        once("admin", files, "vault", "set", "--vault-name", "demo", "--credential-name", "greeting", "--value", "hello")
        print(once("admin", files, "events", "publish", "--topic", "tried", "--payload", "{}"))
    finally:
        clean()
        for process in running:
            process.terminate()
            process.wait()


main(sys.argv[-1])

"""A client that knows nothing of the mesh but its protos and its address.

Usage: client.py PROTO_FOLDER ADDRESS. Generates the stubs, calls through the
gateway, and prints what it saw as one JSON object.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import grpc
import grpc_tools

# The whole conversation; a call that hangs ends with its own deadline.
TIMEOUT_S = 30

WORKFLOW = """
name: from-afar
tasks:
  - {id: note, tool: file.write, params: {path: note.txt, content: hello}}
  - {id: look, tool: file.stat, params: {path: "${note.result.path}"}}
outputs:
  size: "${look.result.stats.size}"
"""


def generate(protos: pathlib.Path, out: pathlib.Path) -> None:
    """Generates the stubs of every package of ours; Google's come from its own distribution."""
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    files = sorted((protos / "gearmesh").rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{protos}", f"-I{well_known}"]
    command += [f"--python_out={out}", f"--grpc_python_out={out}"]
    subprocess.run(command + [str(file) for file in files], check=True)


def reason(error: grpc.RpcError) -> str:
    """The reason in the details of a failure."""
    from google.rpc import error_details_pb2, status_pb2

    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return f"{info.domain} {info.reason}"
    return ""


def converse(channel: grpc.Channel) -> dict:
    from gearmesh.file.v1 import file_pb2, file_pb2_grpc
    from gearmesh.orchestrator.v1 import orchestrator_pb2, orchestrator_pb2_grpc
    from gearmesh.state.v1 import state_pb2, state_pb2_grpc
    from gearmesh.tool.v1 import tool_pb2

    seen = {}
    files = file_pb2_grpc.FileServiceStub(channel)
    answer = files.Stat(file_pb2.StatRequest(path="/results/known.txt"), timeout=TIMEOUT_S)
    seen["size"] = answer.stats.size
    seen["isFile"] = answer.stats.is_file
    try:
        files.Stat(file_pb2.StatRequest(path="/results/none.txt"), timeout=TIMEOUT_S)
    except grpc.RpcError as error:
        seen["failure"] = [error.code().name, reason(error)]

    state = state_pb2_grpc.StateServiceStub(channel)
    value = tool_pb2.Json(text=b'{"n": 1}')
    answer = state.Put(state_pb2.PutRequest(key="k", value=value), timeout=TIMEOUT_S)
    seen["version"] = answer.version

    runs = orchestrator_pb2_grpc.OrchestratorServiceStub(channel)
    start = orchestrator_pb2.StartRunRequest(source=WORKFLOW, file_name="from-afar.workflow.yaml")
    run = runs.StartRun(start, timeout=TIMEOUT_S).run
    seen["run"] = run.run_id
    seen["events"] = []
    for event in runs.WatchRun(orchestrator_pb2.WatchRunRequest(run_id=run.run_id), timeout=TIMEOUT_S):
        seen["events"].append(f"{event.task} {event.status}".strip())
        last = event
    seen["status"] = last.run.status
    seen["outputs"] = json.loads(last.run.outputs.text)
    return seen


def main() -> None:
    protos, address = pathlib.Path(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        generate(protos, pathlib.Path(folder))
        sys.path.insert(0, folder)
        with grpc.insecure_channel(address) as channel:
            print(json.dumps(converse(channel)))


if __name__ == "__main__":
    main()

"""A client that knows no proto at all: it learns them by reflection, over mutual TLS.

Usage: every_service.py ADDRESS CA CERT KEY. Lists the services, calls one harmless
RPC of each, and prints what came as one JSON object. With the word `-` as CERT it
shows no certificate.
"""

import json
import pathlib
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

# The whole conversation; a call that hangs ends with its own deadline.
TIMEOUT_S = 30

# A call of each service that changes nothing, by the full name of its method.
CALLS = {
    "gearmesh.vault.v1.VaultService/ListVaults": {},
    "gearmesh.file.v1.FileService/Exists": {"path": "work://nothing"},
    "gearmesh.email.v1.EmailService/ListConnections": {},
    "gearmesh.db.v1.DbService/ListConnections": {},
    "gearmesh.browser.v1.BrowserService/SessionList": {},
    "gearmesh.http.v1.HttpService/Request": {"url": "/api/alpha", "connection": "demo-site"},
    "gearmesh.events.v1.EventsService/ListTopics": {},
    "gearmesh.state.v1.StateService/List": {"prefix": "none/"},
    "gearmesh.scheduler.v1.SchedulerService/List": {},
    "gearmesh.orchestrator.v1.OrchestratorService/ListRuns": {},
    "gearmesh.identity.v1.IdentityService/ListTokens": {},
    "grpc.health.v1.Health/Check": {},
}


def connect(address: str, ca: str, cert: str, key: str) -> grpc.Channel:
    def read(path: str) -> bytes:
        return pathlib.Path(path).read_bytes()

    shown = {} if cert == "-" else {"private_key": read(key), "certificate_chain": read(cert)}
    credentials = grpc.ssl_channel_credentials(root_certificates=read(ca), **shown)
    return grpc.secure_channel(address, credentials)


def outcome(call) -> str:
    try:
        call()
        return "OK"
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"


def main() -> None:
    channel = connect(*sys.argv[1:5])
    try:
        database = ProtoReflectionDescriptorDatabase(channel)
        services = sorted(database.get_services())
    except grpc.RpcError as error:
        print(json.dumps({"refused": error.code().name, "details": error.details()}))
        return
    pool = descriptor_pool.DescriptorPool(database)
    calls = {}
    for path, request in CALLS.items():
        service, method = path.split("/")
        described = pool.FindServiceByName(service).FindMethodByName(method)
        ask = message_factory.GetMessageClass(described.input_type)
        answer = message_factory.GetMessageClass(described.output_type)
        call = channel.unary_unary(
            f"/{path}",
            request_serializer=ask.SerializeToString,
            response_deserializer=answer.FromString,
        )
        message = json_format.ParseDict(request, ask())
        calls[path] = outcome(lambda: call(message, timeout=TIMEOUT_S))
    print(json.dumps({"services": services, "calls": calls}))


if __name__ == "__main__":
    main()

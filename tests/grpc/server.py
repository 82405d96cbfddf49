"""A gRPC service of plain bytes: one call of each kind. usage: server.py [CERTIFICATE KEY]; prints its port."""

import sys
from concurrent import futures

import grpc


def unary(request, context):
    metadata = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-first", "1"),))
    context.set_trailing_metadata((("x-last", metadata.get("x-asked", "-")),))
    if request == b"fail":
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    return request[::-1]


def down(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def up(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def both(requests, context):
    for request in requests:
        yield request + b"!"


def describe(request, context):
    metadata = dict(context.invocation_metadata())
    context.set_trailing_metadata((("x-bytes-bin", metadata["x-bytes-bin"]),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "größer als 100 % ✓")


def main():
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Down": grpc.unary_stream_rpc_method_handler(down),
        "Up": grpc.stream_unary_rpc_method_handler(up),
        "Describe": grpc.unary_unary_rpc_method_handler(describe),
        "Both": grpc.stream_stream_rpc_method_handler(both),
    }
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("lockgate.Test", handlers),))
    if len(sys.argv) > 2:
        certificate, key = (open(path, "rb").read() for path in sys.argv[1:3])
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(((key, certificate),)))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


main()

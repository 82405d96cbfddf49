"""Runs a Python handler as a Lambda function: asks the Runtime API for calls and answers them.

A function that brings awslambdaric is run by that instead. A handler may be a generator: then its answer is
streamed, each bytes or str as it is yielded; a dict yielded first is the head of an HTTP answer.
"""

import base64
import http.client
import importlib
import importlib.util
import inspect
import json
import os
import runpy
import sys
import time
import traceback

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
ROOT = os.environ.get("LAMBDA_TASK_ROOT", os.getcwd())
HANDLER = os.environ["_HANDLER"]
PREFIX = "/2018-06-01/runtime"
HTTP_ANSWER = "application/vnd.awslambda.http-integration-response"


class Context:
    """What a handler may ask about its call."""

    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        client = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = json.loads(client) if client else None
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


class Api:
    """One connection to the Runtime API."""

    def __init__(self):
        self.connection = http.client.HTTPConnection(API)

    def post(self, path, body, headers=None):
        self.connection.request("POST", PREFIX + path, body, headers or {})
        response = self.connection.getresponse()
        response.read()
        return response.status

    def next(self):
        self.connection.request("GET", PREFIX + "/invocation/next")
        response = self.connection.getresponse()
        body = response.read()
        if response.status != 200:
            sys.exit(0)
        return response.headers, body

    def stream(self, path, content_type, chunks):
        """Sends chunks as they come. What goes wrong on the way is told in the trailers."""
        connection = self.connection
        connection.putrequest("POST", PREFIX + path)
        connection.putheader("Content-Type", content_type)
        connection.putheader("Transfer-Encoding", "chunked")
        connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
        connection.putheader("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")
        connection.endheaders()
        trailers = b""
        try:
            for chunk in chunks:
                if chunk:
                    connection.send(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
        except OSError:
            raise
        except BaseException as error:
            body = base64.b64encode(described(error))
            trailers = b"Lambda-Runtime-Function-Error-Type: Runtime.%s\r\n" % type(error).__name__.encode()
            trailers += b"Lambda-Runtime-Function-Error-Body: " + body + b"\r\n"
        connection.send(b"0\r\n" + trailers + b"\r\n")
        response = connection.getresponse()
        response.read()


def described(error):
    frames = traceback.format_tb(error.__traceback__)[1:]
    return json.dumps(
        {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": frames}, ensure_ascii=False
    ).encode()


def load():
    """The function that the handler names."""
    sys.path.insert(0, ROOT)
    path, _, name = HANDLER.rpartition(".")
    if not path:
        path, name = name, None
    module = importlib.import_module(path.replace("/", "."))
    for candidate in [name] if name else ["lambda_handler", "handler"]:
        if hasattr(module, candidate):
            return getattr(module, candidate)
    raise AttributeError(f"{path} has no function {name or 'lambda_handler or handler'}")


def parts(first, rest):
    """A streamed answer as bytes; a dict at its start becomes the head, closed by eight zero bytes."""
    if isinstance(first, dict):
        yield json.dumps(first).encode() + b"\0" * 8
    elif first is not None:
        yield as_bytes(first)
    for chunk in rest:
        yield as_bytes(chunk)


def as_bytes(chunk):
    return chunk if isinstance(chunk, (bytes, bytearray)) else str(chunk).encode()


def answer(api, handler, headers, body):
    path = "/invocation/" + headers["Lambda-Runtime-Aws-Request-Id"]
    if headers.get("Lambda-Runtime-Trace-Id"):
        os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"]
    try:
        result = handler(json.loads(body), Context(headers))
        if inspect.isgenerator(result):
            first = next(result, None)
        else:
            result, first = json.dumps(result, ensure_ascii=False).encode(), None
    except Exception as error:
        traceback.print_exc()
        kind = {"Lambda-Runtime-Function-Error-Type": "Runtime." + type(error).__name__}
        api.post(path + "/error", described(error), kind)
        return
    if inspect.isgenerator(result):
        kind = HTTP_ANSWER if isinstance(first, dict) else "application/octet-stream"
        api.stream(path + "/response", kind, parts(first, result))
    else:
        api.post(path + "/response", result, {"Content-Type": "application/json"})


def main():
    api = Api()
    try:
        handler = load()
    except BaseException as error:
        traceback.print_exc()
        kind = {"Lambda-Runtime-Function-Error-Type": "Runtime.ImportModuleError"}
        api.post("/init/error", described(error), kind)
        sys.exit(1)
    while True:
        headers, body = api.next()
        answer(api, handler, headers, body)


if __name__ == "__main__":
    sys.path[0] = ROOT
    if importlib.util.find_spec("awslambdaric"):
        sys.argv = ["awslambdaric", HANDLER]
        runpy.run_module("awslambdaric", run_name="__main__")
    else:
        main()

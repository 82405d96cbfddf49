"""A function behind a URL or an API: says hello, and streams."""

import json
import time


def handler(event, context):
    """An ordinary answer. Under /stream below its path, a streamed one."""
    path = event.get("rawPath") or event.get("path") or "/"
    if path.endswith("/stream"):
        return stream(event)
    query = event.get("queryStringParameters") or {}
    print(f"hello from {context.function_name}")
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(f"Hello, {query.get('name', 'World')}!"),
    }


def stream(event):
    """Each part is on its way as soon as it is yielded; the dict is the head of the answer."""
    yield {"statusCode": 200, "headers": {"content-type": "text/plain"}}
    for number in range(1, 4):
        yield f"{number}\n"
        time.sleep(0.2)

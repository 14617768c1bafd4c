"""Stores and reads values with the real python-memcached and pymemcache.

The argument is the port. Each line on stdin is a JSON list of steps [client, operation, key,
argument?], each line on stdout the list of their answers. A value travels as [type, text]: bytes as
base64, integers as digits.
"""
import base64
import json
import sys

import memcache
from pymemcache.client.base import Client
from pymemcache.serde import pickle_serde


def read(value):
    kind, text = value
    if kind == "bytes":
        return base64.b64decode(text)
    return {"str": str, "int": int, "float": float, "list": json.loads}[kind](text)


def write(value):
    if isinstance(value, bytes):
        return ["bytes", base64.b64encode(value).decode()]
    return [type(value).__name__, str(value)]


def answer(clients, step):
    name, operation, key, *arguments = step
    client = clients[name]
    if operation == "set":
        return client.set(key, read(arguments[0]))
    if operation == "set compressed":
        return client.set(key, read(arguments[0]), min_compress_len=100)
    return getattr(client, operation)(key, *arguments)


def main():
    port = int(sys.argv[1])
    clients = {
        "python-memcached": memcache.Client(["127.0.0.1:%d" % port]),
        "pymemcache": Client(
            ("127.0.0.1", port), serde=pickle_serde, default_noreply=False, allow_unicode_keys=True
        ),
    }
    for line in sys.stdin:
        answers = [write(answer(clients, step)) for step in json.loads(line)]
        print(json.dumps(answers), flush=True)


main()

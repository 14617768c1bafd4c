"""Stores values as Webware for Python's SessionMemcachedStore does: by python-memcached's set.

Reads {servers, namespace, minutes, ids} as JSON from stdin.
"""
import json
import sys

import memcache

job = json.load(sys.stdin)
servers = [tuple(server) if isinstance(server, list) else server for server in job["servers"]]
client = memcache.Client(servers)
for session_id in job["ids"]:
    timeout = job["minutes"] * 60
    if not client.set(job["namespace"] + session_id, {"id": session_id}, time=timeout):
        sys.exit("not stored")

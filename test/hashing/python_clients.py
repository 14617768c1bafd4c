"""Asks the real python-memcached, pymemcache and libmemcached (through pylibmc) which server a key has.

Reads a JSON list of questions {client, servers, keys, dead} from stdin and writes a list of answers
{names?, tries} to stdout. No client gets to connect.
"""
import binascii
import json
import sys

import _pylibmc
import memcache
from pymemcache.client.hash import HashClient


def python_memcached(question):
    asked = []
    client = memcache.Client([(s["name"], s["weight"]) for s in question["servers"]])
    dead = set(question["dead"])
    position = {host: i for i, host in enumerate(client.servers)}

    def connect(host):
        asked.append(position[host])
        return 0 if position[host] in dead else 1

    memcache._Host.connect = connect
    tries = []
    for key in question["keys"]:
        asked.clear()
        host, _ = client._get_server(key.encode())
        tries.append({"asked": list(asked), "server": None if host is None else position[host]})
    return {"tries": tries}


def python_memcached_160(question):
    # Debian's package is 1.59: all of it but the hash, which from 1.60 on has no "or 1".
    original = memcache.serverHashFunction
    memcache.serverHashFunction = lambda key: (binascii.crc32(key) >> 16) & 0x7FFF
    try:
        return python_memcached(question)
    finally:
        memcache.serverHashFunction = original


def pymemcache(question):
    servers = [s["path"] if "path" in s else (s["host"], s["port"]) for s in question["servers"]]
    client = HashClient(servers)
    nodes = client.hasher.nodes
    position = {node: i for i, node in enumerate(nodes)}
    return {"names": nodes, "tries": [position[client.hasher.get_node(k)] for k in question["keys"]]}


def libmemcached(question, behaviors):
    servers = [
        (_pylibmc.server_type_unix, s["path"], 0, s["weight"])
        if "path" in s
        else (_pylibmc.server_type_tcp, s["host"], s["port"], s["weight"])
        for s in question["servers"]
    ]
    client = _pylibmc.client(servers=servers, behaviors=behaviors)
    # memcached_generate_hash(), which is the index of the server.
    return {"tries": [client.hash(key) for key in question["keys"]]}


CLIENTS = {
    "python-memcached": python_memcached_160,
    "python-memcached-1.59": python_memcached,
    "rendezvous": pymemcache,
    "ketama": lambda question: libmemcached(question, {"ketama_weighted": 1}),
    "modula": lambda question: libmemcached(question, {}),
}

json.dump([CLIENTS[q["client"]](q) for q in json.load(sys.stdin)], sys.stdout)

"""Every kind of resource by apisix-client, and by its connection where it has no calls for a kind.

usage: crud.py ADMIN KEY PROXY NODE_PORT CERT_FILE KEY_FILE
"""

import sys

import httpx
from apisix_client import ApisixClient
from apisix_client.consumer.models import Consumer
from apisix_client.plugin.models.authentication.key_auth import KeyAuth, KeyAuthSettings
from apisix_client.route.models import Route
from apisix_client.service.models import Service
from apisix_client.upstream.models import Node, Upstream

admin, key, proxy, node_port, cert_file, key_file = sys.argv[1:]
client = ApisixClient(base_url=admin, api_key=key)


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def upstreams():
    kind = client.upstream
    nodes = [Node(host="127.0.0.1", port=int(node_port), weight=1, priority=0)]
    equal(kind.create_or_update(Upstream(name="first", nodes=nodes), "u1"), "u1")
    equal(kind.get("u1").value.name, "first")
    equal(kind.create_or_update(Upstream(name="second", nodes=nodes, retries=2), "u1"), "u1")
    equal((kind.get("u1").value.name, kind.get("u1").value.retries), ("second", 2))
    made = kind.create_with_id_generation(Upstream(name="third", nodes=nodes))
    equal(kind.count(), 2)
    equal(sorted(one.value.name for one in kind.get_all()), ["second", "third"])
    equal([one.value.name for one in kind.get_all((1, 10))], ["second", "third"])
    equal(kind.delete(made), 1)
    equal(kind.delete(made), 0)
    equal(kind.get(made), None)
    equal(kind.create_or_update(Upstream(name="no nodes", nodes=[], type="nosuch"), "u2"), None)


def services():
    kind = client.service
    assert kind.create_or_update(Service(name="shop", upstream_id="u1"), "s1")
    equal(kind.get("s1").value.upstream_id, "u1")
    equal(kind.count(), 1)
    made = kind.create_with_id_generation(Service(name="other", upstream_id="u1"))
    equal(len(kind.get_all()), 2)
    assert kind.delete(made)
    equal(kind.get(made), None)


def routes():
    kind = client.route
    equal(kind.create_or_update(Route(name="all", uri="/shop/*", service_id="s1"), "r1"), "r1")
    read = kind.get("r1")
    equal((read.key, read.value.uri, read.value.status), ("/apisix/routes/r1", "/shop/*", 1))
    assert read.modified_index >= read.created_index and read.value.create_time
    equal(httpx.get(f"{proxy}/shop/a").text, "upstream /shop/a")
    made = kind.create_with_id_generation(Route(name="one", uri="/one", upstream_id="u1", methods=["GET"]))
    equal(httpx.get(f"{proxy}/one").status_code, 200)
    equal((kind.count(), len(kind.get_all((1, 10)))), (2, 2))
    equal(kind.delete(made), True)
    equal((kind.delete(made), kind.get(made)), (False, None))
    equal(httpx.get(f"{proxy}/one").status_code, 404)
    equal(kind.create_or_update(Route(uri="/x", upstream_id="nosuch"), "r2"), None)


def consumers():
    kind = client.consumer
    assert kind.create_or_update(Consumer(username="anna", desc="first"))
    assert kind.create_or_update(Consumer(username="anna", desc="second", labels={"team": "a"}))
    equal((kind.get("anna").value.desc, kind.count()), ("second", 1))
    equal([one.value.username for one in kind.get_all()], ["anna"])
    assert kind.create_or_update(Consumer(username="berta", plugins=[KeyAuth(key="key-of-berta")]))
    assert not kind.create_or_update(Consumer(username="clara", plugins=[KeyAuth(key="key-of-berta")])), "it is taken"
    guarded = Route(name="guarded", uri="/guarded", upstream_id="u1", plugins=[KeyAuthSettings()])
    equal(client.route.create_or_update(guarded, "r2"), "r2")
    equal(httpx.get(f"{proxy}/guarded").status_code, 401)
    equal(httpx.get(f"{proxy}/guarded", headers={"apikey": "key-of-berta"}).status_code, 200)
    equal((client.route.delete("r2"), kind.delete("berta")), (True, 1))
    assert not kind.create_or_update(Consumer(username="not a name"))
    equal(kind.delete("nobody"), 0)


def plugins():
    assert "aws-lambda" in client.plugin.get_available()
    assert client.plugin.reload()


def by_hand(path, first, second, field):
    """The client has no calls for these kinds, but a connection that shows its key."""
    calls = client._httpx_client
    made = calls.put(path, json=first)
    equal(made.status_code, 201)
    equal(calls.put(path, json=second).status_code, 200)
    equal(calls.get(path).json()["value"][field], second[field])
    many = path.rsplit("/", 1)[0]
    listed = calls.get(many).json()
    equal((listed["total"], listed["list"][0]["key"]), (1, made.json()["key"]))
    equal(calls.get(many, params={"page": 1, "page_size": 10}).json()["total"], 1)
    gone = calls.delete(path).json()
    equal(gone, {"key": made.json()["key"], "deleted": "1"})
    equal(calls.get(path).status_code, 404)


upstreams()
services()
routes()
consumers()
plugins()
with open(cert_file) as cert, open(key_file) as private:
    pair = {"cert": cert.read(), "key": private.read()}
vault = {"uri": "http://127.0.0.1:1", "prefix": "kv", "token": "$ENV://TOKEN"}
azure = {"master_apikey": "0123456789", "master_clientid": "a"}
by_hand("/ssls/1", {"sni": "a.shop.test", **pair}, {"sni": "shop.test", **pair}, "sni")
by_hand("/global_rules/1", {"plugins": {}}, {"plugins": {}}, "plugins")
by_hand("/plugin_configs/1", {"plugins": {}, "desc": "a"}, {"plugins": {}, "desc": "b"}, "desc")
by_hand("/consumer_groups/1", {"plugins": {}, "desc": "a"}, {"plugins": {}, "desc": "b"}, "desc")
keyed = {"plugins": {"key-auth": {"key": "key-of-anna"}}}
by_hand("/consumers/anna/credentials/1", {"desc": "a", **keyed}, {"desc": "b", **keyed}, "desc")
by_hand("/plugin_metadata/azure-functions", azure, {**azure, "master_clientid": "b"}, "master_clientid")
by_hand("/secrets/vault/1", vault, {**vault, "prefix": "other"}, "prefix")
by_hand("/protos/1", {"content": 'syntax = "proto3";'}, {"content": 'syntax = "proto2";'}, "content")
equal(client._httpx_client.get("/stream_routes").status_code, 400)
equal(client.consumer.delete("anna"), 1)
equal(client.route.delete("r1"), True)
assert client.service.delete("s1")
equal(client.upstream.delete("u1"), 1)
print("all kinds are managed")

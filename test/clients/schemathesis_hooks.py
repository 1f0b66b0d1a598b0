"""Names for what schemathesis makes up: of all texts hardly one is a Canonical Secret
URI, so most of the made-up ones are replaced by URIs of a few secrets. Then requests
get past the parser and meet what earlier ones left behind. The choice depends on the
text alone, so that a run can be repeated."""

import zlib

import schemathesis

URIS = [
    scheme + "secret/peer/" + name
    for scheme in ("coffer+kv2://", "openbao+kv2://", "yaml://")
    for name in ("a", "b", "a/c", "a", "b", "a/c", "a#k", "b#k", "a?version=1", "b#k?version=2")
]


FOLDERS = ["coffer+kv2://secret/peer/", "openbao+kv2://secret", "yaml://secret/peer", "yaml://secret/"]


def named(text, names):
    """Leaves one text of eight as it is, and those of a length that the document forbids."""
    n = zlib.crc32(text.encode("utf-8", "surrogatepass"))
    if n % 8 == 0 or not 0 < len(text) <= 2048:
        return text
    return names[n // 8 % len(names)]


def rename(members):
    for name in ("uri", "fromUri", "toUri"):
        if isinstance(members.get(name), str):
            members[name] = named(members[name], URIS)


@schemathesis.hook
def map_query(ctx, query):
    if not isinstance(query, dict):
        return query
    rename(query)
    if isinstance(query.get("prefix"), str) and len(query["prefix"]) <= 2048:
        # With a mount the prefix is a path in it, else a URI: half of the mounts go.
        if isinstance(query.get("mount"), str) and zlib.crc32(query["mount"].encode("utf-8", "surrogatepass")) % 2:
            query.update(mount="secret", prefix="peer")
        else:
            query.pop("mount", None)
            query["prefix"] = named(query["prefix"], FOLDERS)
    return query


@schemathesis.hook
def map_body(ctx, body):
    if isinstance(body, dict):
        rename(body)
        if isinstance(body.get("operations"), list):
            for operation in body["operations"]:
                if isinstance(operation, dict):
                    rename(operation)
    return body

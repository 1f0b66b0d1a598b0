"""hvac drives the rows of the KV v2 table over the embedded engine: by its own helpers
where it has one, else by requests of its adapter."""

import json
import os

import hvac
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, UnexpectedError

from cases import URL, case, equal, refused, run

BAD_CAS = "check-and-set parameter did not match the current version"
VERSION = {"created_time", "custom_metadata", "deletion_time", "destroyed", "version"}


def send(client, method, path, **kwargs):
    """One request, whose answer is not judged."""
    return client.adapter.session.request(
        method, f"{URL}/v1/{path}", headers={"X-Vault-Token": client.token, **kwargs.pop("headers", {})}, **kwargs)


def answers(response, status, *errors):
    equal(response.status_code, status)
    if errors:
        equal(response.json()["errors"], list(errors))


def put(kv, path, *values):
    for value in values:
        kv.create_or_update_secret(path, value)


@case
def K1_write(c, kv, p):
    got = kv.create_or_update_secret(p, {"k": "v"}, cas=0)
    equal(set(got["data"]), VERSION)
    equal((got["data"]["version"], got["data"]["destroyed"], got["data"]["deletion_time"]), (1, False, ""))
    equal((got["lease_id"], got["renewable"], got["lease_duration"], got["auth"], got["warnings"]), ("", False, 0, None, None))
    equal(kv.create_or_update_secret(p, {"k": "w"}, cas=1)["data"]["version"], 2)


@case
def K2_K4_K5_bodies(c, kv, p):
    for body, status, error in [
        ("", 400, "no data provided"), ('{"options":{}}', 400, "no data provided"),
        ('{"data":"x"}', 400, 'error converting input for field "data": expected a map'),
        ('{"data":', 400, "failed to decode JSON input: not a JSON object"),
    ]:
        answers(send(c, "POST", f"secret/data/{p}", data=body), status, error)
    for body in ('{"data":null}', '{"data":{},"unknown":1}'):
        answers(send(c, "POST", f"secret/data/{p}", data=body), 200)
    equal(kv.read_secret(p, raise_on_deleted_version=True)["data"]["data"], {})


@case
def K6_no_path(c, kv, p):
    refused(InvalidRequest, lambda: c.write_data("secret/data/", data={"data": {}}), "cannot write to a path ending in '/'")


@case
def K7_K8_check_and_set(c, kv, p):
    refused(InvalidRequest, lambda: kv.create_or_update_secret(p, {}, cas=1), BAD_CAS)
    put(kv, p, {})
    refused(InvalidRequest, lambda: kv.create_or_update_secret(p, {}, cas=0), BAD_CAS)
    refused(InvalidRequest, lambda: kv.create_or_update_secret(p, {}, cas=-1), BAD_CAS)
    kv.delete_latest_version_of_secret(p)
    refused(InvalidRequest, lambda: kv.create_or_update_secret(p, {}, cas=0), BAD_CAS)
    equal(kv.create_or_update_secret(p, {}, cas="1")["data"]["version"], 2)
    refused(InvalidRequest, lambda: kv.create_or_update_secret(p, {}, cas="two"), "error parsing check-and-set parameter")
    kv.update_metadata(f"{p}/bare", max_versions=3)
    equal(kv.create_or_update_secret(f"{p}/bare", {}, cas=0)["data"]["version"], 1)


@case
def K9_check_and_set_required(c, kv, p):
    kv.update_metadata(p, cas_required=True)
    refused(InvalidRequest, lambda: kv.create_or_update_secret(p, {}), "check-and-set parameter required for this call")
    equal(kv.create_or_update_secret(p, {}, cas=0)["data"]["version"], 1)


@case
def K10_K12_read(c, kv, p):
    refused(InvalidPath, lambda: kv.read_secret(p, raise_on_deleted_version=True))
    put(kv, p, {"n": 1}, {"n": 2})
    equal(kv.read_secret(p, raise_on_deleted_version=True)["data"]["data"], {"n": 2})
    got = kv.read_secret_version(p, version=1, raise_on_deleted_version=True)["data"]
    equal((got["data"], got["metadata"]["version"], set(got["metadata"])), ({"n": 1}, 1, VERSION))
    refused(InvalidPath, lambda: kv.read_secret_version(p, version=9, raise_on_deleted_version=True))
    refused(InvalidRequest, lambda: c.read(f"secret/data/{p}?version=x"), "Field validation failed")


@case
def K11_metadata_without_version(c, kv, p):
    kv.update_metadata(p, max_versions=1)
    answers(send(c, "GET", f"secret/data/{p}"), 404)
    equal(send(c, "GET", f"secret/data/{p}").json(), {"errors": []})
    refused(InvalidPath, lambda: kv.read_secret(p, raise_on_deleted_version=True))


@case
def K13_K14_deleted_and_destroyed(c, kv, p):
    put(kv, p, {"n": 1}, {"n": 2})
    kv.delete_latest_version_of_secret(p)
    refused(InvalidPath, lambda: kv.read_secret(p, raise_on_deleted_version=True))
    got = kv.read_secret(p, raise_on_deleted_version=False)["data"]
    equal((got["data"], got["metadata"]["destroyed"], got["metadata"]["deletion_time"] != ""), (None, False, True))
    kv.destroy_secret_versions(p, [2])
    got = kv.read_secret_version(p, version=2, raise_on_deleted_version=False)["data"]
    equal((got["data"], got["metadata"]["destroyed"], got["metadata"]["deletion_time"] != ""), (None, True, True))
    equal(kv.read_secret_version(p, version=1, raise_on_deleted_version=True)["data"]["data"], {"n": 1})


@case
def K15_future_deletion(c, kv, p):
    kv.update_metadata(p, delete_version_after="1h")
    put(kv, p, {"n": 1})
    got = kv.read_secret(p, raise_on_deleted_version=True)["data"]
    equal((got["data"], got["metadata"]["deletion_time"] > got["metadata"]["created_time"]), ({"n": 1}, True))


@case
def K16_numbers_keep_their_text(c, kv, p):
    text = '{"a":9007199254740993,"b":12345678901234567890,"c":1.0,"d":1e3}'
    answers(send(c, "POST", f"secret/data/{p}", data='{"data":' + text + "}"), 200)
    raw = send(c, "GET", f"secret/data/{p}").text
    if text not in raw:
        raise AssertionError(raw)


@case
def K17_patch(c, kv, p):
    put(kv, p, {"a": {"b": 1, "c": 2}, "d": "x"})
    equal(kv.patch(p, {"e": 1})["data"]["version"], 2)  # hvac reads, merges and writes with check-and-set
    equal(kv.read_secret(p, raise_on_deleted_version=True)["data"]["data"], {"a": {"b": 1, "c": 2}, "d": "x", "e": 1})
    merge = {"Content-Type": "application/merge-patch+json"}
    body = json.dumps({"data": {"a": {"b": None}, "d": None}, "options": {"cas": 2}})
    equal(send(c, "PATCH", f"secret/data/{p}", headers=merge, data=body).json()["data"]["version"], 3)
    equal(kv.read_secret(p, raise_on_deleted_version=True)["data"]["data"], {"a": {"c": 2}, "e": 1})
    answers(send(c, "PATCH", f"secret/data/{p}", headers=merge, data=body), 400, BAD_CAS)


@case
def K18_patch_refused(c, kv, p):
    refused(InvalidPath, lambda: kv.patch(p, {"a": 1}), "")
    answers(send(c, "PATCH", f"secret/data/{p}", headers={"Content-Type": "application/json"}, data="{}"), 415,
            "PATCH requires Content-Type of application/merge-patch+json, provided application/json")
    merge = {"Content-Type": "application/merge-patch+json"}
    equal(send(c, "PATCH", f"secret/data/{p}", headers=merge, data='{"data":{}}').content, b"")
    put(kv, p, {})
    kv.delete_latest_version_of_secret(p)
    gone = send(c, "PATCH", f"secret/data/{p}", headers=merge, data='{"data":{}}')
    equal((gone.status_code, set(gone.json()["data"])), (404, VERSION))


@case
def K19_delete_latest(c, kv, p):
    equal(kv.delete_latest_version_of_secret(p).status_code, 204)
    put(kv, p, {"n": 1}, {"n": 2})
    equal(kv.delete_latest_version_of_secret(p).status_code, 204)
    first = kv.read_secret_metadata(p)["data"]["versions"]
    kv.delete_latest_version_of_secret(p)
    equal(kv.read_secret_metadata(p)["data"]["versions"], first)
    equal((first["1"]["deletion_time"], first["2"]["deletion_time"] != ""), ("", True))


@case
def K20_K21_K22_versions(c, kv, p):
    for verb in (kv.delete_secret_versions, kv.undelete_secret_versions, kv.destroy_secret_versions):
        equal(verb(p, [1]).status_code, 204)  # unknown
    put(kv, p, {"n": 1}, {"n": 2}, {"n": 3})
    equal(kv.delete_secret_versions(p, [1, 2, 77]).status_code, 204)
    states = lambda: [bool(v["deletion_time"]) for _, v in sorted(kv.read_secret_metadata(p)["data"]["versions"].items())]
    equal(states(), [True, True, False])
    equal(kv.undelete_secret_versions(p, ["1", 99]).status_code, 204)
    equal(states(), [False, True, False])
    equal(kv.destroy_secret_versions(p, [1]).status_code, 204)
    equal(kv.undelete_secret_versions(p, [1]).status_code, 204)
    equal([v["destroyed"] for _, v in sorted(kv.read_secret_metadata(p)["data"]["versions"].items())], [True, False, False])
    equal(kv.read_secret_metadata(p)["data"]["current_version"], 3)
    answers(send(c, "POST", f"secret/delete/{p}", data='{"versions":"2,3"}'), 204)
    equal(states()[1:], [True, True])


@case
def K23_no_versions(c, kv, p):
    put(kv, p, {})
    for verb, text in (("delete", "No version number provided"), ("undelete", "No version number provided"),
                       ("destroy", "no version number provided")):
        refused(InvalidRequest, lambda: c.write_data(f"secret/{verb}/{p}", data={"versions": []}), text)
        refused(InvalidRequest, lambda: c.write_data(f"secret/{verb}/{p}", data={"versions": ["x"]}), "Field validation failed")


@case
def K24_K25_metadata(c, kv, p):
    refused(InvalidPath, lambda: kv.read_secret_metadata(p))
    equal(kv.update_metadata(p, max_versions=7, delete_version_after="768h", custom_metadata={"a": "1", "b": "2"}).status_code, 204)
    got = kv.read_secret_metadata(p)["data"]
    equal(set(got), {"cas_required", "created_time", "current_metadata_version", "current_version", "custom_metadata", "delete_version_after",
                     "max_versions", "metadata_cas_required", "oldest_version", "updated_time", "versions"})
    equal((got["max_versions"], got["delete_version_after"], got["custom_metadata"], got["versions"]),
          (7, "768h0m0s", {"a": "1", "b": "2"}, {}))
    kv.update_metadata(p, custom_metadata={"c": "3"})
    equal(kv.read_secret_metadata(p)["data"]["custom_metadata"], {"c": "3"})
    equal(kv.read_secret_metadata(p)["data"]["max_versions"], 7)


@case
def K26_custom_metadata_limits(c, kv, p):
    for bad in ({"k": ""}, {"k": "v" * 513}, {"k" * 129: "v"}, {str(n): "v" for n in range(65)}):
        refused(InvalidRequest, lambda: kv.update_metadata(p, custom_metadata=bad), "custom_metadata validation failed")
    refused(InvalidRequest, lambda: kv.update_metadata(p, custom_metadata={"k": {"m": 1}}), "Field validation failed")
    refused(InvalidRequest, lambda: kv.update_metadata(p, delete_version_after="-1s"), "delete_version_after")
    kv.update_metadata(p, custom_metadata={"n": 5, "t": True})
    equal(kv.read_secret_metadata(p)["data"]["custom_metadata"], {"n": "5", "t": "1"})


@case
def K28_metadata_cas(c, kv, p):
    write = lambda **m: c.write_data(f"secret/metadata/{p}", data=m)
    refused(InvalidRequest, lambda: write(max_versions=1, metadata_cas=1), "metadata_cas must be 0 when creating new metadata")
    write(max_versions=1, metadata_cas=0, metadata_cas_required=True)
    refused(InvalidRequest, lambda: write(max_versions=2), "metadata check-and-set parameter required for this call")
    refused(InvalidRequest, lambda: write(max_versions=2, metadata_cas=0), "metadata check-and-set parameter does not match")
    write(max_versions=2, metadata_cas=1)


@case
def K29_patch_metadata(c, kv, p):
    merge = {"Content-Type": "application/merge-patch+json"}
    patch = lambda m: send(c, "PATCH", f"secret/metadata/{p}", headers=merge, data=json.dumps(m))
    equal((patch({}).status_code, patch({}).content), (404, b""))
    kv.update_metadata(p, custom_metadata={"a": "1", "b": "2"})
    equal(patch({"custom_metadata": {"a": None, "c": "3"}}).status_code, 204)
    equal(kv.read_secret_metadata(p)["data"]["custom_metadata"], {"b": "2", "c": "3"})


@case
def K30_delete_everything(c, kv, p):
    put(kv, p, {}, {})
    equal(kv.delete_metadata_and_all_versions(p).status_code, 204)
    equal(kv.delete_metadata_and_all_versions(p).status_code, 204)
    refused(InvalidPath, lambda: kv.read_secret_metadata(p))
    equal(kv.create_or_update_secret(p, {}, cas=0)["data"]["version"], 1)


@case
def K31_K32_list(c, kv, p):
    put(kv, f"{p}/b", {})
    put(kv, f"{p}/b/c", {})
    put(kv, f"{p}/d", {})
    kv.delete_latest_version_of_secret(f"{p}/d")
    kv.update_metadata(f"{p}/e", max_versions=1)
    equal(kv.list_secrets(p)["data"]["keys"], ["b", "b/", "d", "e"])
    equal(c.list(f"secret/metadata/{p}")["data"]["keys"], ["b", "b/", "d", "e"])
    equal(send(c, "GET", f"secret/metadata/{p}?list=true&after=b&limit=2").json()["data"]["keys"], ["b/", "d"])
    refused(InvalidPath, lambda: kv.list_secrets(f"{p}/none"))
    refused(InvalidPath, lambda: kv.list_secrets(f"{p}/d"))
    equal(send(c, "SCAN", f"secret/metadata/{p}").json()["data"]["keys"], ["b", "b/c", "d", "e"])  # K33
    detailed = send(c, "LIST", f"secret/detailed-metadata/{p}").json()["data"]  # K34
    equal((sorted(detailed["key_info"]), detailed["key_info"]["b/"]), (["b", "b/", "d", "e"], {}))


@case
def K35_subkeys(c, kv, p):
    put(kv, p, {"a": 1, "n": {"b": [{"c": 1}]}})
    equal(c.read(f"secret/subkeys/{p}")["data"]["subkeys"], {"a": None, "n": {"b": None}})
    equal(c.read(f"secret/subkeys/{p}?depth=1")["data"]["subkeys"], {"a": None, "n": None})


@case
def K27_K36_config(c, kv, p):
    equal(set(kv.read_configuration()["data"]), {"cas_required", "delete_version_after", "max_versions", "metadata_cas_required"})
    try:
        equal(kv.configure(max_versions=5, cas_required=True, delete_version_after="30s").status_code, 204)
        got = kv.read_configuration()["data"]
        equal((got["max_versions"], got["cas_required"], got["delete_version_after"]), (5, True, "30s"))
        answer = c.write_data(f"secret/metadata/{p}", data={"cas_required": False})
        equal(len(answer["warnings"]), 1)
    finally:
        kv.configure(max_versions=0, cas_required=False, delete_version_after="0s")
    equal(kv.read_configuration()["data"]["cas_required"], False)


@case
def K37_K38_unknown_requests(c, kv, p):
    refused(UnexpectedError, lambda: c.list(f"secret/data/{p}"), "unsupported operation")
    equal(send(c, "HEAD", f"secret/data/{p}").status_code, 405)
    stray = send(c, "GET", f"secret/x/{p}").json()
    equal((stray["data"], len(stray["warnings"])), (None, 1))
    refused(InvalidPath, lambda: kv.read_secret(p, mount_point="other", raise_on_deleted_version=True), "no handler for route")


@case
def K39_permission(c, kv, p):
    for token, text in (("", ""), ("bad", "permission denied"), ("poor", "permission denied")):
        other = hvac.Client(url=URL, token=token)
        refused(Forbidden, lambda: other.secrets.kv.v2.read_secret(p, raise_on_deleted_version=True), text)
    equal(hvac.Client(url=URL, token="bad").is_authenticated(), False)


@case
def K41_paths_are_not_repaired(c, kv, p):
    put(kv, p, {"n": 1})
    for path in (f"secret/data/{p}%2Fx", f"secret/data/{p}//x", f"secret/data/{p}/%2e%2e/x"):
        answers(send(c, "GET", path), 400)


@case
def K42_wrapping(c, kv, p):
    put(kv, p, {"n": 1})
    wrapped = c.read(f"secret/data/{p}", wrap_ttl="60s")
    equal((wrapped["data"], wrapped["wrap_info"]["ttl"], wrapped["wrap_info"]["creation_path"]), (None, 60, f"secret/data/{p}"))
    token = wrapped["wrap_info"]["token"]
    equal(c.sys.unwrap(token)["data"]["data"], {"n": 1})
    refused(InvalidRequest, lambda: c.sys.unwrap(token), "wrapping token is not valid or does not exist")
    token = c.read(f"secret/data/{p}", wrap_ttl="60s")["wrap_info"]["token"]
    equal(hvac.Client(url=URL, token=token).sys.unwrap()["data"]["data"], {"n": 1})  # the token itself asks


@case
def K43_K44_health_and_mount(c, kv, p):
    equal(c.sys.read_health_status(method="GET")["initialized"], True)
    equal(c.sys.read_health_status().status_code, 200)
    equal((c.sys.is_initialized(), c.sys.is_sealed()), (True, False))
    mount = c.read(f"sys/internal/ui/mounts/secret/{p}")["data"]
    equal((mount["type"], mount["options"], mount["path"]), ("kv", {"version": "2"}, "secret/"))
    equal(c.sys.list_mounted_secrets_engines()["data"]["secret/"]["type"], "kv")


@case
def app_role(c, kv, p):
    put(kv, p, {"n": 1})
    other = hvac.Client(url=URL)
    answer = other.auth.approle.login(role_id="role", secret_id="secret")["auth"]
    equal((answer["policies"], answer["renewable"], answer["lease_duration"]), (["app", "default"], True, 3600))
    equal(other.is_authenticated(), True)
    refused(Forbidden, lambda: other.secrets.kv.v2.read_secret(p, raise_on_deleted_version=True), "permission denied")
    c.sys.create_or_update_policy("app", 'path "secret/data/%s" { capabilities = ["read"] }' % p)
    equal(other.secrets.kv.v2.read_secret(p, raise_on_deleted_version=True)["data"]["data"], {"n": 1})
    refused(Forbidden, lambda: other.secrets.kv.v2.create_or_update_secret(p, {}), "permission denied")
    equal(other.auth.token.renew_self(increment=120)["auth"]["lease_duration"], 120)
    other.auth.token.revoke_self()
    equal(other.is_authenticated(), False)
    refused(InvalidRequest, lambda: hvac.Client(url=URL).auth.approle.login(role_id="role", secret_id="no"), "invalid role or secret ID")


@case
def policies(c, kv, p):
    text = 'path "secret/data/x" { capabilities = ["read"] }'
    equal(c.sys.create_or_update_policy(p, text).status_code, 204)
    equal(c.sys.read_policy(p)["data"]["rules"], text)
    equal(c.sys.read_acl_policy(p)["data"]["policy"], text)
    equal(p in c.sys.list_policies()["data"]["policies"], True)
    equal(p in c.sys.list_acl_policies()["data"]["keys"], True)
    refused(InvalidRequest, lambda: c.sys.create_or_update_acl_policy(p, "path {"), "failed to parse policy")
    equal(c.sys.delete_policy(p).status_code, 204)
    refused(InvalidPath, lambda: c.sys.read_policy(p))


@case
def groups(c, kv, p):
    identity = c.secrets.identity
    made = identity.create_or_update_group(name=p, group_type="external", policies="a,b", metadata={"k": "v"})["data"]
    equal(identity.read_group(made["id"])["data"]["policies"], ["a", "b"])
    equal(identity.read_group_by_name(p)["data"]["metadata"], {"k": "v"})
    alias = identity.create_or_update_group_alias(name="/" + p, mount_accessor="jwt_1", canonical_id=made["id"])["data"]
    equal(identity.lookup_group(name=p)["data"]["alias"]["id"], alias["id"])
    equal(identity.update_group(made["id"], name=p, group_type="external", policies=["c"]).status_code, 204)
    equal(identity.read_group(made["id"])["data"]["policies"], ["c"])
    equal(p in identity.list_groups_by_name()["data"]["keys"], True)
    equal(identity.list_groups()["data"]["key_info"][made["id"]]["name"], p)
    equal(identity.delete_group_by_name(p).status_code, 204)
    refused(InvalidPath, lambda: identity.read_group(made["id"]))


client = hvac.Client(url=URL, token=os.environ["COFFER_TOKEN"])
run(client, client.secrets.kv.v2)

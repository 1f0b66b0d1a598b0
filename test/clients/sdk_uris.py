"""The SDK's parser of Canonical Secret URIs beside the door's: the same text gets the
same canonical form or the same code, and where the two differ the difference is listed."""

import json
import os
import random
import urllib.error
import urllib.parse
import urllib.request

from secrets_sdk.errors import SecretURIError
from secrets_sdk.secret_uri import parse

from cases import URL, case, equal, run

TOKEN = os.environ["COFFER_TOKEN"]
U = "openbao+kv2://secret/"


def send(method, path, body=None):
    request = urllib.request.Request(URL + "/api/secrets" + path, method=method, headers={
        "Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"}, data=body and json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def door(uri):
    """The code of a refused URI, or the canonical form that a write of it answers."""
    status, body = send("GET", "/value?uri=" + urllib.parse.quote(uri, safe=""))
    if status in (400, 501):
        return body["code"]
    if "?" in uri:
        return "accepted"  # no write takes a version
    value = "v" if "#" in uri.rstrip("#") else {"k": "v"}
    status, body = send("POST", "", {"uri": uri, "value": value})
    equal(status, 200)
    return body["uri"]


def sdk(uri):
    try:
        canonical = parse(uri, tenant_id="dev", allowed_mounts=["secret"]).to_canonical()
    except SecretURIError as error:
        return error.code
    return "accepted" if "?" in uri else canonical


@case
def the_documents_examples(p):
    for uri in [
        "OpenBao+KV2://secret/App/api#Token", U + "app/#t?version=3", U + "app#", U + "app/", "hashicorp+kv2://secret/a",
        "yaml://secret/env#MY_NEW", U + "a#x#y", U + "a?version=1&version=1", U + "a?mount=kv", U + "/a", "openbao+kv2:///secret/a",
        "openbao+kv2://", U + "app//", U + "a/../b", U + "a..b", U + "a%2Fb", U + "a%2fb", U + "a b", U + "ä", U + "a%20b", U + "a+b",
        U + "*/t", U + "app/*", U + "ap*", "yaml+kv2://secret/a", "aws://x/y", "openbao+kv9://secret/a", "openbao+kv1://secret/a",
        "+kv2://secret/a", "openbao+kv2://other/a", "openbao+kv2://Secret/a", "secret/a", "://secret/a", "db:credentials:0",
    ]:
        if sdk(uri) != door(uri):
            raise AssertionError(f"{uri!r}: SDK {sdk(uri)}, door {door(uri)}")


@case
def what_differs(p):
    """Each is a decision of the door, which is stricter or knows more schemes."""
    for uri, theirs, ours in [
        (U + "a?version=2#k", "accepted", "accepted"),  # the SDK takes "2#k" for the version, the door #k for the fragment
        (U + "a#x?version=1?x=2", "accepted", "AMBIGUOUS_QUERY"),
        (U + "a?x=1", "accepted", "AMBIGUOUS_QUERY"),
        (U + "a?version=0", "accepted", "INVALID_VERSION"),
        (U + "a?version=x", "accepted", "INVALID_VERSION"),
        (U + "*?version=1&version=1", "AMBIGUOUS_QUERY", "INVALID_WILDCARD"),  # path before query
        (U + ".", U + ".", "ILLEGAL_SEGMENT"),
        (U + "a\n", U + "a\n", "ILLEGAL_SEGMENT"),
        (U + "x~2Fy", "ILLEGAL_SEGMENT", U + "x~2Fy"),
        ("coffer+kv2://secret/a", "UNSUPPORTED_ENGINE", "coffer+kv2://secret/a"),
        ("vault+kv2://secret/a", "UNSUPPORTED_ENGINE", "hashicorp+kv2://secret/a"),
        ("openbao+://secret/a", "openbao+://secret/a", "UNSUPPORTED_ENGINE"),
        ("openbao://secret/a", "openbao://secret/a", "UNSUPPORTED_OPERATION"),
        ("file://secret/a", "file://secret/a", "ILLEGAL_SEGMENT"),
        ("bootstrap://secret/a", "bootstrap://secret/a", "UNSUPPORTED_ENGINE"),
        ("db+cred://secret/a", "db+cred://secret/a", "ILLEGAL_SEGMENT"),
    ]:
        if (sdk(uri), door(uri)) != (theirs, ours):
            raise AssertionError(f"{uri!r}: SDK {sdk(uri)}, door {door(uri)}")


@case
def made_up_ones(p):
    """Texts with one fault at most, so that the order of checks plays no part."""
    rng = random.Random(20260102)
    segments = ["a", "B.c", "x_y", "a-b", "0", "a.b", "A" * 40]
    faults = ["..", "a..", "a%2Fb", "%2f", "*", "a*", "*a", "é", "a b", "", "a:b", "a@", "\\", "ſ", "a\tb"]
    for _ in range(300):
        scheme = rng.choice(["openbao+kv2", "OpenBao+KV2", "hashicorp+kv2", "HashiCorp+kv2", "yaml"])
        path = ["secret"] + [rng.choice(segments) for _ in range(rng.randint(1, 4))]
        tail = rng.choice(["", "/", "#k", "/#K", "#", "?version=3", "#k?version=1&"])
        match rng.randint(0, 4):
            case 0:
                path.insert(rng.randint(1, len(path)), rng.choice(faults))
            case 1:
                path[0] = rng.choice(["other", "Secret", "secret2"])
            case 2:
                scheme = rng.choice(["aws", "openbao+kv3", "yaml+kv2", "hashicorp+x", "gopher"])
            case 3:
                tail = rng.choice(["#a#b", "?version=1&version=2", "#k?mount=x", "?mount="])
        if scheme == "yaml":
            tail = tail.split("?")[0]  # versions are nothing of a file
        uri = scheme + "://" + "/".join(path) + tail
        if scheme == "yaml":
            path_code = sdk(uri) if ":" not in sdk(uri) else None
            got = door_code(uri)
            if got != path_code:
                raise AssertionError(f"{uri!r}: SDK {path_code}, door {got}")
        elif sdk(uri) != door(uri):
            raise AssertionError(f"{uri!r}: SDK {sdk(uri)}, door {door(uri)}")


def door_code(uri):
    """The code of a refused URI alone: names in the file nest and may be in each other's way."""
    status, body = send("GET", "/value?uri=" + urllib.parse.quote(uri, safe=""))
    return body["code"] if status in (400, 501) else None


run()

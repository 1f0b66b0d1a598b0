"""What hvac shows of a server in trouble; the state is named by COFFER_STATE."""

import os

import hvac
from hvac.exceptions import InvalidPath, RateLimitExceeded, VaultDown

from cases import URL, case, equal, refused, run

# State: what a read raises with which text, and the status of the health.
STATES = {
    "sealed": (VaultDown, "Vault is sealed", 503),
    "uninitialised": (VaultDown, "Vault is sealed", 501),
    "limited": (RateLimitExceeded, 'request path "secret/data/k40_reads": rate limit quota exceeded', 200),
    "standby": (InvalidPath, "", 429),
}
kind, text, health = STATES[os.environ["COFFER_STATE"]]


@case
def K40_reads(c, p):
    refused(kind, lambda: c.secrets.kv.v2.read_secret(p, raise_on_deleted_version=True), text)


@case
def K43_health(c, p):
    answer = c.adapter.session.get(URL + "/v1/sys/health")
    equal((answer.status_code, answer.json()["initialized"]), (health, health != 501))
    equal(c.sys.is_initialized(), health != 501)
    equal(c.sys.is_sealed(), health in (501, 503))


run(hvac.Client(url=URL, token=os.environ["COFFER_TOKEN"]))

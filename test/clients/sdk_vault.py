"""The SDK of the documented API reads from the Vault protocol over the embedded engine:
that protocol is all that it speaks. hvac writes what it reads."""

import asyncio
import json
import os
import tempfile

import hvac
from secrets_sdk import SecretsClient
from secrets_sdk.bootstrap import BootstrapConfig
from secrets_sdk.client import CacheConfig
from secrets_sdk.errors import SecretURIError
from secrets_sdk.vault_client import VaultClient
from secrets_sdk.vault_strategies.errors import (
    VaultAuthenticationError, VaultSecretNotFoundError, VaultSecretVersionDeletedError)

from cases import URL, case, equal, refused, run

TOKEN = os.environ["COFFER_TOKEN"]
U = "openbao+kv2://secret/"


def resolve(uris, **config):
    """The values of URIs by one client; of a failure the exception."""
    async def all_of():
        config.setdefault("auth_method", "token")
        client = SecretsClient(BootstrapConfig(vault_addr=URL, **config), CacheConfig(), ["secret"], "/nonexistent")
        async with client:
            return [await client.resolve(uri) for uri in uris]
    return asyncio.run(all_of())


def get(uri, **environment):
    async def one():
        client = VaultClient()
        try:
            return await client.get_credentials(uri)
        finally:
            await client.strategy.close()
    os.environ.update(VAULT_URL=URL, VAULT_TOKEN=TOKEN, TENANT_ALLOWED_MOUNTS="secret")
    os.environ.update(environment)
    return asyncio.run(one())


@case
def SecretsClient_reads(c, kv, p):
    kv.create_or_update_secret(p, {"k": "one", "n": {"m": [1, None]}})
    kv.create_or_update_secret(p, {"k": "two"})
    equal(resolve([U + p, U + p + "#k", U + p + "?version=1", U + p + "#n?version=1", "hashicorp+kv2://secret/" + p], token=TOKEN),
          [{"k": "two"}, "two", {"k": "one", "n": {"m": [1, None]}}, {"m": [1, None]}, {"k": "two"}])


@case
def SecretsClient_finds_nothing(c, kv, p):
    refused(KeyError, lambda: resolve([U + p], token=TOKEN), "not found")
    kv.create_or_update_secret(p, {"k": "v"})
    refused(KeyError, lambda: resolve([U + p + "#other"], token=TOKEN), "not found")
    refused(KeyError, lambda: resolve([U + p + "?version=7"], token=TOKEN), "not found")
    kv.delete_latest_version_of_secret(p)
    refused(KeyError, lambda: resolve([U + p], token=TOKEN), "not found")


@case
def SecretsClient_is_refused(c, kv, p):
    kv.create_or_update_secret(p, {"k": "v"})
    refused(VaultAuthenticationError, lambda: resolve([U + p], token="bad"), "lookup-self")
    refused(VaultAuthenticationError, lambda: resolve([U + p], token="poor"), "Access denied")
    refused(SecretURIError, lambda: resolve(["openbao+kv2://other/" + p], token=TOKEN), "not allowed")


@case
def SecretsClient_logs_in_by_AppRole(c, kv, p):
    kv.create_or_update_secret(p, {"k": "v"})
    c.sys.create_or_update_policy("app", 'path "secret/data/%s" { capabilities = ["read"] }' % p)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"vault_addr": URL, "auth_method": "approle", "approle_role_id": "role", "approle_secret_id": "secret"}, file)
        file.flush()

        async def read():
            async with SecretsClient.create(file.name, allowed_mounts=["secret"]) as client:
                return await client.resolve(U + p + "#k")
        equal(asyncio.run(read()), "v")
    refused(VaultAuthenticationError, lambda: resolve(
        [U + p + "/deeper"], auth_method="approle", approle_role_id="role", approle_secret_id="secret"), "Access denied")


@case
def VaultClient_reads(c, kv, p):
    kv.create_or_update_secret(p, {"k": "one"})
    kv.create_or_update_secret(p, {"k": "two", "o": 1})
    equal(get(U + p), {"k": "two", "o": 1})
    equal(get(U + p + "#k"), {"k": "two"})
    equal(get(U + p + "#k?version=1"), {"k": "one"})
    refused(VaultSecretNotFoundError, lambda: get(U + p + "?version=9"))
    refused(VaultAuthenticationError, lambda: get(U + p, VAULT_TOKEN="bad"))
    kv.delete_secret_versions(p, [1])
    kv.destroy_secret_versions(p, [2])
    # A server says 404 to both, and the SDK looks no further.
    for version in (1, 2):
        refused(VaultSecretNotFoundError, lambda: get(f"{U}{p}?version={version}"))


@case
def VaultClient_takes_a_planned_deletion_for_one_that_was(c, kv, p):
    """A trap of the SDK: a pinned version that has a deletion time ahead is live, and
    the SDK refuses it."""
    kv.update_metadata(p, delete_version_after="1h")
    kv.create_or_update_secret(p, {"k": "v"})
    equal(get(U + p), {"k": "v"})
    refused(VaultSecretVersionDeletedError, lambda: get(U + p + "?version=1"))


client = hvac.Client(url=URL, token=TOKEN)
run(client, client.secrets.kv.v2)

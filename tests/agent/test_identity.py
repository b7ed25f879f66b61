"""The agent's identity, and a disk that takes no more."""

import pytest

from proxyagent import identity as module
from proxyagent import keys
from proxyagent.identity import Identity, Keeper

from .fake_console import Authority

URI = "spiffe://x/ns/default/sa/a"


async def joined(keeper: Keeper, authority: Authority) -> Identity:
    chain = authority.sign(await keeper.make_key(), URI, 3600)
    return await keeper.install(bundle=authority.bundle, chain=chain, renew_at=1.0, spiffe_id=URI, proxy_id="default/a")


async def test_a_full_disk_does_not_keep_a_new_certificate_from_envoy(tmp_path, monkeypatch):
    authority = Authority()
    keeper = Keeper(tmp_path, "default", "a", "a")
    first = await joined(keeper, authority)
    csr = await keeper.make_key()
    write = module.disk.write

    def full(path, data, **_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.disk, "write", full)
    second = await keeper.install(bundle=b"", chain=authority.sign(csr, URI, 3600), renew_at=2.0, spiffe_id="", proxy_id="")
    assert keeper.identity == second and second.serial != first.serial
    assert Keeper(tmp_path, "default", "a", "a").identity == first

    monkeypatch.setattr(module.disk, "write", write)
    await keeper.install(bundle=authority.bundle, chain=b"", renew_at=0.0, spiffe_id="", proxy_id="")
    assert Keeper(tmp_path, "default", "a", "a").identity == second


async def test_a_key_that_cannot_be_kept_is_told(tmp_path):
    keeper = Keeper(tmp_path / "nowhere", "default", "a", "a")
    with pytest.raises(keys.KeyTrouble, match="No such file"):
        await keeper.make_key()

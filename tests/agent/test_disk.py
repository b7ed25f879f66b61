"""What is on the disk after whatever happened to the process that wrote it."""

import os

import pytest

from proxyagent import disk
from proxyagent.cache import Cache
from proxyagent.protocol import Push, Resource


def push(name, version="1", removed=(), size=10):
    return Push(1, {"cds": (Resource(name, version, b"x" * size),)}, {"cds": tuple(removed)} if removed else {}, {})


def grown(path, *pushes):
    journal = disk.Journal(path)
    cache = journal.load()
    for p in pushes:
        cache = cache.after(p)
        journal.keep(p, cache)
    return cache


def test_accepted_pushes_are_there_after_a_restart(tmp_path):
    cache = grown(tmp_path / "configuration", push("a"), push("b"), push("c", removed=["a"]))
    assert disk.Journal(tmp_path / "configuration").load() == cache
    assert set(cache.of("cds")) == {"b", "c"}


def test_a_push_costs_its_own_size_on_disk_and_the_journal_is_folded_before_it_grows_too_long(tmp_path):
    path = tmp_path / "configuration"
    grown(path, push("big", size=100_000))
    before = path.stat().st_size
    grown(path, push("small"))
    assert path.stat().st_size - before < 200
    cache = grown(path, *(push("big", str(i), size=100_000) for i in range(60)))
    assert path.stat().st_size < 3 * 100_000 + disk.FOLD_BYTES
    assert disk.Journal(path).load() == cache


@pytest.mark.parametrize("cut", [1, 5, 9, 40])
def test_a_write_that_was_cut_off_loses_that_push_and_nothing_else(tmp_path, cut):
    path = tmp_path / "configuration"
    good = grown(path, push("a"))
    size = path.stat().st_size
    grown(path, push("b"))
    os.truncate(path, size + min(cut, path.stat().st_size - size - 1))
    assert disk.Journal(path).load() == good
    assert path.stat().st_size == size
    again = grown(path, push("c"))
    assert set(disk.Journal(path).load().of("cds")) == {"a", "c"} == set(again.of("cds"))


def test_a_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "configuration"
    good = grown(path, push("a"))
    size = path.stat().st_size
    grown(path, push("b"))
    data = bytearray(path.read_bytes())
    data[size + 20] ^= 1
    path.write_bytes(data)
    assert disk.Journal(path).load() == good


def test_the_clusters_that_envoy_asked_for_are_kept(tmp_path):
    journal = disk.Journal(tmp_path / "configuration")
    journal.keep_clusters(("a",), journal.load().asking(["a"]))
    assert disk.Journal(tmp_path / "configuration").load() == Cache(clusters=frozenset({"a"}))


def test_files_are_private_and_replaced_whole(tmp_path):
    disk.write(tmp_path / "identity", b"old")
    disk.write(tmp_path / "identity", b"new")
    assert (tmp_path / "identity").stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["identity"]
    assert disk.read(tmp_path / "identity") == b"new" and disk.read(tmp_path / "none") == b""


def test_a_state_directory_belongs_to_one_process_and_to_nobody_else(tmp_path):
    held = disk.lock(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    with pytest.raises(disk.InUse):
        disk.lock(tmp_path / "state")
    os.close(held)
    os.close(disk.lock(tmp_path / "state"))


def test_a_disk_that_was_full_for_a_while_leaves_no_hole_in_what_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "configuration"
    journal = disk.Journal(path)
    cache = journal.load().after(push("a"))
    journal.keep(push("a"), cache)
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:20]))  # as write(2) does on the last block
    cache = cache.after(push("b", size=500))
    with pytest.raises(OSError, match="No space left"):
        journal.keep(push("b", size=500), cache)
    monkeypatch.undo()
    cache = cache.after(push("c"))
    journal.keep(push("c"), cache)
    assert disk.Journal(path).load() == cache and set(cache.of("cds")) == {"a", "b", "c"}


def test_a_file_that_could_not_be_written_takes_no_room(tmp_path, monkeypatch):
    disk.write(tmp_path / "identity", b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        disk.write(tmp_path / "identity", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["identity"] and disk.read(tmp_path / "identity") == b"old"

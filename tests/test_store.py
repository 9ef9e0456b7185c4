"""The npz store: what is written comes back, and nothing else gets in."""

import errno
import io
import json
import os
import stat
import zipfile

import numpy as np
import pytest

from fastnn.saving import FileFormatError, Store, write_store
from fastnn.store.atomic import atomic_write
from fastnn.store.groups import Dataset, Group

ARRAYS = {
    "layers/dense/kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "layers/dense/bias": np.array([-0.0, np.nan, np.inf]),
    "layers/empty": np.zeros((0, 4), np.uint8),
    "count": np.array(7, np.int64),
    "flag": np.array([True, False]),
}
ATTRIBUTES = {"": {"kind": "test"}, "layers/dense": {"units": 3, "rate": 0.1}, "lonely": {}}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "store.npz"
    write_store(path, ARRAYS, ATTRIBUTES)
    return path


def refused(path, complaint):
    """Check that the file is refused as a whole or when an array is read, naming the file."""
    with pytest.raises(FileFormatError, match=complaint) as caught, Store(path) as store:
        for name in store.datasets:
            store.read(name)
    assert str(path) in str(caught.value)


# --- there and back -------------------------------------------------------------------------------


def test_arrays_and_attributes_come_back(path):
    with Store(path) as store:
        assert store.attrs == {"kind": "test"}
        assert store["layers/dense"].attrs == {"units": 3, "rate": 0.1}
        assert sorted(store) == ["count", "flag", "layers", "lonely"]
        for name, array in ARRAYS.items():
            assert store[name].shape == array.shape and store[name].dtype == array.dtype
            assert store[name][...].tobytes() == array.tobytes()
        assert store["count"][()] == 7
        assert store["layers"]["dense"]["kernel"][1, 2] == 5
        assert np.asarray(store["flag"]).tolist() == [True, False]
        assert np.asarray(store["flag"], dtype=float).tolist() == [1, 0]
        assert store["layers/dense/kernel"][...].flags.writeable


def test_attributes_become_plain(tmp_path):
    given = {"n": np.int64(3), "x": np.float32(0.5), "a": np.arange(2), "t": (1, (2,)), 5: None}
    write_store(tmp_path / "a", {}, {"": given})
    with Store(tmp_path / "a") as store:
        assert store.attrs == {"n": 3, "x": 0.5, "a": [0, 1], "t": [1, [2]], "5": None}


def test_groups_are_mappings(path):
    with Store(path) as store:
        layers = store["layers"]
        assert isinstance(layers, Group) and len(layers) == 2 and "dense" in layers
        assert "dense/kernel" in layers and "dense/none" not in layers
        assert {name: type(member) for name, member in layers.items()} == {
            "dense": Group, "empty": Dataset,
        }  # fmt: skip
        with pytest.raises(KeyError, match=r"'layers/dnse' is neither.*'dense'"):
            layers["dnse"]


def test_numpy_reads_the_arrays_without_fastnn(path):
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["layers/dense/kernel"], ARRAYS["layers/dense/kernel"])
        assert set(file.files) == {*ARRAYS, "manifest.json"}


def test_equal_content_makes_equal_files(path, tmp_path):
    write_store(tmp_path / "again.npz", ARRAYS, ATTRIBUTES)
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_layouts_and_byte_orders_are_made_plain(tmp_path):
    table = np.arange(12.0).reshape(3, 4)
    arrays = {"fortran": np.asfortranarray(table), "big": table.astype(">f4"), "part": table[:, 1]}
    write_store(tmp_path / "a", arrays)
    with Store(tmp_path / "a") as store:
        for name, array in arrays.items():
            np.testing.assert_array_equal(store[name][...], array)
            assert store[name][...].dtype.isnative


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\\b", "C:a", "a\x00b", "a\ud800"]
)
def test_unsafe_names_are_not_written(name, tmp_path):
    with pytest.raises(ValueError, match="cannot be a name"):
        write_store(tmp_path / "a", {name: np.zeros(1)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arrays", "attributes", "complaint"),
    [
        ({"a": np.array([None])}, {}, "'a' of type object"),
        ({"a": np.array(["x"])}, {}, "'a' of type"),
        ({"a": np.zeros(1), "a/b": np.zeros(1)}, {}, "both an array and a group"),
        ({}, {"a": {"b": [1, {"f": print}]}}, "a/b/1/f = <built-in function print>"),
        ({}, {"": {"x": float("nan")}}, "attribute/x = nan"),
    ],
)
def test_what_cannot_be_stored_is_refused(arrays, attributes, complaint, tmp_path):
    with pytest.raises(ValueError, match=complaint):
        write_store(tmp_path / "a", arrays, attributes)
    assert list(tmp_path.iterdir()) == []


# --- atomic writing -------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file(path):
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_a_full_disk_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_store(path, {"other": np.zeros(1)})
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_a_device_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="it is a device or a pipe"), atomic_write(pipe):
        pass
    assert pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


def test_permissions_follow_the_umask(tmp_path):
    for mask, mode in ((0o022, 0o644), (0o077, 0o600)):
        old = os.umask(mask)
        try:
            write_store(tmp_path / "a", ARRAYS)
        finally:
            os.umask(old)
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_a_link_is_followed(path, tmp_path):
    link = tmp_path / "link.npz"
    link.symlink_to(path)
    write_store(link, {"new": np.ones(2)})
    assert link.is_symlink()
    with Store(path) as store:
        assert list(store) == ["new"]


def test_impossible_places_are_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no folder"):
        write_store(tmp_path / "missing" / "a.npz", ARRAYS)
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        write_store(tmp_path, ARRAYS)

    def refuse(path, flags, mode):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(PermissionError, match=r"Cannot write: Permission denied: '.*a\.npz'"):
            write_store(tmp_path / "a.npz", ARRAYS)
    with pytest.raises(FileNotFoundError, match=r"working folder is '.*none.npz'"):
        Store(tmp_path / "none.npz")


# --- files that were damaged or made to do harm ---------------------------------------------------


def rewrite(path, change):
    """Unpack the members of a store into a dict, let `change` alter it, and pack it again."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def alter_manifest(path, change):
    def alter(members):
        manifest = json.loads(members["manifest.json"])
        change(manifest)
        members["manifest.json"] = json.dumps(manifest).encode()

    rewrite(path, alter)


def npy(array, old=b"", new=b""):
    """Return an array as .npy bytes, with `old` in its header replaced by `new`."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=True)
    content = file.getvalue()
    old += b" " * (len(new) - len(old))  # the header ends in spaces: keep its length
    assert old in content and len(old) == len(new)
    return content.replace(old, new, 1)


def test_every_cut_is_noticed(path, tmp_path):
    content = path.read_bytes()
    cut = tmp_path / "cut.npz"
    for length in [*range(0, len(content), 41), len(content) - 1]:
        cut.write_bytes(content[:length])
        refused(cut, "cut short|damaged|not an .npz")


def test_no_changed_byte_changes_an_array(path, tmp_path):
    content = path.read_bytes()
    changed = tmp_path / "changed.npz"
    for position in range(0, len(content), 7):
        changed.write_bytes(
            content[:position] + bytes([content[position] ^ 0x41]) + content[position + 1 :]
        )
        try:
            with Store(changed) as store:
                arrays = {name: store.read(name) for name in store.datasets}
        except FileFormatError:
            continue
        # What is left are bytes that no reader looks at: dates, attributes, local headers.
        assert {name: array.tobytes() for name, array in arrays.items()} == {
            name: array.tobytes() for name, array in ARRAYS.items()
        }, position


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not an .npz"),
        (b"hello", "not an .npz"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (np.arange(3).tobytes(), "not an .npz"),
    ],
)
def test_other_files_are_told_apart(content, complaint, tmp_path):
    (tmp_path / "other").write_bytes(content)
    refused(tmp_path / "other", complaint)


def test_other_archives_are_told_apart(tmp_path):
    np.savez(tmp_path / "plain.npz", x=np.zeros(2))
    refused(tmp_path / "plain.npz", "no manifest")
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    refused(tmp_path / "model.keras", "Keras itself")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda m: m.update(version=2), "version 2.*install a newer"),
        (lambda m: m.update(format="other"), "another format"),
        (lambda m: m.pop("groups"), "wrong form"),
        (lambda m: m.update(extra=1), "wrong form"),
        (lambda m: m["datasets"].pop("flag"), "does not hold what its manifest lists"),
        (lambda m: m["datasets"].update(more=m["datasets"]["flag"]), "does not hold"),
        (lambda m: m["groups"].pop("layers"), "has no group"),
        (lambda m: m["groups"].pop(""), "wrong form"),
        (lambda m: m["groups"].update({"flag": {}}), "do not agree"),
        (lambda m: m["groups"].update({"../up": {}, "..": {}}), "wrong form"),
        (lambda m: m["datasets"]["flag"].update(shape=[3]), "with shape"),
        (lambda m: m["datasets"]["flag"].update(shape=[-2]), "wrong form"),
        (lambda m: m["datasets"]["flag"].update(shape=[True]), "wrong form"),
        (lambda m: m["datasets"]["flag"].update(shape=2), "wrong form"),
        (lambda m: m["datasets"]["flag"].update(dtype="|u1"), "with dtype"),
        (lambda m: m["datasets"]["flag"].update(dtype="|O"), "wrong form"),
        (lambda m: m["datasets"]["flag"].update(dtype=[]), "wrong form"),
        (lambda m: m["datasets"]["flag"].update(sha256="0" * 64), "checksum"),
    ],
)
def test_the_manifest_must_be_exact(change, complaint, path):
    alter_manifest(path, change)
    refused(path, complaint)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"\xff", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"[" * 100000, b"1" * 5000]
)
def test_a_manifest_that_is_no_json_table(text, path):
    rewrite(path, lambda members: members.update({"manifest.json": text}))
    refused(path, "manifest")


FLAG = np.array([True, False])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (npy(np.array([None])), "only little-endian"),
        (npy(FLAG, b"(2,), }", b"(99999999,)"), "header"),
        (npy(FLAG, b"(2,), }", b"(2000000,), }"), "does not fit"),
        (npy(FLAG, b"(2,), }", b"(9999999999999999999, 0), }"), "impossible shape"),
        (npy(FLAG, b"'|b1'", b"'|O8'"), "only little-endian"),
        (npy(FLAG, b"'|b1'", b"'>f4'"), "only little-endian"),
        (npy(FLAG, b"NUMPY\x01", b"NUMPY\x02"), "no plain array"),
        (npy(FLAG, b"\x76\x00{", b"\xff\xff{"), "no plain array"),
        (npy(FLAG)[:-1], "does not fit"),
        (npy(FLAG) + b"x", "does not fit"),
        (b"", "no plain array"),
    ],
)
def test_arrays_that_lie_about_themselves(content, complaint, path):
    rewrite(path, lambda members: members.update({"flag.npy": content}))
    refused(path, complaint)


def test_members_nobody_listed(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.npy", npy(FLAG))
    refused(path, "does not hold what its manifest lists: more.npy")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_that_stand_there_twice(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("flag.npy", npy(FLAG))
    refused(path, "two members named 'flag.npy'")


@pytest.mark.parametrize("name", ["../flag.npy", "/flag.npy", "a/../b.npy", "a\\b.npy"])
def test_members_that_point_outside(name, path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, npy(FLAG))
    refused(path, "unsafe name")


def test_compressed_members(path):
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.npy", bytes(1 << 20))
    refused(path, "compressed in a way not allowed")


def test_members_that_share_their_bytes(tmp_path):
    """Many entries for one stretch of the file would make much memory out of few bytes."""
    path = tmp_path / "shared.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", npy(np.zeros(1000)))
        original = archive.filelist[0]
        for name in ("b.npy", "c.npy"):
            copy = zipfile.ZipInfo(name)
            for field in ("file_size", "compress_size", "CRC", "header_offset"):
                setattr(copy, field, getattr(original, field))
            archive.filelist.append(copy)
            archive.NameToInfo[name] = copy
    refused(path, "claims .* bytes of members|damaged|not an .npz|no manifest")


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    class Trap:
        def __reduce__(self):
            return os.system, ("echo trapped > trapped",)

    monkeypatch.chdir(tmp_path)
    write_store("a.npz", {"flag": FLAG})
    trap = np.empty(1, object)
    trap[0] = Trap()
    rewrite(tmp_path / "a.npz", lambda members: members.update({"flag.npy": npy(trap)}))
    refused(tmp_path / "a.npz", "only little-endian numbers")
    assert not (tmp_path / "trapped").exists()

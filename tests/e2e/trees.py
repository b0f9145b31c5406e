"""File trees as values: read from a folder, a tar or the layers of an image, and compared."""

import dataclasses
import gzip
import hashlib
import io
import os
import stat
import tarfile
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Entry:
    """One file of a tree. `links`: the other names of the same file; `mtime`: whole seconds."""

    kind: str  # file, folder, symlink, fifo, char, block, socket
    mode: int
    uid: int
    gid: int
    mtime: int
    target: str = ""
    sha256: str = ""
    links: tuple = ()


def tree_of(folder):
    """{relative path: Entry} of a folder, without the folder itself."""
    folder = Path(folder)
    entries, names_of_inode = {}, {}
    for parent, folders, files in os.walk(folder):
        for name in sorted(folders + files):
            path = Path(parent, name)
            info = path.lstat()
            relative = str(path.relative_to(folder))
            kind = _kind_of_mode(info.st_mode)
            if kind != "folder" and info.st_nlink > 1:
                names_of_inode.setdefault((info.st_dev, info.st_ino), []).append(relative)
            entries[relative] = Entry(
                kind=kind,
                mode=stat.S_IMODE(info.st_mode),
                uid=info.st_uid,
                gid=info.st_gid,
                mtime=int(info.st_mtime),
                target=os.readlink(path) if kind == "symlink" else "",
                sha256=_digest(path.read_bytes()) if kind == "file" else "",
            )
    return _with_links(entries, names_of_inode.values())


def files_in(folder):
    """The regular files below a folder, relative, sorted; a link counts as nothing else."""
    return sorted(path for path, entry in _looked_at(folder) if stat.S_ISREG(entry.st_mode))


def is_in(folder, path):
    """Whether a folder has something at a path, be it a link that leads nowhere."""
    return str(path) in {found for found, _ in _looked_at(folder)}


def content(folder, path):
    """What a regular file of a tree holds; an absolute link would lead to a file of this machine."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    *parents, name = Path(path).parts
    for parent in parents:
        inner = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
        os.close(directory)
        directory = inner
    with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory), "rb") as source:
        os.close(directory)
        return source.read()


def text(folder, path):
    """The same as text."""
    return content(folder, path).decode()


def _looked_at(folder):
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            path = Path(parent, name)
            yield str(path.relative_to(folder)), path.lstat()


def tree_of_tar(tar):
    """{relative path: Entry} of a tar (bytes or a path, compressed or not)."""
    entries, groups = {}, {}
    with _open(tar) as archive:
        for member in archive:
            _add(archive, member, entries, groups)
    return _with_links(entries, groups.values())


def tree_of_layers(layers):
    """The file system that layers (tars as bytes, lowest first) make together."""
    entries, groups = {}, {}
    for layer in layers:
        with _open(layer) as archive:
            members = archive.getmembers()
            for member in members:
                folder, _, name = _normal(member.name).rpartition("/")
                prefix = f"{folder}/" if folder else ""
                if name == ".wh..wh..opq":
                    _forget(entries, lambda path, p=prefix: path.startswith(p))
                elif name.startswith(".wh."):
                    gone = prefix + name[4:]
                    _forget(entries, lambda path, g=gone: path == g or path.startswith(g + "/"))
            for member in members:
                if not _normal(member.name).rpartition("/")[2].startswith(".wh."):
                    _add(archive, member, entries, groups)
    return _with_links(entries, [[p for p in group if p in entries] for group in groups.values()])


def differences(expected, actual, ignore=()):
    """Lines that say how two trees differ; `ignore` names fields of Entry."""
    lines = [f"missing: {path}" for path in sorted(expected.keys() - actual.keys())]
    lines += [f"not expected: {path}" for path in sorted(actual.keys() - expected.keys())]
    fields = [f.name for f in dataclasses.fields(Entry) if f.name not in ignore]
    for path in sorted(expected.keys() & actual.keys()):
        for field in fields:
            want, got = getattr(expected[path], field), getattr(actual[path], field)
            if want != got:
                show = oct if field == "mode" else repr
                lines.append(f"{path}: {field} is {show(got)}, expected {show(want)}")
    return lines


def _open(tar):
    if isinstance(tar, bytes):
        data = gzip.decompress(tar) if tar[:2] == b"\x1f\x8b" else tar
        return tarfile.open(fileobj=io.BytesIO(data), mode="r:")
    return tarfile.open(tar, mode="r:*")


def _add(archive, member, entries, groups):
    path = _normal(member.name)
    if not path:
        return
    if member.islnk():
        first = _normal(member.linkname)
        entries[path] = entries[first]
        groups.setdefault(first, [first]).append(path)
        return
    kind = _kind_of_member(member)
    entries[path] = Entry(
        kind=kind,
        mode=stat.S_IMODE(member.mode),
        uid=member.uid,
        gid=member.gid,
        mtime=int(member.mtime),
        target=member.linkname if kind == "symlink" else "",
        sha256=_digest(archive.extractfile(member).read()) if kind == "file" else "",
    )


def _with_links(entries, groups):
    for names in groups:
        for name in names:
            others = tuple(sorted(set(names) - {name}))
            entries[name] = dataclasses.replace(entries[name], links=others)
    return entries


def _forget(entries, matches):
    for path in [path for path in entries if matches(path)]:
        del entries[path]


def _normal(name):
    return os.path.normpath("/" + name).strip("/")


def _digest(data):
    return hashlib.sha256(data).hexdigest()


def _kind_of_mode(mode):
    kinds = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "folder",
        stat.S_IFLNK: "symlink",
        stat.S_IFIFO: "fifo",
    }
    kinds |= {stat.S_IFCHR: "char", stat.S_IFBLK: "block", stat.S_IFSOCK: "socket"}
    return kinds[stat.S_IFMT(mode)]


def _kind_of_member(member):
    kinds = {tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "symlink", tarfile.FIFOTYPE: "fifo"}
    kinds |= {tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block"}
    return kinds.get(member.type, "file")

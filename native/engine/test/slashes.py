# SPDX-License-Identifier: Apache-2.0
"""Names with slashes behind them, also in links, and links that are opened as
such: what open(), rename() and link() make of each, one a line.
  slashes.py TREE
"""
import ctypes
import errno
import itertools
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
tree = sys.argv[1]
os.chdir(tree)


def said(call, *args):
    try:
        call(*args)
        return "0"
    except OSError as e:
        return errno.errorcode[e.errno]


def renamed(a, b, flags):
    done = libc.renameat2(-100, a.encode(), -100, b.encode(), flags)
    return "0" if done == 0 else errno.errorcode[ctypes.get_errno()]


def absent(*names):
    for name in names:
        if os.path.lexists(name):
            print("made", name)
            os.unlink(name)


ways = {
    "create": os.O_RDWR | os.O_CREAT,
    "create to read": os.O_CREAT,
    "new": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "create itself": os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW,
    "truncate": os.O_WRONLY | os.O_TRUNC,
    "write itself": os.O_WRONLY | os.O_NOFOLLOW,
    "unnamed": os.O_WRONLY | os.O_TMPFILE,
    "unnamed itself": os.O_WRONLY | os.O_TMPFILE | os.O_NOFOLLOW,
    "write a directory": os.O_WRONLY | os.O_DIRECTORY,
    "path": os.O_PATH | os.O_CREAT,
}
targets = [
    "app", "app/file", "app/dir", "app/self", "app/link", "app/gone", "app/new",
    "app/no/name", "app/file/x", "app/to-dir", "app/to-file", "app/out", "app/up",
    "ro/file", "ro/new", "ro/link", "ro/up", "ro/dir", "ro/pipe", "ro/to-pipe",
    "dir/to-app", "dir/new", "dir/loop", "one", "plain", "nothing", "into/new",
    tree + "/app/self",
]


def opens():
    links = {"app/self": "self", "app/to-dir": "dir/", "app/to-file": "file/",
             "app/out": "../plain/", "dir/loop": "loop"}
    for name, text in links.items():
        os.symlink(text, name)
    for target, end, place in itertools.product(
            targets, ("", "/", "/.", "/./"), (None, "via", "app/via")):
        path = target + end
        if place:
            above = "../" if place[:3] == "app" and path[0] != "/" else ""
            os.symlink(above + path, place)
        for way, flags in ways.items():
            # A pipe without a reader has to say so, and not wait for one.
            done = said(lambda: os.close(os.open(
                place or path, flags | os.O_NONBLOCK, 0o640)))
            print("open", place, path.removeprefix(tree), way, done)
            absent("app/new", "app/nowhere", "dir/new", "nothing")
        if place:
            os.unlink(place)


def fresh(top):
    for name in ("", "/d", "/e", "/e/in"):
        os.mkdir(top + name)
    for name in ("f", "g"):
        os.close(os.open(top + "/" + name, os.O_CREAT))
    links = {"to-d": "d", "to-e": "e/", "to-f": "f", "self": "self", "gone": "no"}
    for name, text in links.items():
        os.symlink(text, top + "/" + name)


def shape(top):
    kinds = {n: os.lstat(top + "/" + n).st_mode >> 12 for n in os.listdir(top)}
    return " ".join(f"{name}:{kinds[name]}" for name in sorted(kinds))


def clear(top):
    for name in os.listdir(top):
        path = top + "/" + name
        if os.path.isdir(path) and not os.path.islink(path):
            clear(path)
        else:
            os.unlink(path)
    os.rmdir(top)


def renames():
    names = ["d", "e", "f", "g", "to-d", "to-e", "to-f", "self", "gone", "no"]
    ends, top = ("", "/"), "app/w"
    fresh(top)
    for a, b, of_a, of_b in itertools.product(names, names, ends, ends):
        one, two = f"{top}/{a}{of_a}", f"{top}/{b}{of_b}"
        for flags in (0, 1, 2):
            done = renamed(one, two, flags)
            print("rename", one, two, flags, done)
            if done == "0":
                print(shape(top))
                clear(top)
                fresh(top)
        print("link", one, two, said(os.link, one, two))
        absent(top + "/no")
    clear(top)


def borders():
    names = ["one", "one/", "app", "app/", "ro/", "plain/", "dir/", "app/file/",
             "app/dir/", "ro/file/", "ro/dir/"]
    for name in names:
        for call in (os.unlink, os.mkdir, os.mknod):
            print(call.__name__, name, said(call, name))
        if name not in ("app/dir/", "dir/"):
            print("rmdir", name, said(os.rmdir, name))
    for a, b, flags in itertools.product(names, names, (0, 1, 2)):
        print("rename", a, b, flags, renamed(a, b, flags))
    for a, b in itertools.product(names, names):
        print("link", a, b, said(os.link, a, b))


def a_directory_and_a_link_to_it():
    os.symlink("file", "app/was-link")
    os.rename("app/was-link", "app/file")
    print("exchanged", renamed("into/file", "app/dir/", 2))
    print("onto the link", renamed("into/file", "app/dir/", 0))
    print(shape("app"))


opens()
renames()
borders()
a_directory_and_a_link_to_it()

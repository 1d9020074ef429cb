// What every path-taking operation gives on a redirected path, by mode: the one table that both engines are held to. Operations are those of
// test/fixtures/redirect-calls.c, each by libc and by the system call itself, with the same answer.
//
// An answer is a word of that program or the name of an errno. Where the engines differ the cell has an answer for each: a hidden path can be made anew under the namespace engine, and what merged has in the package is read-only there
// (docs/decisions/0041). Rules that an
// engine refuses as a whole: test/unit/redirect/mounts.test.ts.

export type Engine = "namespace" | "in-process";
type Cell = string | Readonly<Record<Engine, string>>;

/** Columns of folder rules. `host`: write-copy over a folder of the host that is allowed. */
export type FolderMode = "full" | "write-copy" | "host" | "read-only" | "hide";
/** Columns of exact rules. `merged`: a file of the host; `merged-own`: the package has one too. */
export type FileMode = "full" | "write-copy" | "read-only" | "merged" | "merged-own" | "hide";

const folderModes = ["full", "write-copy", "host", "read-only", "hide"] as const;
const fileModes = ["full", "write-copy", "read-only", "merged", "merged-own", "hide"] as const;

type Row = readonly [operation: string, ...cells: Cell[]];

/** What is new at a hidden path itself: no kernel refuses one name of a directory, see docs/decisions/0041. */
const made: Cell = { namespace: "made", "in-process": "EROFS" };

const folderRows: readonly Row[] = [
  ["open-read", "package", "package", "package", "package", "ENOENT"],
  ["open-write", "new", "new", "new", "EROFS", "ENOENT"],
  ["open-both", "newkage", "newkage", "newkage", "EROFS", "ENOENT"],
  ["append", "packagenew", "packagenew", "packagenew", "EROFS", "ENOENT"],
  ["create", "made", "made", "made", "EROFS", "ENOENT"],
  ["exclusive", "EEXIST", "EEXIST", "EEXIST", "EEXIST", "ENOENT"],
  ["truncate", "pac", "pac", "pac", "EROFS", "ENOENT"],
  ["stat", "file 7", "file 7", "file 7", "file 7", "ENOENT"],
  ["lstat-link", "link", "link", "link", "link", "ENOENT"],
  ["through-link", "package", "package", "package", "package", "ENOENT"],
  ["access-read", "ok", "ok", "ok", "ok", "ENOENT"],
  ["access-write", "ok", "ok", "ok", "EROFS", "ENOENT"],
  ["list", "own gone", "own", "own gone host", "own gone", "ENOENT"],
  ["list-libc", "many", "many", "many", "many", "ENOENT"],
  ["rename-within", "package", "package", "package", "EROFS", "ENOENT"],
  ["rename-out", "EXDEV", "EXDEV", "EXDEV", "EXDEV", "ENOENT"],
  ["rename-in", "EXDEV", "EXDEV", "EXDEV", "EXDEV", "ENOENT"],
  ["rename-folder", "package", "package", "package", "EROFS", "ENOENT"],
  ["replace", "outside", "outside", "outside", "EROFS", "ENOENT"],
  ["link-within", "package", "package", "package", "EROFS", "ENOENT"],
  ["link-out", "EXDEV", "EXDEV", "EXDEV", "EXDEV", "ENOENT"],
  ["unlink", "gone", "gone", "gone", "EROFS", "ENOENT"],
  ["unlink-and-make", "outside", "outside", "outside", "EROFS", "ENOENT"],
  ["mkdir", "ok", "ok", "ok", "EROFS", "ENOENT"],
  ["rmdir", "ok", "ok", "ok", "EROFS", "ENOENT"],
  ["rmdir-full", "ENOTEMPTY", "ENOTEMPTY", "ENOTEMPTY", "EROFS", "ENOENT"],
  ["chmod", "ok", "ok", "ok", "EROFS", "ENOENT"],
  ["chown", "ok", "ok", "ok", "EROFS", "ENOENT"],
  ["utimes", "ok", "ok", "ok", "EROFS", "ENOENT"],
  ["readlink", "ok", "ok", "ok", "ok", "ENOENT"],
  ["symlink", "ok", "ok", "ok", "EROFS", "ENOENT"],
  ["mkfifo", "ok", "ok", "ok", "EROFS", "ENOENT"],
  ["relative", "package", "package", "package", "package", "ENOENT"],
  ["dot-dot", "package", "package", "package", "package", "ENOENT"],
  ["getcwd", "ok", "ok", "ok", "ok", "ENOENT"],
  ["openat", "package", "package", "package", "package", "ENOENT"],
  ["at-calls", "ok", "ok", "ok", "EROFS", "ENOENT"],
  ["o-path", "package", "package", "package", "package", "ENOENT"],
  ["fd-name", "ok", "ok", "ok", "ok", "ENOENT"],
  ["statfs", "ok", "ok", "ok", "ok", "ENOENT"],
  ["xattr", "ok", "ok", "ok", "EROFS", "ENOENT"],
  ["longest", "package", "package", "package", "package", "ENOENT"],
  ["too-long", "ENAMETOOLONG", "ENAMETOOLONG", "ENAMETOOLONG", "ENAMETOOLONG", "ENAMETOOLONG"],
  ["socket", "ok", "ok", "ok", "EROFS", "ENOENT"],
  ["by-link", "package", "package", "package", "package", "ENOENT"],
  ["below-a-file", "ENOTDIR", "ENOTDIR", "ENOTDIR", "ENOTDIR", "ENOENT"],
  ["with-slash", "ENOTDIR", "ENOTDIR", "ENOTDIR", "ENOTDIR", "ENOENT"],
  ["host-read", "ENOENT", "ENOENT", "host", "ENOENT", "ENOENT"],
  ["host-write", "ENOENT", "ENOENT", "host new", "ENOENT", "ENOENT"],
  ["rename-from", "EBUSY", "EBUSY", "EBUSY", "EBUSY", "ENOENT"],
  ["remove-from", "EBUSY", "EBUSY", "EBUSY", "EBUSY", "ENOENT"],
  ["make-from", "EEXIST", "EEXIST", "EEXIST", "EEXIST", made],
];

const fileRows: readonly Row[] = [
  ["open-read", "package", "package", "package", "host", "package", "ENOENT"],
  ["stat", "file 7", "file 7", "file 7", "file 4", "file 7", "ENOENT"],
  ["access-read", "ok", "ok", "ok", "ok", "ok", "ENOENT"],
  ["access-write", "ok", "ok", "EROFS", "ok", { namespace: "EROFS", "in-process": "ok" }, "ENOENT"],
  ["o-path", "package", "package", "package", "host", "package", "ENOENT"],
  ["fd-name", "ok", "ok", "ok", "ok", "ok", "ENOENT"],
  ["statfs", "ok", "ok", "ok", "ok", "ok", "ENOENT"],
  ["exclusive", "EEXIST", "EEXIST", "EEXIST", "EEXIST", "EEXIST", { namespace: "ok", "in-process": "EROFS" }],
  ["with-slash", "ENOTDIR", "ENOTDIR", "ENOTDIR", "ENOTDIR", "ENOTDIR", "ENOENT"],
  [
    "append",
    "packagenew",
    "packagenew",
    "EROFS",
    "hostnew",
    { namespace: "EROFS", "in-process": "package" },
    "ENOENT",
  ],
  ["truncate", "pac", "pac", "EROFS", "hos", { namespace: "EROFS", "in-process": "package" }, "ENOENT"],
  ["open-write", "new", "new", "EROFS", "new", { namespace: "EROFS", "in-process": "package" }, "ENOENT"],
  ["chmod", "ok", "ok", "EROFS", "ok", { namespace: "EROFS", "in-process": "other" }, "ENOENT"],
  ["chown", "ok", "ok", "EROFS", "ok", { namespace: "EROFS", "in-process": "other" }, "ENOENT"],
  ["utimes", "ok", "ok", "EROFS", "ok", { namespace: "EROFS", "in-process": "other" }, "ENOENT"],
  ["rename-out", "EBUSY", "ok", "EBUSY", "EBUSY", "EBUSY", "ENOENT"],
  ["link-out", "EXDEV", "ok", "EXDEV", "EXDEV", "EXDEV", "ENOENT"],
  [
    "replace-from-outside",
    "EBUSY",
    "ok",
    "EBUSY",
    "EBUSY",
    "EBUSY",
    { namespace: "ok", "in-process": "EROFS" },
  ],
  ["unlink", "EBUSY", "gone", "EBUSY", "EBUSY", "EBUSY", "ENOENT"],
];

export interface Expected {
  readonly operation: string;
  readonly answer: string;
}

export function folderCells(mode: FolderMode, engine: Engine): Expected[] {
  return cells(folderRows, folderModes.indexOf(mode), engine);
}

export function fileCells(mode: FileMode, engine: Engine): Expected[] {
  return cells(fileRows, fileModes.indexOf(mode), engine);
}

function cells(rows: readonly Row[], column: number, engine: Engine): Expected[] {
  return rows.map(([operation, ...answers]) => {
    const cell = answers[column] ?? "";
    return { operation, answer: typeof cell === "string" ? cell : cell[engine] };
  });
}

export const tested = { folders: folderModes, files: fileModes };

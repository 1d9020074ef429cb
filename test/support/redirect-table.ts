// What every path-taking operation gives on a redirected path, by mode: the one table that both engines are held to. Operations are those of
// test/fixtures/redirect-calls.c, each by libc and by the system call itself, with the same answer.
//
// An answer is a word of that program or the name of an errno. Where the engines differ the cell has an answer for each: a hidden path can be made anew under the namespace engine, and what merged has in the package is read-only there
// (docs/decisions/0041). Rules that an
// engine refuses as a whole: test/unit/redirect/mounts.test.ts.

export type Engine = "namespace" | "in-process";
type Cell = string | Readonly<Record<Engine, string>>;

/**
 * Columns of folder rules. `host`: write-copy over a folder of the host that is allowed. `merged`: both have what is asked for; `merged-host`: the host alone.
 * Mounts cannot merge folders: under namespaces such a rule is refused.
 */
export type FolderMode = "full" | "write-copy" | "host" | "read-only" | "hide" | "merged" | "merged-host";
/** Columns of exact rules. `merged`: a file of the host; `merged-own`: the package has one too. */
export type FileMode = "full" | "write-copy" | "read-only" | "merged" | "merged-own" | "hide";

const folderModes = ["full", "write-copy", "host", "read-only", "hide", "merged", "merged-host"] as const;
const fileModes = ["full", "write-copy", "read-only", "merged", "merged-own", "hide"] as const;

type Row = readonly [operation: string, ...cells: Cell[]];

/** What is new at a hidden path itself: no kernel refuses one name of a directory, see docs/decisions/0041. */
const made: Cell = { namespace: "made", "in-process": "EROFS" };

const folderRows: readonly Row[] = [
  ["open-read", "package", "package", "package", "package", "ENOENT", "package", "host"],
  ["open-write", "new", "new", "new", "EROFS", "ENOENT", "package", "new"],
  ["open-both", "newkage", "newkage", "newkage", "EROFS", "ENOENT", "package", "newt"],
  ["append", "packagenew", "packagenew", "packagenew", "EROFS", "ENOENT", "package", "hostnew"],
  ["create", "made", "made", "made", "EROFS", "ENOENT", "made", "made"],
  ["exclusive", "EEXIST", "EEXIST", "EEXIST", "EEXIST", "ENOENT", "EEXIST", "EEXIST"],
  ["truncate", "pac", "pac", "pac", "EROFS", "ENOENT", "package", "hos"],
  ["stat", "file 7", "file 7", "file 7", "file 7", "ENOENT", "file 7", "file 4"],
  ["lstat-link", "link", "link", "link", "link", "ENOENT", "link", "link"],
  ["through-link", "package", "package", "package", "package", "ENOENT", "package", "host"],
  ["access-read", "ok", "ok", "ok", "ok", "ENOENT", "ok", "ok"],
  ["access-write", "ok", "ok", "ok", "EROFS", "ENOENT", "ok", "ok"],
  ["list", "own gone", "own", "own gone host", "own gone", "ENOENT", "own gone host", "own gone host"],
  ["list-libc", "many", "many", "many", "many", "ENOENT", "many", "many"],
  ["rename-within", "package", "package", "package", "EROFS", "ENOENT", "EROFS", "host"],
  ["rename-out", "EXDEV", "EXDEV", "EXDEV", "EXDEV", "ENOENT", "EXDEV", "EXDEV"],
  ["rename-in", "EXDEV", "EXDEV", "EXDEV", "EXDEV", "ENOENT", "EXDEV", "EXDEV"],
  ["rename-folder", "package", "package", "package", "EROFS", "ENOENT", "EROFS", "host"],
  ["replace", "outside", "outside", "outside", "EROFS", "ENOENT", "package", "outside"],
  ["link-within", "package", "package", "package", "EROFS", "ENOENT", "EXDEV", "host"],
  ["link-out", "EXDEV", "EXDEV", "EXDEV", "EXDEV", "ENOENT", "EXDEV", "EXDEV"],
  ["unlink", "gone", "gone", "gone", "EROFS", "ENOENT", "EROFS", "gone"],
  ["unlink-and-make", "outside", "outside", "outside", "EROFS", "ENOENT", "EROFS", "outside"],
  ["mkdir", "ok", "ok", "ok", "EROFS", "ENOENT", "ok", "ok"],
  ["rmdir", "ok", "ok", "ok", "EROFS", "ENOENT", "EROFS", "ok"],
  ["rmdir-full", "ENOTEMPTY", "ENOTEMPTY", "ENOTEMPTY", "EROFS", "ENOENT", "EROFS", "ENOTEMPTY"],
  ["chmod", "ok", "ok", "ok", "EROFS", "ENOENT", "other", "ok"],
  ["chown", "ok", "ok", "ok", "EROFS", "ENOENT", "other", "ok"],
  ["utimes", "ok", "ok", "ok", "EROFS", "ENOENT", "other", "ok"],
  ["readlink", "ok", "ok", "ok", "ok", "ENOENT", "ok", "ok"],
  ["symlink", "ok", "ok", "ok", "EROFS", "ENOENT", "ok", "ok"],
  ["mkfifo", "ok", "ok", "ok", "EROFS", "ENOENT", "ok", "ok"],
  ["relative", "package", "package", "package", "package", "ENOENT", "package", "host"],
  ["dot-dot", "package", "package", "package", "package", "ENOENT", "package", "host"],
  ["getcwd", "ok", "ok", "ok", "ok", "ENOENT", "ok", "ok"],
  ["openat", "package", "package", "package", "package", "ENOENT", "package", "host"],
  ["at-calls", "ok", "ok", "ok", "EROFS", "ENOENT", "EROFS", "ok"],
  ["o-path", "package", "package", "package", "package", "ENOENT", "package", "host"],
  ["fd-name", "ok", "ok", "ok", "ok", "ENOENT", "ok", "ok"],
  ["statfs", "ok", "ok", "ok", "ok", "ENOENT", "ok", "ok"],
  ["xattr", "ok", "ok", "ok", "EROFS", "ENOENT", "ENODATA", "ok"],
  ["longest", "package", "package", "package", "package", "ENOENT", "package", "host"],
  [
    "too-long",
    "ENAMETOOLONG",
    "ENAMETOOLONG",
    "ENAMETOOLONG",
    "ENAMETOOLONG",
    "ENAMETOOLONG",
    "ENAMETOOLONG",
    "ENAMETOOLONG",
  ],
  ["socket", "ok", "ok", "ok", "EROFS", "ENOENT", "ok", "ok"],
  ["by-link", "package", "package", "package", "package", "ENOENT", "package", "host"],
  ["below-a-file", "ENOTDIR", "ENOTDIR", "ENOTDIR", "ENOTDIR", "ENOENT", "ENOTDIR", "ENOTDIR"],
  ["with-slash", "ENOTDIR", "ENOTDIR", "ENOTDIR", "ENOTDIR", "ENOENT", "ENOTDIR", "ENOTDIR"],
  ["host-read", "ENOENT", "ENOENT", "host", "ENOENT", "ENOENT", "host", "host"],
  ["host-write", "ENOENT", "ENOENT", "host new", "ENOENT", "ENOENT", "host new", "host new"],
  ["rename-from", "EBUSY", "EBUSY", "EBUSY", "EBUSY", "ENOENT", "EBUSY", "EBUSY"],
  ["remove-from", "EBUSY", "EBUSY", "EBUSY", "EBUSY", "ENOENT", "EBUSY", "EBUSY"],
  ["make-from", "EEXIST", "EEXIST", "EEXIST", "EEXIST", made, "EEXIST", "EEXIST"],
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

/** Columns that an engine has. */
export function testedBy(engine: Engine): { folders: readonly FolderMode[]; files: readonly FileMode[] } {
  const folders = folderModes.filter((mode) => engine === "in-process" || !mode.startsWith("merged"));
  return { folders, files: fileModes };
}

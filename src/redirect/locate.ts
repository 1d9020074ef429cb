// From a path as a program asks for it to the location that rules are about. Pure: what is a symbolic link is asked of the caller.
//
// As the kernel walks: a relative path starts at the directory it is relative to; "." and empty names stay where they are; ".." goes to
// the parent of where the walk is, after links, and stays at the root; a link before the last name is followed, the last one only where
// the operation follows it or a slash stands behind it. Links lead through the application's view: an absolute target starts at its root and is
// redirected again. A rule is applied once: what its `to` names is never looked up in the rules. Whether the last name exists is for the file system to say.
import { byteLength, maxPath } from "./rules.ts";

export interface LocateOptions {
  /** The location that a relative path starts from. */
  readonly cwd: string;
  /** Whether a link as the last name is followed (not by lstat, readlink, unlink, rename, ...). */
  readonly follow: boolean;
  /** The target of the link at a location, as the application sees it; undefined: there is no link. */
  readonly readLink: (location: string) => string | undefined;
  /** Whether there is a directory at a location, asked of every name but the last; absent: taken for granted, for paths of rules. */
  readonly isFolder?: (location: string) => boolean;
}

export type Located =
  | {
      readonly location: string;
      /** A slash or "." stood behind it: it has to be a directory. */
      readonly directory: boolean;
    }
  | { readonly errno: "ENOENT" | "ENAMETOOLONG" | "ELOOP" | "ENOTDIR" };

const maxName = 255;
const maxLinks = 40;

/** ENOTDIR stands also for a folder on the way that is not there at all: only the file system knows which of both. */
export function locate(path: string, { cwd, follow, readLink, isFolder }: LocateOptions): Located {
  if (path === "") return { errno: "ENOENT" };
  if (byteLength(path) > maxPath) return { errno: "ENAMETOOLONG" };
  const directory = /(^|\/)\.{0,2}$/.test(path);
  let todo = path.split("/");
  let done = path.startsWith("/") ? [] : names(cwd);
  for (let links = 0; todo.length > 0; ) {
    const [name = "", ...rest] = todo;
    todo = rest;
    if (isFolder !== undefined && !isFolder(`/${done.join("/")}`)) return { errno: "ENOTDIR" };
    if (name === "" || name === ".") continue;
    if (name === "..") {
      done = done.slice(0, -1);
      continue;
    }
    if (byteLength(name) > maxName) return { errno: "ENAMETOOLONG" };
    const here = [...done, name];
    const target = rest.length === 0 && !follow ? undefined : readLink(`/${here.join("/")}`);
    if (target === undefined) {
      done = here;
      continue;
    }
    if (++links > maxLinks) return { errno: "ELOOP" };
    if (target === "") return { errno: "ENOENT" };
    if (target.startsWith("/")) done = [];
    todo = [...target.split("/"), ...rest];
  }
  return { location: `/${done.join("/")}`, directory };
}

function names(path: string): string[] {
  return path.split("/").filter((name) => name !== "");
}

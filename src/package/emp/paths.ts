// Paths of an EMP folder and of a package. ProgData is the package's root; what else lies in the folder is kept below /.tranship/emp.
// A path of Windows becomes one of a package by a slash before it and slashes in it: D:\data is /D:/data, %ProgramFiles%\X is
// /%ProgramFiles%/X. Paths of Linux stand in an EMP folder as they are.
import { contentName } from "../../formats/emp/files.ts";
import { belowDefaultDirectory, defaultDirectory } from "../../formats/emp/run-conditions.ts";

/** Where a package keeps what an EMP folder holds beside ProgData. */
export const keptDirectory = "/.tranship/emp";

/** Of a path as run conditions and scripts have it; undefined where it lies outside of the package. */
export function packagePath(path: string): string | undefined {
  const below = belowDefaultDirectory(path);
  return below === undefined ? undefined : fromFolder(below);
}

export function empPath(path: string): string {
  const below = toFolder(path);
  // A name with a backslash: slashes say that it is none that parts a path.
  return below.includes("\\")
    ? `${defaultDirectory}/${below}`
    : `${defaultDirectory}\\${below.replaceAll("/", "\\")}`;
}

/** `To` of a rule. */
export function targetPath(to: string): string {
  return fromFolder(to.replaceAll("\\", "/").replace(/^\/+|\/+$/g, ""));
}

export function empTarget(path: string): string {
  return toFolder(path).replaceAll("/", "\\");
}

/** `From` of a rule. */
export function askedPath(from: string): string {
  if (from.startsWith("/")) return from;
  return `/${from.replaceAll("\\", "/").replace(/\/+$/, "")}`;
}

export function empAsked(path: string): string {
  if (!/^\/([A-Za-z]:|%[^%/]+%)(\/|$)/.test(path)) return path;
  const plain = path.slice(1).replaceAll("/", "\\");
  return /^[A-Za-z]:$/.test(plain) ? `${plain}\\` : plain;
}

/** A path below the folder, parts with / between them. */
function fromFolder(below: string): string {
  const [first = "", ...rest] = below.split("/");
  if (first.toLowerCase() === contentName.toLowerCase()) return `/${rest.join("/")}`;
  return `${keptDirectory}/${below}`;
}

function toFolder(path: string): string {
  if (path.startsWith(`${keptDirectory}/`)) return path.slice(keptDirectory.length + 1);
  return path === "/" ? contentName : contentName + path;
}

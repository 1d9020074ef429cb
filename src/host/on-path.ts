import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where a program is, as a shell finds it, and where administrators' programs are when PATH lacks that. */
export function onPath(program: string): string | undefined {
  const directories = [
    ...(process.env.PATH ?? "").split(delimiter),
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
  ];
  return directories.map((directory) => join(directory, program)).find((path) => existsSync(path));
}

// Programs in the root of a package that a test makes.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";

/** A dynamic program with what it is linked with, at the same places in `tree`; itself at `to`. */
export function bring(tree: string, program: string, to: string): void {
  const { stdout } = spawnSync("ldd", [program], { encoding: "utf8" });
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? "");
  for (const [from, place] of [[program, to], ...libraries.map((path) => [path, path])]) {
    mkdirSync(dirname(join(tree, place ?? "")), { recursive: true });
    copyFileSync(from ?? "", join(tree, place ?? ""));
  }
}

/** A static program that calls the vsyscall page, and says of itself that it is for kernels from 2.6.9 on, as those of its time do. */
export function makeOldProgram(to: string): void {
  const source = join(import.meta.dirname, "../../native/engine/test/old.c");
  const note = `.section .note.ABI-tag,"a",@note\n.balign 4\n.long 4, 16, 1\n.asciz "GNU"\n.long 0, 2, 6, 9\n`;
  const words = ["-static", source, "-x", "assembler", "-", "-o", to];
  const { status, stderr } = spawnSync("musl-gcc", words, { input: note, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}

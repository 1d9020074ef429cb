// Where a program without a path is.
import type { ByteString } from "../formats/entry.ts";
import type { Source } from "./source.ts";

/** systemd and supervisor look a program without a slash up in a path of their own. */
export async function withProgram(source: Source, argv: ByteString[]): Promise<ByteString[]> {
  const [program = "", ...rest] = argv;
  if (program.startsWith("/") || program === "") return argv;
  for (const directory of ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]) {
    if (await source.exists(`${directory}/${program}`)) return [`${directory}/${program}`, ...rest];
  }
  return argv;
}

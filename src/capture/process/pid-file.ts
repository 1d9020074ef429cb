// The pid file of a running daemon, found by its content.
import type { ProcessSnapshot } from "../../discover/process-snapshot.ts";
import { Source } from "../../discover/source.ts";
import type { ByteString } from "../../formats/entry.ts";

const maxFiles = 2000;

/** Looks in /run and one level below it, and where the command line names a file that ends in .pid. */
export async function findPidFile(source: Source, main: ProcessSnapshot): Promise<ByteString | undefined> {
  const quiet = new Source(source.files);
  const numbers = new Set([String(main.pid), String(main.innerPid)]);
  const named = main.arguments.flatMap((word) => /(\/[^=,:\s]*\.pid)$/.exec(word)?.[1] ?? []);
  for (const path of [...named, ...(await candidates(quiet))].slice(0, maxFiles)) {
    const text = await quiet.head(path, 32);
    if (text !== undefined && numbers.has(text.trim())) return (await quiet.canonical(path)) ?? path;
  }
  return undefined;
}

async function candidates(source: Source): Promise<ByteString[]> {
  const found: ByteString[] = [];
  const top = await source.list("/run");
  for (const entry of top) {
    if (entry.kind === "file" && /\.?pid$/.test(entry.path)) found.push(entry.path);
    if (entry.kind === "directory" && found.length < maxFiles)
      found.push(...(await source.filesIn(entry.path, /\.?pid$/)));
  }
  return found;
}

// An image with one program that does nothing, for containers that only hold a network. It is made here, so that no registry is asked for it and no image of
// a task is kept from being removed.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { tarEnd, tarPadding } from "../../../formats/tar.ts";
import { putTarHeader, tarBlock } from "../../../formats/tar-header.ts";
import { nativePath } from "../../../host/native.ts";
import { type Engine, EngineError } from "./engine.ts";

const repository = "tranship-pause";
const program = "pause";

/** Name of the image in the engine, which has it then. EngineError as the engine says. */
export async function pauseImage(engine: Engine): Promise<string> {
  const content = readFileSync(nativePath("pause"));
  // Another version of the program is another image.
  const tag = createHash("sha256").update(content).digest("hex").slice(0, 12);
  const image = `${repository}:${tag}`;
  if ((await engine.get(`/images/${image}/json`)) !== undefined) return image;
  const sent = engine.lines("POST", "/images/create", {
    query: { fromSrc: "-", repo: repository, tag, changes: `ENTRYPOINT ["/${program}"]` },
    raw: archiveOf(content),
    headers: { "Content-Type": "application/x-tar" },
  });
  for await (const { error } of sent)
    if (error !== undefined) throw new EngineError(0, `${image}: ${String(error)}`);
  return image;
}

function archiveOf(content: Uint8Array): Uint8Array {
  const header = new Uint8Array(tarBlock);
  const plain = { uid: 0, gid: 0, mtime: 0, type: "0", linkName: "", devMajor: 0, devMinor: 0 };
  putTarHeader({ ...plain, name: program, mode: 0o755, size: content.length }, header, 0);
  return Buffer.concat([header, content, new Uint8Array(tarPadding(content.length)), tarEnd]);
}

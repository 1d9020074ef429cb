// Where an upload that was broken off can be gone on with: ROOT/fetched/registry-uploads/KEY.json, KEY made of the destination and the
// content. A hint only: a registry that has forgotten the upload begins anew.
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { makeDirectory, readJson, writeFileAtomic } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";

export class UploadRecord {
  readonly #path: string;

  /** `content` says what the bytes are made of: the same words always mean the same bytes. */
  constructor(root: StateRoot, destination: string, content: string) {
    const key = createHash("sha256").update(`${destination}\n${content}`).digest("hex").slice(0, 40);
    const directory = join(root.fetched, "registry-uploads");
    makeDirectory(directory);
    this.#path = join(directory, `${key}.json`);
  }

  read(): URL | undefined {
    try {
      const value = readJson(this.#path) as { location?: unknown } | undefined;
      return typeof value?.location === "string" && URL.canParse(value.location)
        ? new URL(value.location)
        : undefined;
    } catch {
      return undefined; // damaged: begin anew
    }
  }

  write(location: URL): void {
    writeFileAtomic(this.#path, `${JSON.stringify({ location: location.href })}\n`, { volatile: true });
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

// Archives and directories that others (or we) have written become images of the store: OCI layouts, with their digests, and what
// `docker save` writes, whose plain layers are packed.
import { statSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import { ioError } from "../../host/files.ts";
import { makeWorkDirectory } from "../../host/work.ts";
import { type ImageStore, newName } from "../store.ts";
import { withSession } from "../store-session.ts";
import { importDockerArchive } from "./docker-archive.ts";
import type { Imported } from "./imported.ts";
import { importLayout } from "./layout.ts";
import { archiveFiles, directoryFiles, type SourceFiles } from "./source-files.ts";

export type ImportKind = "layout" | "docker-archive";

/** What lies at the path; undefined for a directory that is neither (a root file system, perhaps). */
export function kindOf(files: SourceFiles): ImportKind | undefined {
  if (files.file("oci-layout") !== undefined && files.file("index.json") !== undefined) return "layout";
  return files.file("manifest.json") === undefined ? undefined : "docker-archive";
}

/** Whether a path is a directory. E_IO where it is not there. */
export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (cause) {
    throw ioError(`cannot read ${path}`, cause);
  }
}

/** `wanted`: the image's own name in the archive, where it holds several. */
export async function importImage(
  store: ImageStore,
  path: string,
  reference: string,
  wanted: string | undefined,
): Promise<Imported> {
  const name = newName(reference);
  const work = makeWorkDirectory(store.root, "import");
  try {
    const files = isDirectory(path) ? directoryFiles(path) : await archiveFiles(path, work.path);
    const kind = kindOf(files);
    if (kind === undefined) {
      throw new TranshipError(
        "E_IMAGE_UNSUPPORTED",
        `${path} is neither an OCI layout nor an archive of docker save`,
        {
          hint: "it has no index.json and no manifest.json; a directory with a root file system is taken as one layer",
        },
      );
    }
    const load = kind === "layout" ? importLayout : importDockerArchive;
    return await withSession(store, (session) => load(session, files, name, wanted));
  } finally {
    work.remove();
  }
}

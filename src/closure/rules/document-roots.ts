/**
 * Document roots of web servers and include paths of PHP, as their configuration names them.
 *
 * Why: a web server opens a page when somebody asks for it; the pages nobody asked for while it was traced are as
 * much part of the application. These directives name whole trees by definition, so no size limit applies.
 */
import type { ByteString } from "../../formats/entry.ts";
import { isSweepable } from "../policy.ts";
import type { Rule } from "../rule.ts";
import { join } from "../tree.ts";
import { isConfiguration } from "./configuration-paths.ts";

export function documentRoots(): Rule {
  return {
    name: "document roots",
    async reason(scene, entry, reason, emit) {
      if (!isConfiguration(scene, entry, reason)) return;
      const file = await scene.configurations.read(entry);
      if (file === undefined) return;
      const { bases, roots } = file.surroundings;
      for (const name of findDocumentRoots(file.text)) {
        const places = name.startsWith("/")
          ? [name, ...roots.map((root) => root + name)]
          : bases.map((base) => join(base, name));
        for (const path of places) {
          const { entry: root } = await scene.tree.resolve(path);
          if (root === undefined || !isSweepable(root.path)) continue;
          emit.tree(path, { kind: "listed", from: entry.path, detail: "document root" });
          break;
        }
      }
    },
  };
}

const apache =
  /^\s*(?:DocumentRoot|VirtualDocumentRoot|(?:Script)?Alias(?:\s+\S+)|<Directory)\s+"?([^"\s>]+)/i;
const nginx = /^\s*(?:root|alias)\s+"?([^"\s;]+)"?\s*;/;
const phpIni =
  /^\s*(?:php_(?:admin_)?value\s+)?(?:include_path|open_basedir|extension_dir|doc_root)\s*[=\s]\s*"?([^"\n]+)"?/i;

function findDocumentRoots(text: string): ByteString[] {
  const found = new Set<ByteString>();
  for (const line of text.split("\n")) {
    const one = (apache.exec(line) ?? nginx.exec(line))?.[1];
    const several = phpIni.exec(line)?.[1]?.split(":") ?? [];
    for (const raw of one === undefined ? several : [one]) {
      const path = raw
        .trim()
        .replace(/[$%*].*$/, "")
        .replace(/(.)\/+$/, "$1");
      // Of several directories "." means the page's own, which nobody can tell.
      const relative = one !== undefined && /^\w[\w./-]*$/.test(path);
      if ((path.startsWith("/") && path.length > 1) || relative) found.add(path);
    }
  }
  return [...found];
}

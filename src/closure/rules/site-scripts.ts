/**
 * Files that the application's own scripts name.
 *
 * Why: a page that nobody asked for opens its settings by a name that stands only in its text: parse_ini_file("/etc/shop/config.ini").
 * Quoted absolute names that exist are taken. Bare words are not looked at: in program text they are mostly something else.
 * Directories named there are only reported: a script may name / or /tmp and mean it.
 */
import type { ByteString, Entry } from "../../formats/entry.ts";
import type { Reason, ReasonKind } from "../reason.ts";
import type { Rule, Scene } from "../rule.ts";

const maxText = 1 << 20;
const maxNames = 200;
const scripts = /\.(php[0-9]?|phtml|inc|pl|pm|cgi|py|rb|sh|tcl|jsp|xml|properties|ini|cfg|conf|json|ya?ml)$/i;
/** Trees of the system hold programs of others; a site's own scripts lie elsewhere. */
const ofTheSystem = /^\/(usr|lib|lib32|lib64|bin|sbin|etc|var\/lib\/dpkg|proc|sys|dev|run)\//;
const ofEveryMachine = /^\/(proc|sys|dev|run|tmp|bin|sbin|usr\/(bin|sbin|lib|share|include))(\/|$)/;

export function siteScripts(): Rule {
  const scanned = new Set<ByteString>();
  return {
    name: "site scripts",
    async reason(scene, entry, reason, emit) {
      if (!isSiteScript(scene, entry, reason) || scanned.has(entry.path)) return;
      scanned.add(entry.path);
      const text = await scene.tree.text(entry.path, maxText);
      if (text === undefined || text.includes("\0")) return;
      const why: Reason = { kind: "configuration", from: entry.path };
      for (const path of quotedPaths(text)) {
        const { entry: named } = await scene.tree.resolve(path);
        if (named === undefined) continue;
        if (named.kind === "file") emit.add(path, why);
        else if (named.kind === "directory")
          emit.candidate(named.path, why, "a directory that a script names");
      }
    },
  };
}

const looked: ReadonlySet<ReasonKind> = new Set(["listed", "traced", "rule", "installer"]);

function isSiteScript(scene: Scene, entry: Entry, reason: Reason): boolean {
  if (entry.kind !== "file" || entry.size === 0 || entry.size > maxText) return false;
  if (!looked.has(reason.kind)) return false;
  return (
    scripts.test(entry.path) &&
    !ofTheSystem.test(entry.path) &&
    scene.installed.owner(entry.path).length === 0
  );
}

function quotedPaths(text: string): ByteString[] {
  const found = new Set<ByteString>();
  for (const match of text.matchAll(/(["'])(\/[^"'\n\\$]{2,400})\1/g)) {
    const path = (match[2] ?? "").replace(/(.)\/+$/, "$1");
    if (!ofEveryMachine.test(path) && !path.startsWith("//")) found.add(path);
    if (found.size >= maxNames) break;
  }
  return [...found];
}

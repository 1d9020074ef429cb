// /etc/ld.so.conf: directories that ldconfig indexes, and patterns of further files.
import type { ByteString } from "./entry.ts";

export interface LdSoConf {
  directories: ByteString[];
  /** Patterns of `include` lines as written: relative ones are meant from the directory of the file. */
  includes: ByteString[];
}

export function parseLdSoConf(text: ByteString): LdSoConf {
  const conf: LdSoConf = { directories: [], includes: [] };
  for (const raw of text.split("\n")) {
    const line = raw.replace(/#.*$/, "").trim();
    const include = /^include\s+(.+)$/.exec(line);
    if (include !== null) conf.includes.push(...(include[1] ?? "").split(/\s+/));
    else if (/^hwcap\s/.test(line)) continue;
    else {
      for (const word of line.split(/[\s:,]+/)) {
        const directory = word.replace(/=.*$/, ""); // "DIR=TYPE" of old ldconfig
        if (directory.startsWith("/")) conf.directories.push(directory);
      }
    }
  }
  return conf;
}

/** /etc/ld.so.preload: libraries parted by blanks or colons. */
export function parseLdSoPreload(text: ByteString): ByteString[] {
  return text
    .replace(/#.*$/gm, "")
    .split(/[\s:]+/)
    .filter((word) => word !== "");
}

/**
 * The library trees of the language whose interpreter is used.
 *
 * Why: an import that the trace did not run is the most common miss of traced packages (decimal, an encoding, a PHP
 * extension, jsse.jar). Interpreters find modules by searching directories, so all of those of the version in use are taken.
 */
import type { ByteString, Entry } from "../../formats/entry.ts";
import { matchPaths } from "../glob.ts";
import type { Reason } from "../reason.ts";
import type { Emit, Rule, Scene } from "../rule.ts";
import { isUse } from "../rule.ts";
import { basename, dirname } from "../tree.ts";
import type { RuleState } from "./index.ts";

interface Language {
  name: string;
  /** Patterns of directories (and files); "*" matches within one component. */
  trees: ByteString[];
}

export function languageTrees(state: RuleState): Rule {
  const seen = new Map<string, ByteString>();
  return {
    name: "languages",
    async reason(scene, entry, reason, emit) {
      if (entry.kind !== "file" || !isUse(reason)) return;
      const language = languageOf(entry);
      if (language === undefined) return;
      const { name, trees } = language;
      const key = `${name}\0${trees.join("\0")}`;
      if (seen.has(key)) return;
      seen.set(key, entry.path);
      if (!state.languages.some((one) => one.name === name)) state.languages.push({ name, from: entry.path });
      await addTrees(scene, trees, { kind: "language", from: entry.path, detail: name }, emit);
      if (name.startsWith("python")) await virtualEnvironment(scene, entry, name, emit);
    },
  };
}

async function addTrees(
  scene: Scene,
  trees: readonly ByteString[],
  reason: Reason,
  emit: Emit,
): Promise<void> {
  for (const pattern of trees) {
    for (const path of await matchPaths(scene.tree, pattern)) emit.tree(path, reason);
  }
}

function languageOf(entry: Entry): Language | undefined {
  const { path } = entry;
  for (const detect of [python, perl, php, ruby, java, node]) {
    const language = detect(path);
    if (language !== undefined) return language;
  }
  return undefined;
}

/** /usr for /usr/bin/x and for /usr/lib/ARCH/libx.so. */
function prefixOf(path: ByteString): ByteString {
  const match = /^(.*?)\/(?:bin|sbin|lib|lib64|libexec)\//.exec(path);
  return match?.[1] === "" || match === null ? "/usr" : (match[1] ?? "/usr");
}

function python(path: ByteString): Language | undefined {
  const match =
    /(?:\/bin\/python|\/libpython|\/lib\/python)(\d+\.\d+)(?:[dmu]*$|[dmu]*\.so|\/lib-dynload\/|\/os\.py)/.exec(
      path,
    );
  const version = match?.[1];
  if (version === undefined) return undefined;
  const major = version.split(".")[0] ?? "3";
  const prefixes = [...new Set([prefixOf(path), "/usr/local"])];
  const trees = prefixes.flatMap((prefix) => [
    `${prefix}/lib/python${version}`,
    `${prefix}/lib64/python${version}`,
    `${prefix}/lib/python${major}`,
    `${prefix}/lib/python${version}.zip`,
  ]);
  return { name: `python${version}`, trees: [...trees, `/etc/python${version}`, "/usr/share/python-wheels"] };
}

function perl(path: ByteString): Language | undefined {
  const match =
    /\/bin\/perl(\d+\.\d+)?[\d.]*$|\/libperl\.so\.?(\d+\.\d+)?|\/perl(?:-base)?\/?(\d+\.\d+)?[\d.]*\/(?:strict|warnings|Config)\.p[ml]$/.exec(
      path,
    );
  if (match === null) return undefined;
  const version = match[1] ?? match[2] ?? match[3];
  const prefix = prefixOf(path);
  const trees = [prefix, "/usr/local"].flatMap((at) => [
    `${at}/lib/*/perl`, `${at}/lib/*/perl5`, `${at}/lib/*/perl-base`, `${at}/share/perl`, `${at}/share/perl5`, `${at}/lib/perl5`,
    `${at}/lib64/perl5`, `${at}/lib/site_perl`, `${at}/lib64/site_perl`,
  ]); // biome-ignore format: a table
  return { name: `perl${version ?? ""}`, trees: ["/etc/perl", ...trees] };
}

function php(path: ByteString): Language | undefined {
  const match =
    /\/(?:bin|sbin)\/php(?:-fpm|-cgi|-cli)?(\d+(?:\.\d+)?)?$|\/(?:lib|mod_)php(\d+(?:\.\d+)?)?\.so|\/php-fpm(\d+\.\d+)?$/.exec(
      path,
    );
  if (match === null) return undefined;
  const version = match[1] ?? match[2] ?? match[3] ?? "";
  return {
    name: `php${version}`,
    trees: [
      "/usr/lib/php/2*", `/usr/lib/php/${version}`, `/etc/php/${version}`, "/usr/share/php", `/usr/share/php${version}*`, "/usr/lib64/php",
      "/usr/lib/php5", "/etc/php5", "/etc/php.d", "/etc/php.ini", "/etc/php-zts.d", "/etc/php-fpm.d", "/etc/php-fpm.conf", "/usr/share/pear",
      "/usr/local/lib/php", "/usr/local/etc/php",
    ],
  }; // biome-ignore format: a table
}

function ruby(path: ByteString): Language | undefined {
  const match = /\/bin\/ruby(\d+\.\d+)?$|\/libruby-?(\d+\.\d+)?[\d.]*\.so/.exec(path);
  if (match === null) return undefined;
  const prefix = prefixOf(path);
  return {
    name: `ruby${match[1] ?? match[2] ?? ""}`,
    trees: [
      `${prefix}/lib/ruby`, `${prefix}/lib64/ruby`, `${prefix}/lib/*/ruby`, "/usr/local/lib/ruby", "/var/lib/gems", "/usr/share/ruby",
      "/usr/share/rubygems-integration", "/usr/share/rubygems", "/usr/share/gems", "/usr/local/share/gems", "/etc/gemrc",
    ],
  }; // biome-ignore format: a table
}

function java(path: ByteString): Language | undefined {
  const match =
    /^(.*?)(?:\/jre)?\/(?:bin\/java|lib\/(?:[\w-]+\/)?(?:server|client|minimal)\/libjvm\.so)$/.exec(path);
  const home = match?.[1];
  if (home === undefined || home === "" || home === "/usr" || home === "/usr/local") return undefined;
  const version = /(\d+(?:\.\d+)*)/.exec(basename(home))?.[1] ?? "";
  return {
    name: `java${version}`,
    trees: [
      home,
      "/etc/java*",
      "/etc/ssl/certs/java",
      "/usr/share/java",
      "/usr/lib/jni",
      "/usr/lib/*/jni",
      "/usr/share/javazi*",
    ],
  };
}

function node(path: ByteString): Language | undefined {
  if (!/\/bin\/node(js)?$|\/libnode\.so/.test(path)) return undefined;
  const prefix = prefixOf(path);
  return {
    name: "node",
    trees: [
      `${prefix}/lib/node_modules`, `${prefix}/share/nodejs`, `${prefix}/lib/nodejs`, `${prefix}/lib/*/nodejs`,
      `${prefix}/share/node_modules`, "/usr/local/lib/node_modules",
    ],
  }; // biome-ignore format: a table
}

/** A python started by a link inside a virtual environment: pyvenv.cfg stands beside its bin. */
async function virtualEnvironment(scene: Scene, entry: Entry, name: string, emit: Emit): Promise<void> {
  const home = dirname(dirname(entry.path));
  if ((await scene.tree.resolve(`${home}/pyvenv.cfg`)).entry === undefined) return;
  emit.tree(home, { kind: "language", from: entry.path, detail: name });
}

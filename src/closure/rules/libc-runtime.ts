/**
 * What the C library loads or reads behind the program's back: name services, character sets, locales, time zones.
 *
 * Why: these are opened by libc itself depending on configuration, locale and input, so a trace sees only those of the
 * inputs that it was given. Name services: those of nsswitch.conf and always files and dns. gconv: all of it (about 8 MB) where something
 * converts by name (iconv_open, PHP, Perl, Python), else the Unicode and Latin families. Locales and zones: all that
 * are installed, because the environment and the data choose them.
 */
import type { ElfFile } from "../../formats/elf.ts";
import type { ByteString } from "../../formats/entry.ts";
import { nsswitchServices } from "../../formats/nsswitch.ts";
import type { Emit, Rule, Scene } from "../rule.ts";
import { isUse } from "../rule.ts";
import { basename, dirname } from "../tree.ts";

const alwaysServices = ["files", "dns"];
const fewCharsets = /^(UTF-(16|32|7)|UNICODE|ISO8859-\d+|ISO646|CP125\d)\.so$/;

export function libcRuntime(): Rule {
  let converts: ByteString | undefined;
  let started = false;
  let allCharsets = false;
  const libcs = new Map<ByteString, ElfFile>();
  return {
    name: "libc",
    async start(_scene, emit) {
      emit.tree("/usr/lib/locale", { kind: "base", detail: "locales" });
      emit.add("/usr/share/locale/locale.alias", { kind: "base", detail: "locales" });
      emit.tree("/usr/share/zoneinfo", { kind: "base", detail: "time zones" });
      emit.add("/etc/localtime", { kind: "base", detail: "time zones" });
      emit.add("/etc/timezone", { kind: "base", detail: "time zones" });
    },
    async reason(scene, entry, reason) {
      if (entry.kind !== "file" || !isUse(reason)) return;
      const name = basename(entry.path);
      const isLibc = /^libc(-[\d.]+\.so|\.so\.6)$/.test(name);
      const isLanguage = /^(php|perl|python)[\d.]*$|^libphp[\d.]*\.so|^libpython\d|^libperl\./.test(name);
      if (!isLibc && !isLanguage && (entry.mode & 0o111) === 0 && !name.includes(".so")) return;
      const elf = await scene.elves.info(entry.path);
      if (elf === undefined) return;
      if (isLibc) libcs.set(entry.path, elf);
      if (isLanguage || (elf.imports.has("iconv_open") && usesConversion(name))) {
        if (converts === undefined || entry.path < converts) converts = entry.path;
      }
    },
    async settle(scene, emit) {
      if (!started && libcs.size > 0) {
        started = true;
        for (const [path, elf] of libcs) await nameServices(scene, { path, elf }, emit);
        for (const path of libcs.keys()) await charsets(scene, path, undefined, emit);
      }
      if (converts === undefined || allCharsets || libcs.size === 0) return;
      allCharsets = true;
      for (const path of libcs.keys()) await charsets(scene, path, converts, emit);
    },
  };
}

/** Base programs import iconv_open only for their messages: the Latin and Unicode families are enough for these. */
function usesConversion(name: string): boolean {
  return !/^(bash|dash|sh|sed|grep|tar|ls|gawk|msg\w+|lib(intl|idn2?|unistring|readline|ncursesw?)\b.*)$/.test(
    name,
  );
}

async function nameServices(
  scene: Scene,
  libc: { path: ByteString; elf: ElfFile },
  emit: Emit,
): Promise<void> {
  const text = (await scene.tree.text("/etc/nsswitch.conf")) ?? "";
  const services = new Set([...nsswitchServices(text), ...alwaysServices]);
  for (const service of services) {
    const library = await scene.loader.find(`libnss_${service}.so.2`, libc.path, libc.elf);
    if (library === undefined) continue; // built into newer glibc, or not installed
    emit.add(library.path, { kind: "loaded", from: "/etc/nsswitch.conf", detail: `name service ${service}` });
  }
  // getaddrinfo with IDN, thread cancellation and backtraces: loaded by name inside of glibc.
  for (const name of ["libgcc_s.so.1", "libidn2.so.0", "libnss_compat.so.2"]) {
    const library = await scene.loader.find(name, libc.path, libc.elf);
    if (library !== undefined)
      emit.add(library.path, { kind: "loaded", from: libc.path, detail: "loaded by libc" });
  }
}

async function charsets(
  scene: Scene,
  libc: ByteString,
  converts: ByteString | undefined,
  emit: Emit,
): Promise<void> {
  for (const directory of gconvDirectories(libc)) {
    const { entry } = await scene.tree.resolve(directory);
    if (entry?.kind !== "directory") continue;
    if (converts !== undefined) {
      emit.tree(directory, { kind: "loaded", from: converts, detail: "character sets" });
      continue;
    }
    for (const one of (await scene.tree.list(entry.path)) ?? []) {
      const name = basename(one.path);
      if (!fewCharsets.test(name) && !name.startsWith("gconv-modules")) continue;
      const why = { kind: "loaded", from: libc, detail: "character sets" } as const;
      // Newer ones keep their tables in gconv-modules.d.
      if (one.kind === "directory") emit.tree(one.path, why);
      else emit.add(one.path, why);
    }
  }
}

/** gconv stands beside libc in /usr/lib, also where libc itself is in /lib. */
function gconvDirectories(libc: ByteString): ByteString[] {
  const directory = dirname(libc);
  const usr = directory.startsWith("/usr") ? directory : `/usr${directory}`;
  return [...new Set([`${usr}/gconv`, `${directory}/gconv`])];
}

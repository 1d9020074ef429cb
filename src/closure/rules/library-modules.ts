/**
 * Directories of modules that a library loads by itself.
 *
 * Why: libcrypto loads an engine or the legacy provider when a configuration or a key asks for it, SASL and Kerberos their
 * mechanisms, GIO and GdkPixbuf their backends. The names stand in no NEEDED entry and often in no string: the library lists a
 * directory beside it. Where the library is part of an installed package the package may bring it; these are taken in any case.
 */
import type { ByteString } from "../../formats/entry.ts";
import type { Rule } from "../rule.ts";
import { isUse } from "../rule.ts";
import { basename, dirname } from "../tree.ts";

/** Library -> names beside it; a * within a name fits any. */
const modules: ReadonlyArray<readonly [library: RegExp, names: readonly string[]]> = [
  [/^libcrypto\.so/, ["engines-*", "ossl-modules", "openssl-*"]],
  [/^libsasl2\.so/, ["sasl2"]],
  [/^libkrb5\.so/, ["krb5"]],
  [/^libgssapi_krb5\.so/, ["gss"]],
  [/^libgio-2\.0\.so/, ["gio"]],
  [/^libgdk_pixbuf-2\.0\.so/, ["gdk-pixbuf-2.0"]],
  [/^libp11-kit\.so/, ["pkcs11", "p11-kit"]],
  [/^libodbc(inst)?\.so/, ["odbc"]],
  [/^libMagickCore-[\w.-]+\.so/, ["ImageMagick-*"]],
  [/^libgvc\.so/, ["graphviz"]],
  [/^libmariadb\.so/, ["libmariadb*", "mariadb*"]],
  [/^libsnmp\.so|^libnetsnmp\.so/, ["snmp"]],
  [/^libenchant/, ["enchant*"]],
  [/^libaspell\.so/, ["aspell*"]],
  [/^libtcl[\d.]+\.so/, ["tcl*"]],
  [/^liblua[\d.]+\.so/, ["lua"]],
]; // biome-ignore format: a table

export function libraryModules(): Rule {
  const seen = new Set<ByteString>();
  return {
    name: "library modules",
    async reason(scene, entry, reason, emit) {
      if (entry.kind !== "file" || !isUse(reason) || seen.has(entry.path)) return;
      const names = modules.find(([library]) => library.test(basename(entry.path)))?.[1];
      if (names === undefined) return;
      seen.add(entry.path);
      const why = { kind: "loaded", from: entry.path, detail: "modules of the library" } as const;
      const directory = dirname(entry.path);
      // Where /lib is a directory of its own, modules still stand in /usr/lib.
      for (const beside of new Set([
        directory,
        directory.startsWith("/usr/") ? directory : `/usr${directory}`,
      ])) {
        const { entry: place } = await scene.tree.resolve(beside);
        for (const one of place === undefined ? [] : ((await scene.tree.list(place.path)) ?? [])) {
          const fits = names.some((name) =>
            name.endsWith("*")
              ? basename(one.path).startsWith(name.slice(0, -1))
              : basename(one.path) === name,
          );
          if (fits && one.kind !== "file") emit.tree(one.path, why, "unless huge");
        }
      }
    },
  };
}

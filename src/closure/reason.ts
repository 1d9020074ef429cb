// Why a path is in a package: the value that closure and capture attach to every path and that `why` prints.
import type { ByteString } from "../formats/entry.ts";

/** What kind of evidence speaks for a path. docs/glossary.md explains each; `why` prints them in this order. */
export const reasonKinds = [
  "traced", //       a traced process used it; detail: "open", "exec", "stat", ...; from: the program's path
  "rule", //         the user asked for it (--include, --also)
  "installer", //    an installer made or changed it; detail: "made", "changed", or "link" for what its link `from` leads to
  "installed", //    it belongs to the installed package `detail`, of which `from` was used or which was named
  "needed", //       ELF NEEDED of `from`; detail: the soname
  "interpreter", //  ELF interpreter or #! of `from`
  "loaded", //       dlopen candidate, NSS or PAM module, gconv, PHP or Perl extension named by `from`; detail: what for
  "language", //     part of a language tree (`detail`: python3.9, perl5.32, php7.4) of which `from` was used
  "configuration", // named in the configuration file `from`
  "listed", //       below the directory `from`, which the program listed or serves as a document root
  "data", //         below the data directory `from`
  "base", //         what every root file system needs (passwd, group, nsswitch.conf, zoneinfo ...); detail: which rule
  "link", //         symbolic link on the way to `from`
  "parent", //       directory above `from`
] as const;

export type ReasonKind = (typeof reasonKinds)[number];

export interface Reason {
  kind: ReasonKind;
  from?: ByteString;
  detail?: string;
  /** Of what was traced: an instance of an earlier package looked for it in vain. */
  missed?: boolean;
  /** Of what was missed: the instance was tethered and has fetched it. */
  tethered?: boolean;
  /** Of what was traced: the file witness saw it, the tracer did not. */
  witnessOnly?: boolean;
}

/** A path that something asked for and that does not exist on the machine. */
export interface Missing {
  path: ByteString;
  reason: Reason;
}

// A reason in words: what `why`, plans and evidence say.
import type { Reason } from "../../closure/reason.ts";
import { escapeBytes } from "../../formats/escape.ts";

/** What a snapshot showed, in words. */
const shown: Readonly<Record<string, string>> = {
  mapped: "mapped by",
  open: "open in",
  directory: "working directory of",
  argument: "named on the command line of",
  "built-in": "configuration by the name that is written in",
  variable: "named in a variable of",
  log: "holds a log of",
};

export function describeReason(reason: Reason): string {
  const from = reason.from === undefined || reason.from === "" ? "" : ` ${escapeBytes(reason.from)}`;
  const detail = reason.detail === undefined ? "" : ` ${escapeBytes(reason.detail)}`;
  switch (reason.kind) {
    case "traced":
      // Our own init starts what is captured: that is the request itself.
      if (reason.from?.startsWith("/.tranship/")) return "started by the capture";
      if (reason.detail !== undefined && Object.hasOwn(shown, reason.detail))
        return `snapshot: ${shown[reason.detail]}${from || " the program"}`;
      if (reason.tethered) return `fetched while tethered:${detail} by${from || " the application"}`;
      if (reason.missed) return `missed:${detail} by${from || " the application"} in an observed run`;
      return `traced:${detail} by${from || " the application"}${reason.witnessOnly ? ", seen by the file witness only" : ""}`;
    case "rule":
      return `asked for:${detail}`;
    case "installer":
      if (reason.detail === "link") return `where the link${from} leads, which the installer made or changed`;
      return `${reason.detail === "made" ? "made" : "changed"} by the installer`;
    case "installed":
      return `installed package${detail}${from === "" ? "" : `, brought in by${from}`}`;
    case "needed":
      return `needed by${from}${detail === "" ? "" : ` as${detail}`}`;
    case "interpreter":
      return `interpreter of${from}`;
    case "loaded":
      return `loaded at run time by${from}${detail === "" ? "" : ` (${detail.trim()})`}`;
    case "language":
      return `library of${detail}`;
    case "configuration":
      if (reason.detail?.startsWith("package ")) return `configuration of the installed${detail}`;
      return from === "" ? `named by the start of${detail}` : `named in${from}`;
    case "listed":
      if (reason.detail?.startsWith("application ") === true)
        return `in the application's directory ${escapeBytes(reason.detail.slice("application ".length))}, of which${from} was used`;
      if (reason.detail === "document root") return `below a document root that${from} names`;
      if (reason.detail?.startsWith("unowned") === true)
        return `in${from}, a directory of the installed package ${escapeBytes(reason.detail.replace(/^.* /, ""))}; of no package itself`;
      return `below${from}, which is listed or served`;
    case "data":
      return `data of${from}`;
    case "base":
      return `base:${detail}`;
    case "link":
      return `link on the way to${from}`;
    case "parent":
      return `directory above${from}`;
  }
}

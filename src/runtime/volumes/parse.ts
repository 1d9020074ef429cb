// The flag -v as a value. Pure.
import { TranshipError } from "../../base/errors.ts";
import type { InstanceMount } from "../record.ts";

/** HOSTDIR:PATH[:ro], NAME:PATH[:ro], PATH (anonymous: source is ""). */
export function parseVolume(text: string): InstanceMount {
  const parts = text.split(":");
  const mode = parts.length > 1 && /^(ro|rw)$/.test(parts.at(-1) ?? "") ? parts.pop() : "rw";
  const [first = "", second] = parts;
  const target = second ?? first;
  if (parts.length > 2 || !isTarget(target) || (second !== undefined && first === "")) throw invalid(text);
  const readOnly = mode === "ro";
  if (second === undefined) {
    return { kind: "volume", source: "", target: clean(target), readOnly, anonymous: true, seed: true };
  }
  const bind = first.startsWith("/");
  if (!bind && (first.includes("/") || first.startsWith("."))) throw invalid(text);
  return {
    kind: bind ? "bind" : "volume",
    source: first,
    target: clean(target),
    readOnly,
    anonymous: false,
    seed: !bind,
  };
}

export function clean(path: string): string {
  return `/${path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/")}`;
}

function isTarget(path: string): boolean {
  return (
    path.startsWith("/") && clean(path) !== "/" && !path.split("/").includes("..") && !path.includes("\0")
  );
}

function invalid(text: string): TranshipError {
  return new TranshipError("E_USAGE", `not a volume: ${JSON.stringify(text)}`, {
    hint: "write HOSTDIR:PATH, NAME:PATH or PATH, each with :ro where it is only read; directories begin with /",
  });
}

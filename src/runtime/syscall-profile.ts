// Which filter of system calls an instance gets.
import { TranshipError } from "../base/errors.ts";
import type { CreateOptions } from "./create-options.ts";
import type { OpenPackage } from "./image.ts";
import type { InstanceRecord } from "./record.ts";

/** What the package learned holds it, unless somebody says otherwise. It cannot do without a filter by itself: it may come from anywhere. */
export function profileOf(
  { syscalls, calls, filter, reference }: CreateOptions,
  facts: OpenPackage["facts"],
): Pick<InstanceRecord, "syscalls" | "calls" | "filter"> {
  if (filter !== undefined) return { syscalls: "given", filter };
  const learned = calls ?? (facts?.syscalls.profile === "learned" ? facts.syscalls.calls : undefined);
  const profile = syscalls ?? (learned === undefined ? "default" : "learned");
  if (profile !== "learned") return { syscalls: profile };
  if (learned !== undefined) return { syscalls: profile, calls: learned };
  throw new TranshipError("E_USAGE", `${reference} has no learned profile of system calls`, {
    hint: "capture it with --learn-syscalls",
  });
}

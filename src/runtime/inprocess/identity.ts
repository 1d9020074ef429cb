// Who an instance of the in-process engine is: files that its start writes, which rules of the engine show. What is no file, host name, domain and MAC address, is in its policy.
import { chmodSync, mkdirSync } from "node:fs";
import type { FileRedirection } from "../../package/descriptor.ts";
import type { Instance } from "../find.ts";
import { dmiValues, fileMounts, noIdentity } from "../identity/files.ts";
import { takenAt } from "../identity/identity.ts";
import type { LaunchRecord } from "../launch-record.ts";

/** By both ways that lead there: on a host without DMI there is no link from one to the other. */
const dmiPaths: readonly string[] = ["/sys/devices/virtual/dmi/id", "/sys/class/dmi/id"];

/** Writes the files as they are at this start. */
export function identityRules(instance: Instance, launch: LaunchRecord): FileRedirection[] {
  const { paths, record } = instance;
  const identity = { ...(record.identity ?? noIdentity), taken: takenAt(record, launch) };
  mkdirSync(paths.files, { recursive: true });
  chmodSync(paths.files, 0o755); // users of the package read them there
  const input = { instance, layers: [paths.tree], identity };
  const files = fileMounts(input).map(
    ({ destination, source }): FileRedirection => ({
      from: destination,
      to: source,
      match: "exact",
      mode: "full",
    }),
  );
  const values = dmiValues(input);
  if (values === undefined) return files;
  return [
    ...files,
    ...dmiPaths.map((from) => ({ from, to: values, match: "folder", mode: "read-only" }) as const),
  ];
}

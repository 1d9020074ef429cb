// What more than usual an instance may use, and what less: --device, --group-add, --security-opt, --volumes-from.
import { readFileSync } from "node:fs";
import { TranshipError } from "../../base/errors.ts";
import type { CreateOptions } from "../../runtime/create-options.ts";
import { parseProfile } from "../../runtime/oci/given-profile.ts";
import type { InstanceDevice } from "../../runtime/record.ts";
import { clean } from "../../runtime/volumes/parse.ts";
import { list, type OptionValues, text } from "../verb.ts";

type Access = Pick<
  CreateOptions,
  "devices" | "groupAdd" | "noNewPrivileges" | "syscalls" | "filter" | "volumesFrom"
>;

export function accessOptions(options: OptionValues): Access {
  const devices = list(options, "device").map(parseDevice);
  const groupAdd = list(options, "groupAdd").map(parseGroup);
  const volumesFrom = list(options, "volumesFrom").map(parseLender);
  return {
    ...(devices.length === 0 ? {} : { devices }),
    ...(groupAdd.length === 0 ? {} : { groupAdd }),
    ...(volumesFrom.length === 0 ? {} : { volumesFrom }),
    ...security(options),
  };
}

/** HOST[:INSIDE][:rwm] */
function parseDevice(entry: string): InstanceDevice {
  if (/^[\w.-]+\/[\w.-]+=/.test(entry)) {
    throw usage(
      `--device ${entry}: devices that a vendor describes (CDI) are not known here`,
      "name the device itself, for example /dev/dri/renderD128, and its libraries with -v",
    );
  }
  const parts = entry.split(":");
  const access = parts.length > 1 && /^[rwm]{1,3}$/.test(parts.at(-1) ?? "") ? (parts.pop() ?? "") : "rwm";
  const [source = "", target = source] = parts;
  const fits = (path: string): boolean =>
    path.startsWith("/") && clean(path) !== "/" && !path.split("/").includes("..") && !path.includes("\0");
  if (parts.length > 2 || !fits(source) || !fits(target) || new Set(access).size !== access.length)
    throw usage(
      `not a device: ${JSON.stringify(entry)}`,
      "write /dev/NAME, /dev/NAME:/dev/INSIDE or /dev/NAME:/dev/INSIDE:r; r, w and m are what may be done",
    );
  return { source, target: clean(target), access };
}

function parseGroup(word: string): string {
  if (/^[a-zA-Z_][\w.-]{0,31}\$?$|^\d{1,10}$/.test(word)) return word;
  throw usage(`--group-add: not a group: ${JSON.stringify(word)}`, "give a name of the package, or a number");
}

function parseLender(entry: string): { instance: string; readOnly: boolean } {
  const [, instance = "", mode = "rw"] = /^([^:]+)(?::(ro|rw))?$/.exec(entry) ?? [];
  if (instance !== "") return { instance, readOnly: mode === "ro" };
  throw usage(`--volumes-from: not an instance: ${JSON.stringify(entry)}`, "write NAME or NAME:ro");
}

function security(options: OptionValues): Pick<Access, "noNewPrivileges" | "syscalls" | "filter"> {
  let found: Pick<Access, "noNewPrivileges" | "syscalls" | "filter"> = {};
  for (const entry of list(options, "securityOpt")) found = { ...found, ...securityOption(entry) };
  const other = text(options, "syscalls");
  if (other !== undefined && found.syscalls !== undefined && found.syscalls !== other)
    throw usage(
      `conflicting options: --syscalls ${other} and --security-opt seccomp`,
      "leave one of them out",
    );
  return found;
}

/** docker takes both = and : between the two. */
function securityOption(entry: string): Pick<Access, "noNewPrivileges" | "syscalls" | "filter"> {
  const [, key = "", value = ""] = /^([^=:]+)(?:[=:](.*))?$/s.exec(entry) ?? [];
  if (key === "no-new-privileges" && /^(true|false)?$/.test(value))
    return { noNewPrivileges: value !== "false" };
  if (key === "seccomp" && value !== "") return seccomp(value);
  // Neither is put in force by us: these words ask for what is so.
  if (key === "apparmor" && value === "unconfined") return {};
  if (key === "label" && value === "disable") return {};
  const reason = notGiven[key];
  throw usage(
    reason === undefined
      ? `not an option of security: ${JSON.stringify(entry)}`
      : `--security-opt ${key}: ${reason}`,
    "give no-new-privileges, seccomp=unconfined or seccomp=FILE; capabilities are --cap-add and --cap-drop",
  );
}

const notGiven: Readonly<Record<string, string>> = {
  apparmor:
    "no profile of AppArmor is put in force; capabilities and the filter of system calls hold the instance",
  label: "no labels of SELinux are given to instances",
  systempaths: "the kernel's own files stay masked and read-only",
  credentialspec: "that is for Windows",
};

function seccomp(value: string): Pick<Access, "syscalls" | "filter"> {
  if (value === "unconfined") return { syscalls: "off" };
  if (value === "builtin") return { syscalls: "default" };
  let content: string;
  try {
    content = readFileSync(value, "utf8");
  } catch (cause) {
    throw new TranshipError("E_IO", `cannot read the seccomp profile ${value}`, {
      hint: "check its name",
      cause,
    });
  }
  return { syscalls: "given", filter: parseProfile(content, value) };
}

function usage(message: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}

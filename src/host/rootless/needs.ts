// What an ordinary user needs on this host to run instances, and what of it is missing.
import { accessSync, constants, readFileSync } from "node:fs";
import { hostHierarchies } from "../cgroup.ts";
import { onPath } from "../on-path.ts";
import { missingGroup } from "./given-groups.ts";

export interface RootlessNeed {
  name: string;
  /** fail: nothing runs without it. warn: something is not to be had. */
  state: "ok" | "warn" | "fail";
  found: string;
  remedy: string;
}

/** A range of ids beyond the own one, as /etc/subuid and /etc/subgid have them. */
export interface IdRange {
  first: number;
  count: number;
}

/** The largest of a user, by name or number. Pure. */
export function rangeOf(text: string, name: string, id: number): IdRange | undefined {
  const ranges = text.split("\n").flatMap((line) => {
    const [, owner, first, count] = /^([^:#]+):(\d+):(\d+)\s*$/.exec(line) ?? [];
    return owner === name || owner === String(id) ? [{ first: Number(first), count: Number(count) }] : [];
  });
  return ranges.sort((a, b) => b.count - a.count)[0];
}

export function ownRange(file: "/etc/subuid" | "/etc/subgid"): IdRange | undefined {
  return rangeOf(read(file), ownName(), process.getuid?.() ?? 0);
}

/** The number of one that has no name, as in many containers. */
function ownName(): string {
  try {
    return process.getBuiltinModule("node:os").userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 0);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return "";
  }
}

/** Fewer, and users of old systems are not there. */
const leastIds = 65_536;

export function rootlessNeeds(): RootlessNeed[] {
  return [...namespaceNeeds(), ...idNeeds(), outsideNeed(), groupNeed()];
}

function namespaceNeeds(): RootlessNeed[] {
  const most = read("/proc/sys/user/max_user_namespaces");
  const forbidden = [
    ["/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"],
    [
      "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
      "1",
      "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ],
  ].find(([path = "", value]) => read(path) === value);
  const missing = most === "0" || most === "" || forbidden !== undefined;
  return [
    {
      name: "user namespaces",
      state: missing ? "fail" : "ok",
      found: missing ? "forbidden here" : `up to ${most}`,
      remedy: forbidden?.[2] ?? "sysctl user.max_user_namespaces=10000",
    },
  ];
}

function idNeeds(): RootlessNeed[] {
  const username = ownName();
  const tools = ["newuidmap", "newgidmap"].filter((tool) => onPath(tool) === undefined);
  const ranges = (["/etc/subuid", "/etc/subgid"] as const).map((file) => ({ file, range: ownRange(file) }));
  const none = ranges.filter(({ range }) => range === undefined);
  const few = ranges.find(({ range }) => range !== undefined && range.count < leastIds);
  return [
    {
      name: "newuidmap",
      state: tools.length === 0 ? "ok" : "fail",
      found: tools.length === 0 ? "installed" : `${tools.join(" and ")} not installed`,
      remedy: "apt-get install uidmap",
    },
    {
      name: "range of ids",
      state: none.length > 0 ? "fail" : few === undefined ? "ok" : "warn",
      found:
        none.length > 0
          ? `none for ${username} in ${none.map(({ file }) => file).join(" and ")}`
          : ranges.map(({ file, range }) => `${range?.count} of ${file}`).join(", "),
      remedy: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}`,
    },
  ];
}

/** The node of tunnels, which reach the outside from a network of one's own. */
const tun = "/dev/net/tun";

/** What links the network of instances with the outside; undefined: nothing here. */
export function outsideProgram(): "slirp4netns" | "pasta" | undefined {
  if (!mayUse(tun)) return undefined;
  return (["slirp4netns", "pasta"] as const).find((name) => onPath(name) !== undefined);
}

function outsideNeed(): RootlessNeed {
  const program = outsideProgram();
  const name = "network outside";
  if (program !== undefined) return { name, state: "ok", found: program, remedy: "" };
  const found = mayUse(tun) ? "neither slirp4netns nor pasta" : `${tun} may not be opened`;
  const remedy = mayUse(tun) ? "apt-get install slirp4netns" : `chmod 666 ${tun}`;
  return { name, state: "warn", found: `${found}: instances reach each other only`, remedy };
}

function mayUse(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function groupNeed(): RootlessNeed {
  const all = hostHierarchies();
  const uid = process.getuid?.() ?? 0;
  const wanted = ["memory", "cpu", "pids"];
  const missing = wanted.flatMap((name) => missingGroup(all, name, uid) ?? []);
  const unique = (words: readonly string[]): string => [...new Set(words)].join("; ");
  const name = "limits by control groups";
  if (missing.length === 0) return { name, state: "ok", found: `given: ${wanted.join(", ")}`, remedy: "" };
  return {
    name,
    state: "warn",
    found: `${unique(missing.map(({ why }) => why))}: such limits are refused`,
    remedy: unique(missing.map(({ remedy }) => remedy)),
  };
}

// --filter of `ps`: docker's keys.
import { TranshipError } from "../../base/errors.ts";
import type { ListedInstance } from "../../runtime/find.ts";
import { healthOf } from "../../runtime/health/seen.ts";
import { networksOf } from "../../runtime/network/attachments.ts";
import { shownState } from "./ps-row.ts";

export type Fits = (one: ListedInstance) => boolean;

const keys = [
  "id", "name", "label", "status", "exited", "ancestor", "before", "since", "volume", "network", "publish", "expose", "health",
] as const; // biome-ignore format: a list
type Key = (typeof keys)[number];

/** Whether it asks for instances that do not run. */
export function lists(entry: string): boolean {
  return /^(status|exited)=/.test(entry);
}

/** `all`: what before and since name is looked for there. */
export function instanceFilter(entry: string, all: readonly ListedInstance[]): Fits {
  const cut = entry.indexOf("=");
  const key = entry.slice(0, Math.max(cut, 0)) as Key;
  if (!keys.includes(key)) {
    throw new TranshipError("E_USAGE", `not a filter: ${JSON.stringify(entry)}`, {
      hint: `write KEY=VALUE, where KEY is one of ${keys.join(", ")}`,
    });
  }
  const value = entry.slice(cut + 1);
  return key === "before" || key === "since" ? byAge(key, value, all) : simple(key, value);
}

function byAge(key: "before" | "since", value: string, all: readonly ListedInstance[]): Fits {
  const other = all.find(({ record }) => record.name === value || record.id.startsWith(value));
  if (other === undefined) {
    throw new TranshipError("E_INSTANCE_NOT_FOUND", `no such instance: ${value}`, {
      hint: "see what there is with `tranship ps -a`",
    });
  }
  const time = other.record.createdAt;
  return ({ record }) => (key === "before" ? record.createdAt < time : record.createdAt > time);
}

function simple(key: Exclude<Key, "before" | "since">, value: string): Fits {
  switch (key) {
    case "id":
      return ({ record }) => record.id.startsWith(value);
    case "name":
      return byName(value);
    case "status":
      return byStatus(value);
    case "exited":
      return ({ status }) => status.state === "exited" && String(status.exitStatus ?? "unknown") === value;
    case "ancestor":
      return ({ record: { image } }) =>
        image.reference === value || image.digest === value || image.reference === `${value}:latest`;
    case "volume":
      return ({ record }) => record.mounts.some((mount) => mount.source === value || mount.target === value);
    case "network":
      return ({ record }) => networksOf(record).includes(value);
    case "publish":
    case "expose":
      return byPort(value);
    case "health":
      return byHealth(value);
    default:
      return byLabel(value);
  }
}

/** Docker takes it for a regular expression. */
function byName(value: string): Fits {
  try {
    const pattern = new RegExp(value.replace(/^\^?\//, "^"));
    return ({ record }) => pattern.test(record.name);
  } catch {
    return ({ record }) => record.name.includes(value);
  }
}

function byHealth(value: string): Fits {
  if (["starting", "healthy", "unhealthy", "none"].includes(value))
    return (one) => (healthOf(one)?.status ?? "none") === value;
  throw new TranshipError("E_USAGE", `not a state of health: ${JSON.stringify(value)}`, {
    hint: "give starting, healthy, unhealthy or none",
  });
}

const states = ["created", "starting", "restarting", "running", "paused", "exited", "removing", "dead"];

function byStatus(value: string): Fits {
  if (states.includes(value)) return (one) => shownState(one) === value;
  throw new TranshipError("E_USAGE", `--filter: not a status: ${JSON.stringify(value)}`, {
    hint: `write one of ${states.join(", ")}`,
  });
}

/** PORT[/PROTO] or FROM-TO[/PROTO], inside. */
function byPort(value: string): Fits {
  const [, from, to = from, protocol] = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp))?$/.exec(value) ?? [];
  if (from === undefined) {
    throw new TranshipError("E_USAGE", `--filter: not a port: ${JSON.stringify(value)}`, {
      hint: "write 80, 80/tcp or 8000-8080",
    });
  }
  return ({ record }) =>
    record.network.ports.some(
      (port) =>
        port.containerPort >= Number(from) &&
        port.containerPort <= Number(to) &&
        (protocol === undefined || port.protocol === protocol),
    );
}

function byLabel(value: string): Fits {
  const cut = value.indexOf("=");
  if (cut < 0) return ({ record }) => record.labels[value] !== undefined;
  return ({ record }) => record.labels[value.slice(0, cut)] === value.slice(cut + 1);
}

// An instance in full: as docker shows a container, with what only we know beside it.

import { readJson } from "../../host/files.ts";
import type { StateRoot } from "../../host/state-root.ts";
import type { ListedInstance } from "../../runtime/find.ts";
import type { HealthRule } from "../../runtime/health/rule.ts";
import { type Health, healthOf } from "../../runtime/health/seen.ts";
import type { EndRecord, LaunchRecord } from "../../runtime/launch-record.ts";
import { breachesOf } from "../../runtime/limits/watch.ts";
import { attachmentsOf, networksOf } from "../../runtime/network/attachments.ts";
import { capabilitiesOf } from "../../runtime/oci/capabilities.ts";
import type {
  InstanceMount,
  InstanceNetwork,
  InstanceRecord,
  InstanceRedirection,
} from "../../runtime/record.ts";
import { volumeData } from "../../runtime/volumes/volumes.ts";
import { limitsView } from "./limits-view.ts";
import { shownState } from "./ps-row.ts";

const never = "0001-01-01T00:00:00Z";

export function instanceView(root: StateRoot, one: ListedInstance): object {
  const { record, status, paths } = one;
  const [path = "", ...args] = record.command;
  return {
    Id: record.id,
    Created: record.createdAt,
    Path: path,
    Args: args,
    State: stateOf(one),
    Image: record.image.digest,
    Name: `/${record.name}`,
    RestartCount: status.launch?.restarts ?? 0,
    // In process it is a copy of its own.
    Driver: record.engine === "inprocess" ? "copy" : "overlay",
    Engine: record.engine,
    Platform: "linux",
    LogPath: `${paths.run}/log/all.log`,
    // In force; HostConfig has what was asked for.
    Capabilities: record.engine === "inprocess" ? null : capabilitiesOf(record),
    HostConfig: hostConfig(record),
    Mounts: record.mounts.map((mount) => mountOf(root, mount)),
    Redirections: (record.redirections?.rules ?? [])
      .filter((rule) => rule.removed !== true)
      .map(redirectionOf),
    NetworkRedirections: (record.network.redirections ?? []).map(({ kind, from, to, by }) => ({
      Kind: kind,
      From: from,
      To: to,
      By: by,
    })),
    Config: configOf(record),
    NetworkSettings: networkOf(record, status.state === "running" ? status.launch : undefined),
    Breaches: breachesOf(one),
    ...one,
  };
}

function stateOf(one: ListedInstance): object {
  const { status } = one;
  const state = shownState(one);
  return {
    Status: state,
    Running: status.state === "running",
    Paused: state === "paused",
    Restarting: state === "restarting",
    OOMKilled: (readJson(one.paths.ended) as EndRecord | undefined)?.oomKilled === true,
    Dead: false,
    Pid: status.pid ?? 0,
    ExitCode: status.exitStatus ?? 0,
    Error: status.reason ?? "",
    StartedAt: status.launch?.startedAt ?? never,
    FinishedAt: status.endedAt ?? never,
    ...healthView(healthOf(one)),
  };
}

function hostConfig({
  limits,
  restart,
  network,
  capAdd,
  capDrop,
  readOnly,
  autoRemove,
  mounts,
  userns,
  users,
  ...access
}: InstanceRecord): object {
  return {
    Binds: mounts
      .filter((mount) => !mount.anonymous && mount.kind !== "tmpfs")
      .map(({ source, target, readOnly: ro }) => `${source}:${target}${ro ? ":ro" : ""}`),
    NetworkMode: networkMode(network),
    RestartPolicy: { Name: restart.policy, MaximumRetryCount: restart.attempts },
    AutoRemove: autoRemove,
    CapAdd: capAdd,
    CapDrop: capDrop,
    ...accessView(access),
    ReadonlyRootfs: readOnly,
    UsernsMode: userns === undefined ? (users ?? "") : "private",
    ...(userns === undefined ? {} : { IDMappings: idMappings(userns) }),
    ...limitsView(limits),
  };
}

/** Docker's names and words. */
function accessView({
  devices = [],
  groupAdd = [],
  noNewPrivileges,
  syscalls,
  filter,
  confine,
}: Pick<
  InstanceRecord,
  "confine" | "devices" | "groupAdd" | "noNewPrivileges" | "syscalls" | "filter"
>): object {
  return {
    Devices: devices.map(({ source, target, access }) => ({
      PathOnHost: source,
      PathInContainer: target,
      CgroupPermissions: access,
    })),
    GroupAdd: groupAdd,
    SecurityOpt: [
      ...(noNewPrivileges === true ? ["no-new-privileges"] : []),
      ...(confine === true ? ["landlock"] : []),
      ...(syscalls === "off" && confine !== true ? ["seccomp=unconfined"] : []),
      ...(filter === undefined ? [] : [`seccomp=${JSON.stringify(filter)}`]),
    ],
  };
}

/** Docker's names. */
function healthView(health: Health | undefined): object {
  if (health === undefined) return {};
  const { status, failingStreak, log } = health;
  return {
    Health: {
      Status: status,
      FailingStreak: failingStreak,
      Log: log.map(({ start, end, exitCode, output }) => ({
        Start: start,
        End: end,
        ExitCode: exitCode,
        Output: output,
      })),
    },
  };
}

function healthcheckOf(rule: HealthRule): object {
  return {
    Test: ["CMD", ...rule.command],
    Interval: rule.interval * 1e6,
    Timeout: rule.timeout * 1e6,
    StartPeriod: rule.startPeriod * 1e6,
    StartInterval: rule.startInterval * 1e6,
    Retries: rule.retries,
  };
}

/** As podman has them: inside, on this host, how many. */
function idMappings({ first, count }: { first: number; count: number }): object {
  const all = [`0:${first}:${count}`];
  return { UidMap: all, GidMap: all };
}

function configOf(record: InstanceRecord): object {
  return {
    Hostname: record.hostname,
    User: record.user,
    Tty: record.terminal,
    OpenStdin: record.interactive,
    Env: record.environment,
    Cmd: record.command,
    Image: record.image.reference,
    WorkingDir: record.workingDirectory,
    Labels: record.labels,
    StopSignal: record.stop.signal,
    StopTimeout: record.stop.timeout / 1000,
    ...(record.health === undefined
      ? {}
      : { Healthcheck: healthcheckOf(record.health), HealthcheckOnFailureAction: record.health.onFailure }),
  };
}

function mountOf(root: StateRoot, { kind, source, target, readOnly }: InstanceMount): object {
  return {
    Type: kind,
    ...(kind === "volume" ? { Name: source, Driver: "local" } : {}),
    Source: kind === "volume" ? volumeData(root, source) : source,
    Destination: target,
    Mode: readOnly ? "ro" : "",
    RW: !readOnly,
  };
}

/** As: what the rule was made into; Source: what is shown there, Host: what of the host is. */
function redirectionOf({ from, to, match, mode, by, made }: InstanceRedirection): object {
  const source = made.as === "overlay" ? made.package : "source" in made ? made.source : null;
  const shows = made.as === "overlay" || made.as === "engine" ? made.host : null;
  const host = made.as === "host" ? made.source : shows;
  return {
    ...{ From: from, To: to, Match: match, Mode: mode, By: by, As: made.as, At: made.at },
    ...{ Source: source, Host: host, Reason: "reason" in made ? made.reason : "" },
  };
}

function networkOf({ network }: InstanceRecord, launch: LaunchRecord | undefined): object {
  const ports: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of launch?.ports ?? []) {
    const key = `${port.containerPort}/${port.protocol}`;
    ports[key] = [
      ...(ports[key] ?? []),
      { HostIp: port.hostAddress || "0.0.0.0", HostPort: String(port.hostPort) },
    ];
  }
  const own = { IPAddress: network.address ?? "", MacAddress: network.mac ?? "" };
  return { ...own, Ports: ports, Networks: endpoints(network) };
}

/** As docker names it: the first network, where there is one. */
function networkMode(network: InstanceNetwork): string {
  if (network.container !== undefined) return `container:${network.container}`;
  return networksOf({ network })[0] ?? "none";
}

function endpoints(network: InstanceNetwork): Record<string, object> {
  if (network.mode === "host" || network.mode === "none")
    return { [network.mode]: { IPAddress: "", MacAddress: "" } };
  return Object.fromEntries(
    attachmentsOf({ network }).map(({ network: name, address, address6, mac, aliases }) => [
      name,
      { IPAddress: address, GlobalIPv6Address: address6 ?? "", MacAddress: mac, Aliases: aliases },
    ]),
  );
}

// What of the command line of `run` the in-process engine cannot hold, and why. Pure.
import { TranshipError } from "../../base/errors.ts";
import { isOwned } from "../../runtime/secrets.ts";
import { list, type OptionValues } from "../verb.ts";
import { secretOption } from "./secret-option.ts";

const network = "the network is this host's: ports are opened where the programs open them";
const groups = "it needs control groups";
const namespaces = "it needs namespaces";
const filters = "nothing in process filters system calls or takes capabilities";
const checks = "nobody looks after it from outside: leave that to a supervisor of this host";
const untraced = "what runs in process is not traced";

/** By the name of the option in the table. Every other option of `run` is held. */
export const notHeldInProcess: Readonly<Record<string, string>> = {
  publish: network, publishAll: network, network, networkAlias: network, ip: network, ip6: network,
  addHost: network, dns: network, dnsSearch: network, dnsOption: network, dnsOpt: network, expose: network, sysctl: namespaces, tmpfs: namespaces, mount: "what is volumes can be given with -v",
  memory: groups, memorySwap: groups, memoryReservation: groups, cpus: groups, cpuQuota: groups, cpuPeriod: groups, cpuShares: groups, cpusetCpus: groups,
  cpusetMems: groups, pidsLimit: groups, blkioWeight: groups, deviceReadBps: groups, deviceWriteBps: groups,
  deviceReadIops: groups, deviceWriteIops: groups,
  ulimit: "the limits of the caller hold: see ulimit of your shell", oomScoreAdj: "the value of the caller holds",
  ingressBandwidth: namespaces, egressBandwidth: namespaces, shmSize: namespaces, storageOpt: namespaces, readOnly: "only with --confine does the kernel hold it",
  privileged: namespaces, userns: namespaces,
  capAdd: filters, capDrop: filters, syscalls: filters, securityOpt: filters, device: "the devices of this host are there anyway",
  groupAdd: "the groups of the caller hold", volumesFrom: "what is volumes can be given with -v",
  healthCmd: checks, healthInterval: checks, healthTimeout: checks, healthRetries: checks, healthStartPeriod: checks,
  healthStartInterval: checks, healthOnFailure: checks,
  observe: untraced, tether: untraced, sshOption: untraced, push: untraced, partition: untraced, sudo: untraced,
}; // biome-ignore format: a table

/** Words that say what holds anyway. */
const harmless: Readonly<Record<string, unknown>> = { push: true, userns: "host" };

/** E_USAGE names every flag that cannot be held, with the reason. */
export function checkInProcess(options: OptionValues): void {
  const wrong = Object.entries(notHeldInProcess).filter(
    ([key]) => isGiven(options, key) && !(key === "readOnly" && options.confine === true),
  );
  const said = wrong.map(([key, why]) => `${flagOf(key)}: ${why}`);
  if (list(options, "secret").some((entry) => isOwned(secretOption(entry))))
    said.push("uid, gid and mode of --secret: the file is seen as it is on this host");
  if (said.length === 0) return;
  throw new TranshipError("E_USAGE", `--engine inprocess cannot hold ${said.join("; ")}`, {
    hint: "leave it out, or run it with --engine namespace",
  });
}

function isGiven(options: OptionValues, key: string): boolean {
  const value = options[key];
  if (value === undefined || value === false) return key === "push" && value === false;
  if (key === "network" && list(options, key).every((word) => word === "host")) return false;
  return value !== harmless[key] && !(Array.isArray(value) && value.length === 0);
}

function flagOf(key: string): string {
  return `--${key === "push" ? "no-push" : key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

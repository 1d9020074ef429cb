// Settings of the host that networks need: written down with what they were, and undone with the last instance.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Journal } from "../../host/journal.ts";
import { step } from "../../host/steps.ts";
import { isBridge } from "./devices.ts";

/** Packets are forwarded. For IPv6 the kernel then ignores router advertisements unless told not to: a host that has its address by them would lose it. */
export function makeSysctls(
  journal: Journal,
  owner: string,
  { ipv4, ipv6 }: { ipv4: boolean; ipv6: boolean },
): void {
  if (ipv4) change(journal, owner, "/proc/sys/net/ipv4/ip_forward", "1");
  if (!ipv6) return;
  for (const device of readdirSync("/proc/sys/net/ipv6/conf")) {
    const path = `/proc/sys/net/ipv6/conf/${device}/accept_ra`;
    if (device !== "lo" && !isBridge(device) && readFileSync(path, "latin1").trim() === "1")
      change(journal, owner, path, "2");
  }
  change(journal, owner, "/proc/sys/net/ipv6/conf/all/forwarding", "1");
}

function change(journal: Journal, owner: string, path: string, value: string): void {
  const before = readFileSync(path, "latin1").trim();
  if (before === value) return;
  journal.record(owner, { kind: "sysctl", path, before });
  step(path.includes("forward") ? "forwarding" : "accept_ra");
  writeFileSync(path, value);
}

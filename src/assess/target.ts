// Facts of the machine that packages are to run on: this host.
import { accessSync, constants, readFileSync, statfsSync } from "node:fs";
import { hostname, totalmem } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { parseAssignments } from "../formats/os-release.ts";
import { parseInetSockets, tcpListen, udpUnconnected } from "../formats/proc-net.ts";
import { type VsyscallMode, vsyscallMode } from "../formats/vsyscall.ts";
import { cgroupMode } from "../host/cgroup.ts";

export interface TargetPort {
  protocol: string;
  address: string;
  port: number;
}

export interface TargetFacts {
  name: string;
  kernel: string;
  /** OCI's word. */
  architecture: string;
  /** How old programs that call the vsyscall page fare: none = they die. */
  vsyscall: VsyscallMode;
  cgroups: "v1" | "v2" | "hybrid" | "none";
  root: boolean;
  memoryBytes: number;
  /** Where the state root would be, and what is free there. */
  statePath: string;
  freeBytes: number;
  portsInUse: TargetPort[];
  /** The first port that a user without privileges may bind. */
  unprivilegedPort: number;
  /** OCI runtimes and container engines found on the path. */
  engines: string[];
  /** Kernel modules that are loaded. */
  modules: string[];
  /** Address families and subsystems that depend on the kernel's build. */
  system: string;
}

const engines = ["crun", "runc", "podman", "docker", "nerdctl"];
const architectures: Record<string, string> = {
  x64: "amd64",
  ia32: "386",
  arm64: "arm64",
  arm: "arm",
  ppc64: "ppc64le",
  s390x: "s390x",
  riscv64: "riscv64",
};

/** statePath: where packages would be kept; its nearest existing parent is measured. */
export function readTarget(statePath = "/var/lib/tranship"): TargetFacts {
  return {
    name: hostname(),
    kernel: text("/proc/sys/kernel/osrelease").trim(),
    architecture: architectures[process.arch] ?? process.arch,
    vsyscall: vsyscallMode(text("/proc/self/maps"), text("/proc/cmdline"), process.arch),
    cgroups: cgroupMode().kind,
    root: process.getuid?.() === 0,
    memoryBytes: totalmem(),
    statePath,
    freeBytes: freeAt(statePath),
    portsInUse: portsInUse(),
    unprivilegedPort: Number(text("/proc/sys/net/ipv4/ip_unprivileged_port_start")) || 1024,
    engines: engines.filter(onPath),
    modules: [...text("/proc/modules").matchAll(/^(\S+) /gm)].map((match) => match[1] ?? ""),
    system: parseAssignments(text("/etc/os-release")).PRETTY_NAME ?? "",
  };
}

function portsInUse(): TargetPort[] {
  const ports: TargetPort[] = [];
  for (const protocol of ["tcp", "tcp6", "udp", "udp6"]) {
    const wanted = protocol.startsWith("tcp") ? tcpListen : udpUnconnected;
    for (const socket of parseInetSockets(text(`/proc/net/${protocol}`))) {
      if (socket.state === wanted) ports.push({ protocol, address: socket.address, port: socket.port });
    }
  }
  return ports;
}

function text(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function freeAt(path: string): number {
  for (let current = path; ; current = dirname(current)) {
    try {
      const { bavail, bsize } = statfsSync(current);
      return bavail * bsize;
    } catch {
      if (current === dirname(current)) return 0;
    }
  }
}

function onPath(program: string): boolean {
  const directories = (process.env.PATH ?? "").split(delimiter).concat("/usr/sbin", "/sbin");
  return directories.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return directory !== "";
    } catch {
      return false;
    }
  });
}

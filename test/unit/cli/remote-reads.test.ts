// The list that --dry-run shows is held against what discover really asks for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { discover } from "../../../src/discover/discover.ts";
import { discoverReads } from "../../../src/discover/reads.ts";
import type { Machine } from "../../../src/machine/machine.ts";
import { memoryMachine } from "../../support/memory-machine.ts";

/** * any part of a name, ** any path, {a,b} one of them. */
function pattern(glob: string): RegExp {
  const parts = glob.split(/(\*\*|\*|\{[^}]*\})/).map((part) => {
    if (part === "**") return ".*";
    if (part === "*") return "[^/]*";
    if (part.startsWith("{"))
      return `(${part
        .slice(1, -1)
        .split(",")
        .map((one) => pattern(one).source.slice(1, -1))
        .join("|")})`;
    return part.replace(/[.+?^$()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`);
}

function recording(machine: Machine, asked: Set<string>): Machine {
  const files = new Proxy(machine.files, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (path: string, ...rest: unknown[]) => {
        asked.add(path);
        return value.call(target, path, ...rest);
      };
    },
  });
  return { ...machine, files };
}

test("every path that discover asks for is in the list of --dry-run", async () => {
  const asked = new Set<string>();
  for (const live of [true, false]) {
    const machine = memoryMachine(
      {
        "/etc/os-release": "ID=debian\nVERSION_ID=11\n",
        "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
        "/lib/systemd/system/web.service": "[Service]\nExecStart=/usr/sbin/web\nUser=root\n",
        "/etc/systemd/system/multi-user.target.wants/web.service": "-> /lib/systemd/system/web.service",
        "/etc/cron.d/job": "* * * * * root /usr/bin/job\n",
        "/etc/init.d/old":
          "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: old\n### END INIT INFO\nDAEMON=/usr/sbin/old\n",
        "/var/lib/dpkg/status":
          "Package: web\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n",
        "/proc/1/stat": "1 (web) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 5 1 1 1\n",
        "/usr/sbin/web": "#!/bin/sh\n",
      },
      { live },
    );
    await discover(recording(machine, asked));
  }
  const known = discoverReads.map((read) => pattern(read.path));
  assert.ok(asked.size > 100, `${asked.size} paths`);
  assert.deepEqual(
    [...asked].filter((path) => !known.some((one) => one.test(path))),
    [],
  );
});

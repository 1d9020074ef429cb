// The hard cases under other people's tools: each traces the program in the machine's own root, packs, and its package is unpacked
// by tar into an empty directory and run there, with /proc and /dev and nothing else.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { CliResult, Fixture } from "../integration/runtime-fixture.ts";
import { commandOf, type HardCase, makeHardMachine, runNative } from "./hard-case.ts";

export interface PeerResult {
  name: string;
  /** By tool: the program passed while it was traced; from its package alone, with what was not watched. */
  passed: Map<string, { traced: boolean; alone: boolean }>;
}

interface Peer {
  name: string;
  program: string;
  /** Shell, inside the root; "$@" is the command, /peer is kept. Its status and output are those of the traced program. */
  trace: string;
  /** Shell, outside, in the kept directory: unpacks, and prints the directory that is the root. */
  unpack: string;
}

const peers: readonly Peer[] = [
  {
    name: "care",
    program: "/usr/bin/care",
    // Its own filter crashes programs on newer kernels.
    trace: 'export PROOT_NO_SECCOMP=1; care -o /peer/archive.tar "$@"',
    unpack: "tar --xattrs --xattrs-include='*' --numeric-owner -xpf archive.tar; echo archive/rootfs",
  },
  {
    name: "reprozip",
    program: "/usr/bin/reprozip",
    trace:
      'export REPROZIP_USAGE_STATS=off; reprozip trace -d /peer/trace "$@"; status=$?; reprozip pack -d /peer/trace /peer/archive.rpz >&2; exit $status',
    unpack:
      "tar -xf archive.rpz; tar --xattrs --xattrs-include='*' --numeric-owner -xpzf DATA.tar.gz; echo DATA",
  },
];

/** In the order of the columns; those that are not installed are left out. */
export const peerNames: readonly string[] = peers
  .filter((peer) => existsSync(peer.program))
  .map((peer) => peer.name);

export async function tryPeers(fixture: Fixture, one: HardCase, base: string): Promise<PeerResult> {
  const root = makeHardMachine(one, base);
  const commands = [commandOf(one), ...(one.unwatched ?? [])];
  const native: CliResult[] = [];
  for (const command of commands) native.push(await runNative(fixture, { root, base }, command));
  const passes = (result: CliResult, index: number): boolean =>
    result.status === 0 && native[index]?.status === 0 && result.stdout.includes(native[index].stdout);
  const passed: PeerResult["passed"] = new Map();
  passed.set("tranship", await tryOurs({ fixture, root, passes }, one, commands));
  for (const peer of peers.filter((candidate) => peerNames.includes(candidate.name)))
    passed.set(peer.name, await tryPeer({ fixture, root, passes, base }, peer, commands));
  return { name: one.title, passed };
}

interface Trying {
  fixture: Fixture;
  root: string;
  passes(result: CliResult, index: number): boolean;
}

async function tryOurs(
  { fixture, root, passes }: Trying,
  one: HardCase,
  commands: readonly (readonly string[])[],
): Promise<{ traced: boolean; alone: boolean }> {
  const [command = []] = commands;
  const reference = `${one.name}-peer`;
  const captured = await fixture.cli([
    "capture",
    "run",
    ...["-m", `rootfs:${root}`, "-t", reference, "--", ...command],
  ]);
  const traced = passes({ ...captured, stdout: captured.stderr }, 0);
  let alone = captured.status === 0;
  for (const index of commands.keys()) {
    const words = index === 0 ? [] : (commands[index] ?? []);
    alone &&= passes(await fixture.cli(["run", "--rm", reference, ...words]), index);
  }
  return { traced, alone };
}

async function tryPeer(
  { fixture, root, passes, base }: Trying & { base: string },
  peer: Peer,
  commands: readonly (readonly string[])[],
): Promise<{ traced: boolean; alone: boolean }> {
  const kept = mkdtempSync(join(base, `${peer.name}-`));
  mkdirSync(join(kept, "out"));
  // The tool comes from this host: its /usr lies below the machine's. All is writable in memory.
  const script = `set -e; root=$1 kept=$2 tool=$3; shift 3; ip link set lo up
    mount -t tmpfs -o mode=0755 tmpfs /mnt; mkdir /mnt/upper /mnt/work /mnt/usr-upper /mnt/usr-work /mnt/root
    mount -t overlay -o "redirect_dir=on,lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
    mount -t overlay -o "lowerdir=$root/usr:/usr,upperdir=/mnt/usr-upper,workdir=/mnt/usr-work" overlay /mnt/root/usr
    mkdir -p /mnt/root/peer; mount --bind "$kept/out" /mnt/root/peer
    mount -t proc proc /mnt/root/proc; mount --rbind /dev /mnt/root/dev; cd /
    exec timeout -k 5 90 chroot /mnt/root env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \\
      /usr/bin/bash -c "$tool" tool "$@"`;
  const words = ["unshare", "-m", "-p", "-n", "-f", "--kill-child", "bash", "-c", script, "bash"];
  const [command = []] = commands;
  const result = await fixture.inside([...words, root, kept, peer.trace, ...command]);
  const traced = passes(result, 0);
  let alone = true;
  try {
    const place = execFileSync("bash", ["-c", peer.unpack], {
      cwd: join(kept, "out"),
      stdio: ["ignore", "pipe", "ignore"],
    });
    const unpacked = join(kept, "out", place.toString().trim());
    if (!existsSync(unpacked) || readdirSync(unpacked).length === 0) return { traced, alone: false };
    for (const [index, one] of commands.entries())
      alone &&= passes(await runNative(fixture, { root: unpacked, base }, one), index);
  } catch {
    alone = false;
  }
  return { traced, alone };
}

/** Markdown, a line a case. */
export function peersTable(results: readonly PeerResult[]): string {
  const tools = ["tranship", ...peerNames];
  const head = `| hard case | ${tools.flatMap((tool) => [`${tool}, traced`, `${tool}, alone`]).join(" | ")} |`;
  const cell = (good: boolean | undefined): string => (good === true ? "passes" : "**fails**");
  const lines = results.map((one) => {
    const cells = tools.flatMap((tool) => {
      const { traced, alone } = one.passed.get(tool) ?? { traced: false, alone: false };
      return [cell(traced), cell(alone)];
    });
    return `| ${one.name} | ${cells.join(" | ")} |`;
  });
  const sums = tools.flatMap((tool) =>
    (["traced", "alone"] as const).map((way) => {
      const good = results.filter((one) => one.passed.get(tool)?.[way] === true).length;
      return `${good} of ${results.length}`;
    }),
  );
  return [
    head,
    `|---|${sums.map(() => "---|").join("")}`,
    ...lines,
    `| together | ${sums.join(" | ")} |`,
  ].join("\n");
}

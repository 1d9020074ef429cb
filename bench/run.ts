// `npm run bench [-- NAME...] [--write]`: runs every *-bench.ts of this folder one after the other and prints their tables.
// --rounds N: how often each way runs. --rows files,start: only these parts of the bench engine. --write puts them, with the machine and the versions of the peers, between the markers of docs/benchmarks.md.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const page = join(here, "../docs/benchmarks.md");
const words = process.argv.slice(2);
const write = words.includes("--write");
/** `--rounds N`, and `--rows NAME,...` for the bench of the engine, go on to each of them. */
const passed = ["--rounds", "--rows"].flatMap((option) => {
  const at = words.indexOf(option);
  return at < 0 ? [] : words.splice(at, 2);
});
const names = words.filter((word) => !word.startsWith("--"));

/** How each peer tells its version. */
const peers: readonly (readonly [name: string, command: string])[] = [
  ["node", "node --version"],
  ["crun", "crun --version"],
  ["podman", "podman --version"],
  ["skopeo", "skopeo --version"],
  ["umoci", "umoci --version"],
  ["buildah", "buildah --version"],
  ["docker-registry", "docker-registry --version"],
  ["docker", "docker --version"],
  ["bwrap", "bwrap --version"],
  ["systemd-nspawn", "systemd-nspawn --version"],
  ["strace", "strace --version"],
  ["reprozip", "reprozip --version"],
  ["care", "care --version"],
  ["proot", "proot --version"],
  ["fakechroot", "fakechroot --version"],
  ["libfaketime", "dpkg-query -W -f ${Version} libfaketime"],
  ["socket_wrapper", "dpkg-query -W -f ${Version} libsocket-wrapper"],
  ["GNU tar", "tar --version"],
  ["zstd", "zstd --version"],
];

function firstLine(command: string): string {
  const [program = "", ...args] = command.split(" ");
  const result = spawnSync(program, args, { encoding: "utf8" });
  return (result.stdout || result.stderr || "not installed").split("\n")[0]?.trim() ?? "";
}

function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  const versions = peers.map(([name, command]) => `${name}: ${firstLine(command)}`).join("; ");
  const commit = firstLine("git rev-parse --short HEAD");
  const date = new Date().toISOString().slice(0, 10);
  return `Measured ${date} at commit ${commit}: ${cpus().length} cores (${cpus()[0]?.model.trim()}), ${memory} GiB, kernel ${release()}.\n\nPeers: ${versions}.\n`;
}

// A CA file in the environment costs every start of Node some 50 ms and has nothing to do with us.
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
const tables: string[] = [machine()];
let failed = false;
for (const file of readdirSync(here).sort()) {
  const name = file.replace(/-bench\.ts$/, "");
  if (!file.endsWith("-bench.ts") || (names.length > 0 && !names.includes(name))) continue;
  console.error(`bench: ${name}`);
  const result = spawnSync(process.execPath, [join(here, file), ...passed], {
    encoding: "utf8",
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 26,
  });
  if (result.status !== 0) {
    console.error(`bench: ${name} ended with status ${result.status}`);
    failed = true;
  }
  // A bench may print its raw samples as JSON after its table: they are no part of the page.
  tables.push(`### ${name}\n\n${result.stdout.replace(/^\{.*\}$/gm, "").trim()}\n`);
  console.log(tables.at(-1));
}
if (write && !failed) {
  const text = readFileSync(page, "utf8");
  const [before, rest] = text.split("<!-- measured: begin -->");
  const after = rest?.split("<!-- measured: end -->")[1];
  if (before === undefined || after === undefined) throw new Error(`${page} has lost its markers`);
  writeFileSync(
    page,
    `${before}<!-- measured: begin -->\n\n${tables.join("\n")}\n<!-- measured: end -->${after}`,
  );
}
process.exitCode = failed ? 1 : 0;

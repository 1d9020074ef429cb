// A kernel of Debian started with other arguments than this host's, in qemu: what it is to run comes as an initial file system of a static busybox, a
// script and static programs. Its console is the result.
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const machine = "qemu-system-x86_64";

/** undefined where such a kernel can be started; else why not. */
export function whyNoOtherKernel(): string | undefined {
  if (spawnSync(machine, ["--version"]).status !== 0) return "needs qemu-system-x86 (scripts/setup --soak)";
  if (!existsSync("/bin/busybox")) return "needs busybox-static";
  return undefined;
}

/** Debian's kernel for virtual machines, fetched once and unpacked, never installed: its path. Kept where the trees of old machines are. */
export function fetchKernel(cache: string): string {
  const told = execFileSync("apt-cache", ["depends", "linux-image-cloud-amd64"], { encoding: "utf8" });
  const name = /Depends: (linux-image-\S+)/.exec(told)?.[1];
  if (name === undefined) throw new Error("apt knows no linux-image-cloud-amd64");
  const kernel = join(cache, `${name}.vmlinuz`);
  if (existsSync(kernel)) return kernel;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), "tranship-kernel-"));
  try {
    execFileSync("apt-get", ["download", "-qq", "-o", "APT::Sandbox::User=root", name], { cwd: work });
    const [archive = ""] = readdirSync(work);
    execFileSync("dpkg-deb", ["--extract", archive, "root"], { cwd: work });
    const boot = join(work, "root/boot");
    const image = readdirSync(boot).find((file) => file.startsWith("vmlinuz-"));
    if (image === undefined) throw new Error(`${name} has no vmlinuz`);
    copyFileSync(join(boot, image), `${kernel}.new`);
    renameSync(`${kernel}.new`, kernel);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return kernel;
}

/**
 * Runs a script of sh under `kernel` with `args` on its command line, and gives what it printed. `programs` lie in /bin there, by their names.
 * Ends with the script; after two minutes at the latest.
 */
export function underKernel(
  kernel: string,
  args: string,
  script: string,
  programs: readonly string[],
): string {
  const work = mkdtempSync(join(tmpdir(), "tranship-kernel-"));
  try {
    const root = join(work, "root");
    for (const directory of ["bin", "proc", "dev", "sys", "tmp"])
      mkdirSync(join(root, directory), { recursive: true });
    for (const path of ["/bin/busybox", ...programs]) copyFileSync(path, join(root, "bin", basename(path)));
    const lines = [
      "#!/bin/busybox sh",
      "/bin/busybox --install -s /bin; export PATH=/bin",
      "mount -t proc proc /proc; mount -t devtmpfs dev /dev; mount -t sysfs sys /sys",
      "echo TRANSHIP BEGINS",
      script,
      "echo TRANSHIP ENDS; poweroff -f",
    ];
    writeFileSync(join(root, "init"), `${lines.join("\n")}\n`, { mode: 0o755 });
    const initial = join(work, "initial.cpio");
    execFileSync("sh", ["-c", `cd "$1" && find . | busybox cpio -o -H newc >"$2"`, "sh", root, initial], {
      stdio: "ignore",
    });
    // Not by KVM: machines that are virtual themselves may offer it and then hang in it.
    // Not by KVM: a machine that is virtual itself may offer it and then hang in it.
    const words = [
      "-nodefaults",
      "-no-reboot",
      "-display",
      "none",
      "-serial",
      "stdio",
      "-m",
      "512",
      "-accel",
      "tcg",
    ];
    const boot = ["-kernel", kernel, "-initrd", initial, "-append", `console=ttyS0 quiet panic=-1 ${args}`];
    const { stdout, stderr } = spawnSync(machine, [...words, ...boot], {
      encoding: "latin1",
      timeout: 120_000,
      killSignal: "SIGKILL",
    });
    const told = /TRANSHIP BEGINS\r?\n([\s\S]*?)TRANSHIP ENDS/.exec(stdout)?.[1];
    if (told === undefined)
      throw new Error(`the kernel did not come to the end of its script:\n${stdout.slice(-2000)}${stderr}`);
    return told.replaceAll("\r", "");
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

// Languages and the loader as judges: every file that an interpreter of an old machine loads for any module that it can find is in what we
// expand its interpreter to, and the loader's own cache gives the libraries that we find.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ElfReader } from "../../src/closure/elf-reader.ts";
import { expand } from "../../src/closure/expand.ts";
import { Loader } from "../../src/closure/loader.ts";
import type { ProgramStart } from "../../src/closure/program-start.ts";
import { machineTree } from "../../src/closure/tree.ts";
import type { MachineFiles } from "../../src/machine/machine.ts";
import { openMachine } from "../../src/machine/open.ts";
import { buildApplication } from "../support/applications.ts";
import { soaking } from "../support/counts.ts";
import { cacheOf, debian11, lamp } from "../support/roots.ts";

const skip = process.getuid?.() === 0 ? false : "chroot needs root";

/** Inside the root with a /proc of its own, in mounts that end with it. */
function inside(root: string, command: readonly string[], variables: Record<string, string> = {}): string {
  const script = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"';
  const result = spawnSync(
    "unshare",
    ["--mount", "--propagation", "private", "sh", "-c", script, root, ...command],
    {
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8", ...variables },
      encoding: "utf8",
      maxBuffer: 64 << 20,
    },
  );
  assert.notEqual(result.stdout, "", `${command[0]} says nothing: ${result.stderr}`);
  return result.stdout;
}

async function on<T>(root: string, work: (files: MachineFiles) => Promise<T>): Promise<T> {
  const machine = await openMachine(`rootfs:${root}`);
  try {
    return await work(machine.files);
  } finally {
    await machine.close();
  }
}

/** Files that the program told of and that its expansion lacks. */
async function lacking(
  root: string,
  program: string,
  told: readonly string[],
  starts: readonly ProgramStart[] = [],
): Promise<string[]> {
  return await on(root, async (files) => {
    const seeds = [{ path: program, reason: { kind: "traced" as const, detail: "exec" } }];
    const { paths } = await expand(files, seeds, { starts });
    const gone: string[] = [];
    for (const path of new Set(told)) {
      const { entry } = await files.resolve(path);
      if (entry !== undefined && !paths.has(entry.path)) gone.push(entry.path);
    }
    return gone;
  });
}

const pathsIn = (text: string): string[] => text.split("\n").filter((line) => line.startsWith("/"));
const mapped = 'open(M,"<","/proc/self/maps"); print map { m{ (/.*\\.so.*)$} ? "$1\\n" : () } <M>;';

interface Judged {
  language: string;
  root: () => string;
  program: string;
  command: string[];
  /** Less would mean that the judge did not do its work. */
  atLeast: number;
}

const judges: Judged[] = [
  {
    language: "perl",
    root: () => lamp,
    program: "/usr/bin/perl",
    // Each module that lies directly in a directory of @INC, in a process of its own, with what it loads besides.
    command: ["perl", "-e", `for my $d (grep { m{^/} } @INC) { for my $f (glob("$d/*.pm")) { my ($n) = $f =~ m{([^/]+)$};
      my $pid = fork; if ($pid) { waitpid $pid, 0; next } open STDERR, ">", "/dev/null"; open STDIN, "<", "/dev/null";
      eval { local $SIG{ALRM} = sub { die }; alarm 20; require $n }; print map { "$_\\n" } values %INC; ${mapped} $| = 1; $|; require POSIX; POSIX::_exit(0) } }`],
    atLeast: 100,
  },
  {
    language: "php",
    root: () => lamp,
    program: "/usr/bin/php",
    command: ["php", "-r", 'foreach (file("/proc/self/maps") as $l) if (preg_match("{ (/.*)$}", $l, $m)) echo $m[1], "\\n"; echo php_ini_loaded_file(), "\\n", str_replace(",", "", php_ini_scanned_files());'],
    atLeast: 10,
  },
  {
    language: "ruby",
    root: () => applicationRoot("ruby"),
    program: "/usr/bin/ruby",
    command: ["ruby", "-e", `Dir.glob($LOAD_PATH.map { |d| d + "/*.rb" }).each { |f| pid = fork { $stdout.sync = true; out = $stdout.dup; $stdout.reopen("/dev/null"); $stderr.reopen("/dev/null"); $stdin.reopen("/dev/null");
      begin; require File.basename(f, ".rb"); rescue Exception; end; out.puts $LOADED_FEATURES.select { |p| p.start_with?("/") }; out.puts File.read("/proc/self/maps").scan(/ (\\/.*\\.so.*)$/); exit! }; Process.wait pid }`],
    atLeast: 100,
  },
  {
    language: "python",
    root: () => applicationRoot("python-wsgi"),
    program: "/usr/bin/python3",
    command: ["python3", "-c", `import os, pkgutil, importlib, sys
for m in list(pkgutil.iter_modules()):
    if m.name in ("antigravity", "this", "idlelib") or os.fork(): 
        try: os.wait()
        except ChildProcessError: pass
        continue
    os.dup2(os.open("/dev/null", os.O_RDWR), 0); out = os.fdopen(os.dup(1), "w"); os.dup2(0, 1); os.dup2(0, 2)
    try: importlib.import_module(m.name)
    except BaseException: pass
    for one in list(sys.modules.values()):
        f = getattr(one, "__file__", None)
        if f: out.write(f + "\\n")
    out.writelines(l[l.index("/"):] for l in open("/proc/self/maps") if ".so" in l and "/" in l); out.flush(); os._exit(0)`],
    atLeast: 100,
  },
]; // biome-ignore format: programs of other languages

/** Where it is not there yet it is built in the soak alone: other tests need these machines only there. */
function applicationRoot(name: string): string {
  const root = cacheOf(`apps/${name}/root`);
  return existsSync(`${root}.stamp`) || !soaking ? root : buildApplication(name);
}

for (const { language, root, program, command, atLeast } of judges) {
  const absent = !soaking && !existsSync(join(root(), program)) && root() !== lamp;
  if (absent) continue; // judged in the soak, where the machine is built
  test(`${language}: whatever it loads for any module that it finds is in its expansion`, {
    skip,
  }, async () => {
    const told = pathsIn(inside(root(), command));
    assert.ok(new Set(told).size >= atLeast, `${new Set(told).size} files told`);
    assert.deepEqual(await lacking(root(), program, told), []);
  });
}

if (soaking || existsSync(join(applicationRoot("tomcat"), "usr/bin/java")))
  test("java: where it loads classes from, by a class path with a pattern", { skip }, async () => {
    const root = applicationRoot("tomcat");
    const variables = { CLASSPATH: "/usr/share/tomcat9/lib/*:/usr/share/tomcat9/bin/tomcat-juli.jar" };
    const start = ["/usr/bin/java", "-verbose:class", "org.apache.catalina.util.ServerInfo"];
    const told = inside(root, start, variables);
    const jars = [...told.matchAll(/source: (?:file:|shared objects file)?(\/\S+)/g)].map(
      (match) => match[1] ?? "",
    );
    assert.ok(
      jars.some((path) => /catalina[^/]*\.jar$/.test(path)),
      told.slice(-500),
    );
    const modules = inside(root, ["java", "--list-modules"]);
    assert.match(modules, /java\.sql@/);
    const home = execFileSync("readlink", ["-f", `${root}/usr/bin/java`], { encoding: "utf8" }).trim();
    const image = home.slice(root.length).replace(/\/bin\/java$/, "/lib/modules");
    const starts = [{ name: "main", command: start, variables, workingDirectory: "/" }];
    assert.deepEqual(await lacking(root, "/usr/bin/java", [...jars, image], starts), []);
  });

for (const root of new Set([debian11, lamp, "/"]))
  test(`ldconfig -p of ${root === "/" ? "this host" : root.split("/").at(-2)}: our loader finds the same libraries`, {
    skip,
  }, async () => {
    const told = inside(root, ["/sbin/ldconfig", "-p"]);
    await on(root, async (files) => {
      const tree = machineTree(files);
      const elves = new ElfReader(tree);
      const loader = new Loader(tree, elves);
      const program = (await tree.resolve("/bin/sh")).entry?.path ?? "";
      const elf = await elves.info(program);
      assert.ok(elf !== undefined);
      let count = 0;
      const seen = new Set<string>();
      for (const [, name = "", abi = "", path = ""] of told.matchAll(/^\t(\S+) \(([^)]*)\) => (\S+)$/gm)) {
        if (!abi.startsWith("libc6,x86-64") || seen.has(name)) continue;
        const theirs = (await tree.resolve(path)).entry?.path;
        if (theirs === undefined) continue; // the cache is older than the machine
        seen.add(name);
        const ours = await loader.find(name, program, elf);
        const all = [ours?.path, ...(ours?.variants ?? [])];
        assert.ok(
          all.includes(path) || ours?.canonical === theirs,
          `${name}: ${all.join(" ")}, and not ${path}`,
        );
        count++;
      }
      assert.ok(count > 20, `${count} libraries`);
    });
  });

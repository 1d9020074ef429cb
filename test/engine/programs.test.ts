// Real programs, as they come: each prints under the engine what it prints without.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { progress, soaking } from "../support/counts.ts";
import { all, cannotRun, engine, place, run } from "../support/engine.ts";

const rounds = soaking ? 1000 : 20;
const top = join(import.meta.dirname, "../..");

const python = `import threading, subprocess, os, signal
hits = []
threads = [threading.Thread(target=lambda: hits.append(os.stat("/").st_ino)) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
signal.signal(signal.SIGUSR1, lambda *a: hits.append(0)); os.kill(os.getpid(), signal.SIGUSR1)
print(len(hits), subprocess.check_output(["sh", "-c", "echo sub; exit 0"]), subprocess.call("exit 3", shell=True), os.popen("echo p").read())`;
const node = `const { execSync, spawnSync } = require("child_process"); const { Worker } = require("worker_threads");
let s = 0; for (let i = 0; i < 300000; i++) s += i % 7;
new Worker("require('worker_threads').parentPort.postMessage(require('fs').readdirSync('/').length > 3)", { eval: true })
  .on("message", (m) => { console.log(s, m, execSync("echo sub").toString(), spawnSync("false").status); });`;
const perl = `$SIG{ALRM} = sub { $n++ }; alarm 0; kill ALRM => $$; my @l = map { my $p = fork; exit 0 unless $p; waitpid $p, 0; $? } 1..5; print \`echo back\`, "@l $n $0 ", -e $^X, "\\n"`;
const bash = `set -o pipefail; for i in 1 2 3; do echo $i | cat | tr 1 2; done; (echo sub; exit 3); echo $?; x=$(echo a | sed s/a/b/); echo $x; cat < <(echo proc); trap 'echo trapped' USR1; kill -USR1 $$; coproc cat; echo co >&\${COPROC[1]}; read -u \${COPROC[0]} y; echo $y`;

const ruby = `require "open3"; q = Queue.new
threads = 6.times.map { |i| Thread.new { 50.times { File.stat("/") }; q << i } }.each(&:join)
Signal.trap("USR1") { $hit = 1 }; Process.kill("USR1", $$); sleep 0.001 until $hit
pid = fork { exit 3 }; Process.wait pid
begin; File.open("/no/such"); rescue => e; puts e.message; end
puts q.size, \`echo sub\`, $?.exitstatus, Open3.capture2("tr a b", stdin_data: "aa")[0], (1..100000).map { |x| x.to_s }.join.size`;
const java = `import java.util.*; import java.util.concurrent.*;
public class Life { static int depth(int n) { return depth(n + 1) + 1; }
  public static void main(String[] args) throws Exception {
    var pool = Executors.newFixedThreadPool(6); var sums = new ArrayList<Future<Long>>();
    for (int t = 0; t < 12; t++) sums.add(pool.submit(() -> { long s = 0; for (int i = 0; i < 2000; i++) s += new byte[20000].length + i; return s; }));
    long sum = 0; for (var one : sums) sum += one.get(); pool.shutdown(); System.gc();
    String none = args.length > 0 ? "" : null; int caught = 0;
    for (int i = 0; i < 50; i++) try { none.length(); } catch (NullPointerException e) { caught++; }
    try { depth(0); } catch (StackOverflowError e) { caught++; }
    var child = new ProcessBuilder("sh", "-c", "echo sub; exit 3").start();
    System.out.println(sum + " " + caught + " " + new String(child.getInputStream().readAllBytes()).trim() + " " + child.waitFor());
  } }`;

interface Case {
  command: readonly string[];
  /** Of each hundred, how many are run outside of soaks: heavy ones are sampled. */
  share?: number;
}

/** A Java program needs its compiler first. */
function jvm(): Case | undefined {
  const [compiler, machine] = [findProgram("javac"), findProgram("java")];
  if (compiler === undefined || machine === undefined) return undefined;
  writeFileSync(join(place, "Life.java"), java);
  execFileSync(compiler, ["-d", place, join(place, "Life.java")]);
  // Not with files in /tmp by their numbers, which machines in other containers have too.
  return {
    command: [machine, "-XX:+PerfDisableSharedMem", "-Xss256k", "-Xmx64m", "-cp", place, "Life"],
    share: 30,
  };
}

function golang(): string | undefined {
  const scope = join(top, "node_modules/@esbuild");
  return existsSync(scope)
    ? readdirSync(scope)
        .map((name) => join(scope, name, "bin/esbuild"))
        .find(existsSync)
    : undefined;
}

function findProgram(name: string): string | undefined {
  const found = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();
  return found === "" ? undefined : found;
}

function cases(): Map<string, Case | undefined> {
  const source = join(place, "source.ts");
  writeFileSync(
    source,
    "export const f = async <T,>(x: T): Promise<T> => await Promise.resolve(x);\nconsole.log(f(1));\n",
  );
  const with_ = (name: string, ...words: string[]): Case | undefined => {
    const path = findProgram(name);
    return path === undefined ? undefined : { command: [path, ...words] };
  };
  const go = golang();
  return new Map([
    ["Go, static, with many threads", go === undefined ? undefined : { command: [go, "--minify", source] }],
    ["Node", { command: [process.execPath, "-e", node], share: 50 }],
    ["Python with threads and children", with_("/usr/bin/python3", "-c", python)],
    ["JVM", jvm()],
    ["Perl", with_("perl", "-e", perl)],
    ["Ruby", with_("ruby", "-e", ruby)],
    ["bash", with_("bash", "-c", bash)],
    [
      "busybox, static",
      with_(
        "busybox",
        "sh",
        "-c",
        "for i in 1 2 3; do echo $i | busybox cat; done; busybox true && echo yes",
      ),
    ],
    ["find and sort", with_("sh", "-c", "find /usr/include/linux -name '*.h' | sort | xargs cat | cksum")],
    ["gcc", with_("sh", "-c", "echo 'int main(void){return 0;}' | gcc -x c -S -o - - | cksum")],
    ["redis", with_("redis-server", "--version")],
    ["php", with_("php", "-r", "echo strlen(shell_exec('echo abc')), PHP_VERSION, md5_file('/bin/sh');")],
    [
      "tar and gzip",
      { command: ["/bin/sh", "-c", "tar c -C /usr/include/linux . | gzip -n1 | cksum"], share: 30 },
    ],
  ]);
}

describe("real programs", { skip: cannotRun }, () => {
  for (const [name, one] of cannotRun === false ? cases() : []) {
    test(name, { skip: one === undefined ? "not on this machine" : false }, async () => {
      if (one === undefined) return;
      const native = await run(one.command);
      assert.equal(native.status, 0, native.stderr);
      const length = soaking ? rounds : Math.ceil((rounds * (one.share ?? 100)) / 100);
      const tell = progress(length, name);
      const tries = Array.from({ length }, (_, index) => index);
      await all(tries, 2, async (index) => {
        const options = index % 5 === 4 ? ["--trap=seccomp"] : ["--clock-offset=100", "--domain=d"];
        const ours = await run([engine, ...options, ...one.command]);
        assert.deepEqual(ours, native, options.join(" "));
        tell();
      });
    });
  }
});

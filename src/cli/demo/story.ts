// The stages of the demo in their order, each with the reason for it in a sentence or two.
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import type { StateRoot } from "../../host/state-root.ts";
import { openStore } from "../../image/store.ts";
import type { Context } from "../context.ts";
import { comparePages, originalPages, unchanged, type Watched, watchHost, watchSource } from "./evidence.ts";
import { gone, instanceNames } from "./home.ts";
import { summarize } from "./listing.ts";
import { demoFiles } from "./old-machine.ts";
import { fetchPage, freePorts, waitForAnswer } from "./pages.ts";
import type { Teller } from "./stage.ts";

export interface Story {
  teller: Teller;
  context: Context;
  root: StateRoot;
  /** Directory of the old machine. */
  source: string;
}

interface Before {
  host: Watched;
  source: Watched;
}

const reference = "guestbook";
const key = "/etc/guestbook/signing.key";
const firstPort = 8080;

const address = (story: Story): string => `rootfs:${story.source}`;
const exercise = join(demoFiles, "guestbook/exercise");

/** The ports of the two instances; they run when it returns. */
export async function tellStory(story: Story, keep: boolean): Promise<void> {
  const before = await lookAround(story);
  await judge(story);
  await capture(story);
  await inspect(story);
  await test(story);
  const ports = await runTwo(story);
  await compareEveryPage(story, ports);
  await keepApart(story, ports);
  if (keep) story.teller.tell(`\nThe guest book stays at http://127.0.0.1:${ports[0]}/ and :${ports[1]}.`);
  else await remove(story);
  await summary(story, before);
}

async function lookAround({ teller, context, root, source }: Story): Promise<Before> {
  teller.tell(
    [
      "A guest book runs on a Debian 11 machine: Apache 2.4 with PHP 7.4 inside, MariaDB 10.5. A newer system has no packages of these.",
      `The machine is the directory ${source}. It is lifted from there and run here, and nothing is installed.`,
      "Each line that begins with $ is a command that you can type yourself, after:",
      `  export TRANSHIP_ROOT=${root.path} PATH=${join(demoFiles, "../bin")}:$PATH`,
    ].join("\n"),
  );
  teller.stage("Remember what is there", "At the end, host and old machine have to be as they are now.");
  const host = await watchHost(context.signal);
  const old = await watchSource(source, context.signal);
  const { objects, bytes, digest } = summarize(old.listing);
  teller.tell(
    `  old machine  ${objects} objects, ${formatSize(bytes)}, sha256 of all ${digest.slice(0, 16)}\n  host         ${summarize(host.listing).objects} objects`,
  );
  return { host, source: old };
}

async function judge(story: Story): Promise<void> {
  const { teller } = story;
  teller.stage("Discover", "What is on the machine: read from its files alone, nothing of it is started.");
  await teller.verb(["discover", address(story)]);
  teller.stage("Assess", "Can it be lifted? Blockers would end it here; warnings say what to mind.");
  await teller.verb(["assess", address(story)]);
}

async function capture(story: Story): Promise<void> {
  const { teller } = story;
  teller.stage(
    "Capture",
    "Both services are started on an overlay under the tracer while a visitor reads three pages, signs and uploads a text.",
    "What was used, and what that needs to run, becomes the plan; the plan becomes layers. The signing key stays out: it is a secret.",
  );
  await teller.verb([
    "capture", "run", "-m", address(story), "-t", reference, "--service", "mariadb", "--service", "apache2",
    "--until-port", "80", "--until-port", "3306", "--exercise", exercise,
  ]); // biome-ignore format: short
}

async function inspect({ teller }: Story): Promise<void> {
  teller.stage("Look at the package", "An OCI image in a store of its own; any OCI tool can read it.");
  await teller.verb(["images"]);
  teller.tell("\nEach blob is read again, and no part of a kernel may be inside.");
  await teller.verb(["verify", reference]);
  teller.tell(
    "\nEvery path can say why it is in. A page that nobody asked for, a locale, a library of an extension:",
  );
  await teller.verb(["why", reference, "/srv/guestbook/calendar.php"]);
  await teller.verb(["why", reference, "/usr/lib/locale/locale-archive"]);
  await teller.verb(["why", reference, "/usr/lib/x86_64-linux-gnu/libgd.so.3.0.8"]);
  teller.tell("\nAnd what is not in says so too (exit status 4):");
  await teller.verb(["why", reference, key], 4);
  teller.tell(
    "\nThe descriptor says how to run it: programs, services in their order, schedules, volumes, secrets.",
  );
  await teller.verbUpTo(["package", "show", reference], /^identity:/);
}

async function test(story: Story): Promise<void> {
  const { teller } = story;
  teller.stage(
    "Test against the original",
    "The same visit on both: the original on an overlay once more, the package alone. Answers and written files are compared.",
  );
  await teller.verb([
    "test", reference, "--against", address(story), "--exercise", exercise, "--until-port", "80",
  ]); // biome-ignore format: short
}

async function runTwo(story: Story): Promise<number[]> {
  const { teller, context, source } = story;
  const ports = await freePorts(instanceNames.length, firstPort);
  teller.stage("Run it twice", "Two instances of one package, each with its own data, address and port.");
  for (const [index, name] of instanceNames.entries()) {
    await teller.verb([
      "run", "-d", "--name", name, "-p", `${ports[index]}:80`, "--secret", `${key}=${join(source, key)}`, reference,
    ]); // biome-ignore format: short
  }
  await teller.verb(["ps"]);
  for (const port of ports) await waitForAnswer(port, context.signal);
  teller.tell(`\nOpen http://127.0.0.1:${ports[0]}/ or http://127.0.0.1:${ports[1]}/ while this runs.`);
  return ports;
}

async function compareEveryPage(story: Story, ports: readonly number[]): Promise<void> {
  const { teller, context } = story;
  teller.stage(
    "Every page, byte for byte",
    "Also those that nobody asked for while it was captured: the French calendar, the chart, the feed, the sorted names.",
    "The original is started once more on an overlay; then both instances are asked over their ports.",
  );
  const original = await originalPages(context, reference, address(story));
  if (original.status !== 0)
    throw new TranshipError("E_EXERCISE_FAILED", `every-page failed on the original:\n${original.output}`);
  const [first, ...others] = await Promise.all(ports.map((port) => comparePages(original, port)));
  let differing = 0;
  for (const [index, page] of (first ?? []).entries()) {
    const all = [page, ...others.map((other) => other[index])];
    const same = all.every((one) => one?.same === true);
    if (!same) differing++;
    teller.tell(
      `  ${same ? "same" : "DIFF"}  ${page.path.padEnd(18)} ${String(page.bytes).padStart(6)} bytes`,
    );
  }
  if (differing > 0) throw new TranshipError("E_TEST_FAILED", `${differing} pages differ from the original`);
  teller.tell("\nThe nightly job, which never ran while it was captured, counts the entries of each year:");
  await teller.verb(["exec", "-u", "www-data", "one", "/usr/local/bin/guestbook-rotate"]);
  const counted = await teller.ask(["exec", "one", "/bin/cat", "/var/spool/guestbook/years.txt"]);
  const expected = new TextDecoder().decode(original.results.get("years.txt"));
  if (counted !== expected)
    throw new TranshipError("E_TEST_FAILED", "the nightly job counted other entries than on the original");
  teller.tell("  same as on the original");
}

async function keepApart({ teller }: Story, [one = 0, two = 0]: readonly number[]): Promise<void> {
  teller.stage("Separate data", "An entry signed in one instance is not in the other.");
  const form = new URLSearchParams({ author: "Étienne", message: "Signed in one" }).toString();
  const steps = [
    { port: one, path: "/sign.php", form, status: 200 },
    { port: one, path: "/entry/301", status: 200 },
    { port: two, path: "/entry/301", status: 404 },
  ];
  for (const { status, ...asked } of steps) {
    const page = await fetchPage(asked);
    const what = `${asked.form === undefined ? "GET " : "POST"} http://127.0.0.1:${asked.port}${asked.path}: ${page.status}`;
    if (page.status !== status) throw new TranshipError("E_TEST_FAILED", `${what}, expected ${status}`);
    teller.tell(`  ${what}`);
  }
}

async function remove({ teller, root }: Story): Promise<void> {
  teller.stage(
    "Clean up",
    "Services stop in reverse order; then instances, their data, the bridge and its rules go.",
  );
  await teller.verb(["stop", ...instanceNames]);
  await teller.verb(["rm", "--volumes", ...instanceNames]);
  const left = await gone(root);
  if (left.length > 0)
    throw new TranshipError("E_TEST_FAILED", `left on this host: ${left.slice(0, 5).join("; ")}`);
}

async function summary(story: Story, before: Before): Promise<void> {
  const { teller, context, root, source } = story;
  teller.stage("Is everything as it was?");
  teller.tell(unchanged(before.source, await watchSource(source, context.signal)));
  teller.tell(unchanged(before.host, await watchHost(context.signal)));
  teller.end();
  const { layers } = openStore(root).image(reference);
  const stored = layers.reduce((sum, layer) => sum + layer.descriptor.size, 0);
  teller.tell(
    `\nSizes: the whole old machine ${formatSize(summarize(before.source.listing).bytes)}, the package ${formatSize(stored)} as stored.\nTimes:\n${teller.timesTable()}`,
  );
}

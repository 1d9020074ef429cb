// The ways in which the applications of test/apps are captured.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDuration } from "../../src/base/units.ts";
import type { describeApplication } from "../../src/capture/application/application.ts";
import { captureInstall } from "../../src/capture/capture-install.ts";
import { captureInstalled } from "../../src/capture/capture-installed.ts";
import { captureMachine } from "../../src/capture/capture-machine.ts";
import { captureRun } from "../../src/capture/capture-run.ts";
import type { Captured, CaptureTools, Choices } from "../../src/capture/captured.ts";
import { evidenceOf } from "../../src/capture/evidence/read-evidence.ts";
import type { TracerChoice } from "../../src/capture/sandbox/tracer.ts";
import type { Rule } from "../../src/closure/rule.ts";
import { isUse } from "../../src/closure/rule.ts";
import { kernelOpened } from "../../src/closure/rules/kernel-opened.ts";
import { installRoot } from "../../src/host/native.ts";
import type { StateRoot } from "../../src/host/state-root.ts";
import { hostRoot, type Machine } from "../../src/machine/machine.ts";
import { type OpenOptions, openMachine } from "../../src/machine/open.ts";
import type { TriedApplication } from "./applications.ts";
import { FarMachine } from "./far-machine.ts";
import { freePort } from "./free-port.ts";
import { quietContext } from "./lamp.ts";
import { debian11 } from "./roots.ts";
import { runningOne } from "./running-application.ts";

export const ways = [
  "traced only",
  "+ owning packages",
  "+ closure",
  "capture machine",
  /** Of the machine what the evidence of "+ closure" names; needs that package to be there. */
  "trimmed",
  "notify",
  "plain",
  /** A running one, by its process. */
  "process",
  /** What the data base of installed packages says. */
  "installed",
  /** What an installer makes of a plain Debian 11. */
  "install",
  /** The whole machine, out of an archive. */
  "tar",
  /** The whole machine, out of an image that somebody else's tool made. */
  "image",
  /** Watched, on a copy of what a real sshd gives out. */
  "ssh",
] as const;
export type Way = (typeof ways)[number];

/** Where every answer must be the original's. */
export const wholeWays: readonly Way[] = ways.filter(
  (way) => way !== "traced only" && way !== "+ owning packages",
);

export interface WayPlace {
  machine: Machine;
  root: StateRoot;
  /** A directory of this one attempt. */
  work: string;
  /** The package that "trimmed" takes its evidence of. */
  closure: string;
}

/** `machine` is packed from, and `close` called when all is done. */
export interface CapturedBy {
  captured: Captured;
  machine: Machine;
  /** The machine has keys of its own, and they are what the package is given. */
  ownSecrets?: true;
  close(): Promise<void>;
}

const apps = join(installRoot, "test/apps");

export async function captureBy(
  way: Way,
  application: TriedApplication,
  place: WayPlace,
): Promise<CapturedBy> {
  const { machine, root } = place;
  const tools = { ...quietContext(root), tool: "test" };
  const described = {
    name: application.name,
    services: [application.service],
    command: [],
    environment: {},
    ports: [],
  };
  const choices: Choices = {
    ...choicesOf(way),
    volumes: [],
    include: [],
    filters: [],
    keepSecrets: [],
    alsoInstalled: [],
  };
  const of = (captured: Captured): CapturedBy => ({ captured, machine, close: async () => {} });
  switch (way) {
    case "capture machine":
      return of(await captureMachine({ machine, application: described, choices }, tools));
    case "trimmed": {
      const trim = { reference: place.closure, evidence: evidenceOf(root, place.closure) };
      return of(await captureMachine({ machine, application: described, choices, trim }, tools));
    }
    case "installed": {
      const names = packagesOf(application.name);
      return of(await captureInstalled({ machine, application: described, names, choices }, tools));
    }
    case "tar":
      return await fromArchive({ application: described, choices, place, tools });
    case "image":
      return await fromImage({ application: described, choices, place, tools });
    case "ssh":
      return await fromFar(application, { described, choices, place, tools });
    case "process":
      return await runningOne(application, { choices, place, tools });
    case "install":
      return await installedAnew(application, { choices, tools });
    default:
      return of(await traced(application, way, { described, choices, place, tools }));
  }
}

type Described = Parameters<typeof describeApplication>[1];

export interface Given {
  choices: Choices;
  place: WayPlace;
  tools: CaptureTools;
}

async function traced(
  { name, port }: TriedApplication,
  way: Way,
  { described, choices, place, tools }: Given & { described: Described },
): Promise<Captured> {
  const tracer: TracerChoice = way === "notify" || way === "plain" ? way : "auto";
  const session = {
    ports: [port],
    exercise: join(apps, name, "exercise"),
    linger: 1000,
    for: undefined,
    timeout: parseDuration("120s"),
  };
  const { machine } = place;
  return await captureRun(
    {
      machine,
      application: described,
      choices,
      session,
      witness: true,
      network: "own",
      tracer,
      data: "copy",
    },
    tools,
  );
}

async function fromArchive(given: Given & { application: Described }): Promise<CapturedBy> {
  return await wholeOf(`disk:${archiveOf(given.place)}`, given);
}

async function fromImage(given: Given & { application: Described }): Promise<CapturedBy> {
  const layout = join(given.place.work, "layout");
  const umoci = (...words: string[]) =>
    execFileSync("umoci", words, { stdio: ["ignore", "ignore", "inherit"] });
  umoci("init", "--layout", layout);
  umoci("new", "--image", `${layout}:old`);
  umoci("raw", "add-layer", "--image", `${layout}:old`, archiveOf(given.place));
  return await wholeOf(`oci:${layout}:old`, given);
}

async function wholeOf(
  address: string,
  { application, choices, place, tools }: Given & { application: Described },
): Promise<CapturedBy> {
  const machine = await openMachine(address, () => openedBy(place, tools, []));
  const captured = await captureMachine({ machine, application, choices }, tools);
  return { captured, machine, close: () => machine.close() };
}

/** The whole root of the machine, by GNU tar. */
function archiveOf(place: WayPlace): string {
  const archive = join(place.work, "machine.tar");
  const flags = ["--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls", "--sparse"];
  execFileSync("tar", ["-C", hostRoot(place.machine), ...flags, "-cf", archive, "."]);
  return archive;
}

function openedBy({ root }: WayPlace, { log }: CaptureTools, options: readonly string[]): OpenOptions {
  return {
    root,
    log,
    ssh: { options, sudo: false, push: true, interactive: false },
    disk: { partition: undefined },
  };
}

/** sshd runs in a root of its own, and its logins see the application's machine alone. */
async function fromFar(
  application: TriedApplication,
  given: Given & { described: Described },
): Promise<CapturedBy> {
  const { place, tools } = given;
  const ends: (() => unknown)[] = [];
  const host = {
    base: place.work,
    holder: process.pid,
    tool: () => Promise.reject(new Error("no command is run here")),
  };
  const end = async (): Promise<void> => {
    for (const one of ends.splice(0).reverse()) await one();
  };
  try {
    const far = await FarMachine.start({ after: (one) => void ends.push(one as () => unknown) }, host, {
      shows: hostRoot(place.machine),
      port: await freePort(),
    });
    const machine = await openMachine(far.address, () =>
      openedBy(place, tools, far.environment.TRANSHIP_SSH_OPTIONS?.split(" ") ?? []),
    );
    ends.push(() => machine.close());
    const captured = await traced(application, "ssh", { ...given, place: { ...place, machine } });
    return { captured, machine, close: end };
  } catch (error) {
    await end();
    throw error;
  }
}

function packagesOf(name: string): string[] {
  const lines = readFileSync(join(apps, name, "packages"), "utf8").split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

/** The same commands that made the old machine (test/apps/build), as an installer on a plain Debian 11. */
async function installedAnew(
  { name, service }: TriedApplication,
  { choices, tools }: Omit<Given, "place">,
): Promise<CapturedBy> {
  const machine = await openMachine(`rootfs:${debian11}`);
  const script = `set -eu; export DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8
    apt-get update -qq; apt-get install -y -qq --no-install-recommends locales ${packagesOf(name).join(" ")}
    sed -i 's/^# *\\(fr_FR.UTF-8 UTF-8\\)/\\1/; s/^# *\\(en_US.UTF-8 UTF-8\\)/\\1/' /etc/locale.gen; locale-gen
    printf 'old-${name}\\n' >/etc/hostname; printf 'Europe/Paris\\n' >/etc/timezone; ln -sf /usr/share/zoneinfo/Europe/Paris /etc/localtime
    [ ! -d files ] || tar -C files -c --owner=0 --group=0 --mode=u+rwX,go+rX --mtime=@1600000000 . | tar -x -C /
    bash -eu ./setup`;
  const request = {
    machine,
    application: { name, services: [service], command: [], environment: {}, ports: [] },
    installer: ["/bin/bash", "-c", script],
    with: ["setup", "files"].map((part) => join(apps, name, part)).filter((path) => existsSync(path)),
    network: "host" as const,
    choices,
  };
  try {
    const captured = await captureInstall(request, tools);
    const close = async (): Promise<void> => {
      await captured.close();
      await machine.close();
    };
    return { captured, machine: captured.machine, ownSecrets: true, close };
  } catch (error) {
    await machine.close();
    throw error;
  }
}

function choicesOf(way: Way): Pick<Choices, "closure" | "rules"> {
  if (way === "traced only") return { closure: false };
  if (way === "+ owning packages") return { closure: false, rules: [kernelOpened(), owningPackages()] };
  return { closure: true };
}

/** All files of the installed packages that own what was used, and nothing that these depend on. */
function owningPackages(): Rule {
  return {
    name: "owning packages",
    async reason(scene, entry, reason, emit) {
      if (entry.kind === "directory" || !isUse(reason)) return;
      for (const name of scene.installed.owner(entry.path)) {
        for (const path of scene.installed.filesOf(name))
          emit.add(path, { kind: "installed", from: entry.path, detail: name });
      }
    },
  };
}

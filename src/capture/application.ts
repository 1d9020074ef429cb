// What is to be lifted, as a first descriptor: services by their recipes, or one command. The capture runs exactly this under
// init, so that what was traced is what the package later does.
import { TranshipError } from "../base/errors.ts";
import { recipeOf, type ServiceRecipe } from "../discover/recipe.ts";
import { findService, readServices } from "../discover/services.ts";
import { Source } from "../discover/source.ts";
import type { ByteString } from "../formats/entry.ts";
import { parseGroup, parsePasswd } from "../formats/passwd.ts";
import type { Machine } from "../machine/machine.ts";
import { type Descriptor, newDescriptor, type Program, type Service } from "../package/descriptor.ts";
import { exactText, pathText } from "./descriptor-text.ts";
import { readOrigin } from "./origin.ts";

export interface ApplicationOptions {
  /** "shop": metadata.id and name. */
  name: string;
  services: readonly string[];
  command: readonly string[];
  environment: Readonly<Record<string, string>>;
  ports: readonly number[];
  user?: string | undefined;
  workingDirectory?: string | undefined;
}

export async function describeApplication(
  machine: Machine,
  options: ApplicationOptions,
): Promise<Descriptor> {
  const { origin, identity } = await readOrigin(machine);
  const empty = newDescriptor({ id: options.name, name: options.name, version: "1", publisher: "" }, origin);
  const base: Descriptor = {
    ...empty,
    identity,
    environment: { ...(identity.locale === null ? {} : { LANG: identity.locale }), ...options.environment },
    ports: options.ports.map((port) => ({ port, protocol: "tcp" })),
  };
  if (options.services.length > 0) return await addServices(machine, base, options.services);
  if (options.command.length === 0) return base;
  const program: Program = {
    name: "main",
    command: [...options.command],
    ...(options.workingDirectory === undefined ? {} : { workingDirectory: options.workingDirectory }),
    ...(options.user === undefined ? {} : { user: options.user }),
  };
  return {
    ...base,
    programs: [program],
    services: [{ name: "main", program: "main", startup: "auto", essential: true }],
  };
}

async function addServices(
  machine: Machine,
  base: Descriptor,
  names: readonly string[],
): Promise<Descriptor> {
  const known = await readServices(new Source(machine.files));
  const programs: Program[] = [];
  const services: Service[] = [];
  const directories: Descriptor["directories"][number][] = [];
  const ids = await readIds(machine);
  for (const name of names) {
    const fact = findService(known, name);
    if (fact === undefined) {
      const like = known.filter((one) => !one.template).map((one) => one.name);
      throw new TranshipError(
        "E_SERVICE_NOT_FOUND",
        `no service ${JSON.stringify(name)} on ${machine.address}`,
        {
          hint:
            like.length === 0
              ? "no service was found at all; give the command itself after --"
              : `there are: ${like.sort().slice(0, 30).join(", ")}`,
        },
      );
    }
    const recipe = await recipeOf(fact, machine.files);
    const added = fromRecipe(recipe, plainName(recipe.name), services.at(-1)?.name);
    programs.push(...added.programs);
    services.push(...added.services);
    for (const directory of recipe.runtimeDirectories) {
      directories.push({
        path: pathText(directory.path),
        mode: `0${directory.mode.toString(8)}`,
        uid: ids.user(directory.user),
        gid: directory.group === "" ? ids.primaryGroup(directory.user) : ids.group(directory.group),
      });
    }
  }
  return { ...base, programs, services, directories: unique(directories) };
}

/** Each service starts when the one before it is ready: the order in which the services were named is kept. */
function fromRecipe(
  recipe: ServiceRecipe,
  name: string,
  after: string | undefined,
): { programs: Program[]; services: Service[] } {
  const programs: Program[] = [];
  const services: Service[] = [];
  const user = userOf(recipe.user, recipe.group);
  const text = (value: ByteString): string => exactText(value, `what service ${name} is started with`);
  const environment = Object.fromEntries(
    Object.entries(recipe.environment).map(([key, value]) => [text(key), text(value)]),
  );
  let previous = after;
  recipe.before.forEach((step, index) => {
    const stepName = `${name}-before-${index + 1}`;
    const command = step.ignoreFailure
      ? ["/bin/sh", "-c", '"$@" || true', stepName, ...step.command]
      : step.command;
    programs.push({
      name: stepName,
      command: command.map(text),
      environment,
      ...userOf(step.user, ""),
    });
    services.push({
      name: stepName,
      program: stepName,
      startup: "auto",
      essential: true,
      type: "oneshot",
      ...(previous === undefined ? {} : { after: [previous] }),
    });
    previous = stepName;
  });
  const command =
    recipe.umask === undefined
      ? recipe.start
      : ["/bin/sh", "-c", `umask ${recipe.umask.toString(8)}; exec "$@"`, name, ...recipe.start];
  programs.push({
    name,
    command: command.map(text),
    environment,
    ...(recipe.workingDirectory === "/" || recipe.workingDirectory === ""
      ? {}
      : { workingDirectory: pathText(recipe.workingDirectory) }),
    ...user,
  });
  const port = recipe.readiness.ports[0];
  const path = recipe.readiness.paths[0];
  services.push({
    name,
    program: name,
    startup: "auto",
    essential: true,
    type: recipe.type,
    ...(recipe.pidFile === undefined ? {} : { pidFile: pathText(recipe.pidFile) }),
    ...(previous === undefined ? {} : { after: [previous] }),
    ...(port !== undefined
      ? { readiness: { port, timeout: "60s" } }
      : path !== undefined
        ? { readiness: { file: pathText(path), timeout: "60s" } }
        : {}),
    stop: {
      signal: recipe.stopSignal,
      timeout: "30s",
      ...(recipe.stop === undefined ? {} : { command: recipe.stop.map(text) }),
    },
  });
  return { programs, services };
}

function userOf(user: ByteString, group: ByteString): { user?: string } {
  if (user === "" || user === "root")
    return group === "" || group === "root" ? {} : { user: `root:${group}` };
  return { user: group === "" ? user : `${user}:${group}` };
}

/** A service's name as a program's name: letters, digits and _.- only. */
function plainName(name: ByteString): string {
  return name.replace(/[^A-Za-z0-9_.-]/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "service";
}

function unique<T>(values: readonly T[]): T[] {
  const seen = new Map(values.map((value) => [JSON.stringify(value), value]));
  return [...seen.values()];
}

interface Ids {
  user(name: ByteString): number;
  group(name: ByteString): number;
  primaryGroup(user: ByteString): number;
}

async function readIds(machine: Machine): Promise<Ids> {
  const text = async (path: ByteString) =>
    new TextDecoder("latin1").decode((await machine.files.read(path)) ?? new Uint8Array());
  const passwd = parsePasswd(await text("/etc/passwd")).entries;
  const users = new Map(passwd.map((user) => [user.name, user.uid]));
  const groups = new Map(
    parseGroup(await text("/etc/group")).entries.map((group) => [group.name, group.gid]),
  );
  const number = (name: ByteString, table: Map<string, number>) =>
    /^\d+$/.test(name) ? Number(name) : (table.get(name) ?? 0);
  return {
    user: (name) => number(name, users),
    group: (name) => number(name, groups),
    primaryGroup: (name) => passwd.find((user) => user.name === name)?.gid ?? 0,
  };
}

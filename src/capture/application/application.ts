// What is to be lifted, as a first descriptor: services by their recipes, or one command. The capture runs exactly this under
// init, so that what was traced is what the package later does.
import { TranshipError } from "../../base/errors.ts";
import { type RecipeSocket, recipeOf, type ServiceRecipe } from "../../discover/recipe.ts";
import { findService, readServices } from "../../discover/services.ts";
import { Source } from "../../discover/source.ts";
import type { ByteString } from "../../formats/entry.ts";
import { escapeBytes } from "../../formats/escape.ts";
import { parseGroup, parsePasswd } from "../../formats/passwd.ts";
import type { Machine } from "../../machine/machine.ts";
import {
  type Descriptor,
  newDescriptor,
  type Program,
  type RestartPolicy,
  type Service,
  type ServiceSocket,
  type Volume,
} from "../../package/descriptor.ts";
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

/** `tell` gets what of the services is not carried over: whoever captures has to show it. */
export async function describeApplication(
  machine: Machine,
  options: ApplicationOptions,
  tell?: (note: string) => void,
): Promise<Descriptor> {
  const { origin, identity } = await readOrigin(machine);
  const empty = newDescriptor({ id: options.name, name: options.name, version: "1", publisher: "" }, origin);
  const base: Descriptor = {
    ...empty,
    identity,
    environment: { ...(identity.locale === null ? {} : { LANG: identity.locale }), ...options.environment },
    ports: options.ports.map((port) => ({ port, protocol: "tcp" })),
  };
  if (options.services.length > 0) return await addServices(machine, base, options.services, tell);
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
  tell?: (note: string) => void,
): Promise<Descriptor> {
  const known = await readServices(new Source(machine.files));
  const programs: Program[] = [];
  const services: Service[] = [];
  const directories: Descriptor["directories"][number][] = [];
  const ids = await readIds(machine);
  const volumes: Volume[] = [];
  let files = 0;
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
    for (const note of recipe.notes) tell?.(escapeBytes(`service ${recipe.name}: ${note}`));
    const added = fromRecipe(recipe, plainName(recipe.name), services.at(-1)?.name);
    programs.push(...added.programs);
    services.push(...added.services.map((one) => withSockets(one, added.services, recipe.sockets, ids)));
    files = Math.max(files, recipe.openFiles ?? 0);
    for (const path of recipe.stateDirectories) {
      // One that is there is data, and comes along; what it will write where there is none yet has to outlive its instance too.
      if ((await machine.files.resolve(path)).entry === undefined)
        volumes.push({
          path: pathText(path),
          initial: "none",
          reason: `state directory of ${escapeBytes(recipe.name)}`,
        });
    }
    for (const directory of recipe.runtimeDirectories) {
      directories.push({
        path: pathText(directory.path),
        mode: `0${directory.mode.toString(8)}`,
        ...ids.owners(directory),
      });
    }
  }
  const limits = files === 0 ? base.limits : { ...base.limits, files };
  return { ...base, programs, services, limits, directories: unique(directories), volumes: unique(volumes) };
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
  const ready = duration(recipe.startTimeout ?? 60_000);
  // What init opens is there before the program is.
  const opened = recipe.sockets.map((socket) => socket.listen);
  const port = recipe.readiness.ports.find((one) => !opened.some((listen) => listen.endsWith(`:${one}`)));
  const path = recipe.readiness.paths.find((one) => !opened.includes(one));
  services.push({
    name,
    program: name,
    startup: "auto",
    essential: true,
    type: recipe.type,
    ...(recipe.pidFile === undefined ? {} : { pidFile: pathText(recipe.pidFile) }),
    ...(previous === undefined ? {} : { after: [previous] }),
    ...(port !== undefined
      ? { readiness: { port, timeout: ready } }
      : path !== undefined
        ? { readiness: { file: pathText(path), timeout: ready } }
        : {}),
    ...(recipe.restart === undefined ? {} : { restart: restartOf(recipe.restart) }),
    stop: {
      signal: recipe.stopSignal,
      timeout: duration(recipe.stopTimeout ?? 30_000),
      ...(recipe.stop === undefined ? {} : { command: recipe.stop.map(text) }),
    },
  });
  return { programs, services };
}

function restartOf({ policy, attempts, backoff }: NonNullable<ServiceRecipe["restart"]>): RestartPolicy {
  return {
    policy,
    ...(attempts === undefined ? {} : { attempts }),
    ...(backoff === undefined ? {} : { backoff: duration(backoff) }),
  };
}

/** As a descriptor has it. */
function duration(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
}

/** The last of a recipe's services is the program itself. */
function withSockets(
  service: Service,
  all: readonly Service[],
  sockets: readonly RecipeSocket[],
  ids: Ids,
): Service {
  if (sockets.length === 0 || service !== all.at(-1)) return service;
  return {
    ...service,
    sockets: sockets.map((socket): ServiceSocket => {
      const named = socket.listen.startsWith("/");
      return {
        listen: pathText(socket.listen),
        name: exactText(socket.name, `the name of a socket of ${service.name}`),
        ...(socket.type === "stream" ? {} : { type: socket.type }),
        ...(socket.given === "listen" ? {} : { given: socket.given }),
        ...(socket.ipv6Only ? { ipv6Only: true } : {}),
        ...(named ? { mode: `0${socket.mode.toString(8).padStart(3, "0")}`, ...ids.owners(socket) } : {}),
      };
    }),
  };
}

/** As a program of a descriptor has it. */
export function userOf(user: ByteString, group: ByteString): { user?: string } {
  if (user === "" || user === "root")
    return group === "" || group === "root" ? {} : { user: `root:${group}` };
  return { user: group === "" ? user : `${user}:${group}` };
}

/** A service's name as a program's name: letters, digits and _.- only. */
export function plainName(name: ByteString): string {
  return name.replace(/[^A-Za-z0-9_.-]/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "service";
}

function unique<T>(values: readonly T[]): T[] {
  const seen = new Map(values.map((value) => [JSON.stringify(value), value]));
  return [...seen.values()];
}

export interface Ids {
  /** A group "" is the user's own. */
  owners(of: { user: ByteString; group: ByteString }): { uid: number; gid: number };
}

/** Numbers of names by the machine's tables; 0 where it has none. */
export async function readIds(machine: Machine): Promise<Ids> {
  const text = async (path: ByteString) =>
    new TextDecoder("latin1").decode((await machine.files.read(path)) ?? new Uint8Array());
  const passwd = parsePasswd(await text("/etc/passwd")).entries;
  const users = new Map(passwd.map((user) => [user.name, user.uid]));
  const groups = new Map(
    parseGroup(await text("/etc/group")).entries.map((group) => [group.name, group.gid]),
  );
  const number = (name: ByteString, table: Map<string, number>) =>
    /^\d+$/.test(name) ? Number(name) : (table.get(name) ?? 0);
  const primary = (name: ByteString) => passwd.find((user) => user.name === name)?.gid ?? 0;
  return {
    owners: ({ user, group }) => ({
      uid: number(user, users),
      gid: group === "" ? primary(user) : number(group, groups),
    }),
  };
}

// A service's run recipe: how to start it without the service manager of its machine. Derived from the unit or the
// script; hints (recipe-hints.ts) only add what these do not say.
import { TranshipError } from "../base/errors.ts";
import type { ByteString } from "../formats/entry.ts";
import type { MachineFiles } from "../machine/machine.ts";
import type { From, ServiceFact } from "./inventory.ts";
import { listenersOfProgram } from "./listeners.ts";
import {
  inittabRecipe,
  runitRecipe,
  superServerPort,
  superServerRecipe,
  supervisorRecipe,
  upstartRecipe,
} from "./manager-recipe.ts";
import { scriptRecipe } from "./script-recipe.ts";
import { Source } from "./source.ts";
import { unitRecipe } from "./unit-recipe.ts";

export interface RuntimeDirectory {
  path: ByteString;
  mode: number;
  /** Names, or numbers where the machine has no name. */
  user: ByteString;
  group: ByteString;
}

export interface RecipeCommand {
  command: ByteString[];
  user: ByteString;
  /** Its failure does not stop the start. */
  ignoreFailure: boolean;
}

/** Given to the program instead of being opened by it. */
export interface RecipeSocket {
  /** As a package has it: "0.0.0.0:80", "[::]:80", a path, "@" and an abstract name. */
  listen: ByteString;
  type: "stream" | "datagram" | "seqpacket";
  /** From descriptor 3 on, or as standard input. */
  given: "listen" | "input";
  name: ByteString;
  /** Of a path, as are the owners. */
  mode: number;
  user: ByteString;
  /** "" = the user's own. */
  group: ByteString;
  ipv6Only: boolean;
}

export interface ServiceRecipe {
  name: ByteString;
  /** Absolute program and arguments. */
  start: ByteString[];
  /** To be run before `start`, in order, after the directories were made. */
  before: RecipeCommand[];
  /** Undefined where a signal ends it. */
  stop?: ByteString[];
  stopSignal: string;
  user: ByteString;
  /** "" = the user's own. */
  group: ByteString;
  supplementaryGroups: ByteString[];
  /** Real values, secrets too: for starting, not for printing. */
  environment: Record<string, ByteString>;
  workingDirectory: ByteString;
  umask?: number;
  type: "simple" | "forking" | "oneshot";
  pidFile?: ByteString;
  /** To be made where they are not there: below /run always, others where the service never started. */
  runtimeDirectories: RuntimeDirectory[];
  /** Those of them that keep what it knows. */
  stateDirectories: ByteString[];
  sockets: RecipeSocket[];
  /** When its manager starts it again; undefined: never. backoff in milliseconds. */
  restart?: { policy: "on-failure" | "always"; attempts?: number; backoff?: number };
  /** Milliseconds from the signal to SIGKILL, and until it has to be ready, where its manager says so. */
  stopTimeout?: number;
  startTimeout?: number;
  /** Files that it may open. */
  openFiles?: number;
  /** A guess from configuration: ports and Unix sockets that open when it is ready. */
  readiness: { ports: number[]; paths: ByteString[] };
  from: From;
  /** What was taken from a hint, and why. */
  hints: string[];
  /** What the recipe leaves out or could not tell. */
  notes: string[];
}

/** E_SERVICE_NOT_FOUND where its manager's files give no command. */
export async function recipeOf(service: ServiceFact, files: MachineFiles): Promise<ServiceRecipe> {
  const source = new Source(files);
  const recipe = await derive(source, service);
  const listeners = await listenersOfProgram(source, programOf(recipe), service.name);
  const name = service.name.replace(/@.*$/, "");
  const served = await superServerPort(source, service);
  recipe.readiness = {
    ports: [
      ...new Set([served ?? 0, ...listeners.map((listener) => listener.port)].filter((port) => port > 0)),
    ],
    paths: [...new Set(listeners.map((listener) => listener.path).filter((path) => path !== ""))],
  };
  if (name === "postgresql" && service.name.includes("@")) {
    const own = listeners.filter((listener) =>
      listener.from[0]?.includes(service.name.split("@")[1]?.replace("-", "/") ?? "/"),
    );
    recipe.readiness.ports = own.map((listener) => listener.port);
  }
  recipe.notes.push(...source.notes.map((note) => `${note.subject}: ${note.text}`));
  return recipe;
}

async function derive(source: Source, service: ServiceFact): Promise<ServiceRecipe> {
  if (service.template)
    throw noRecipe(service, "is a template and needs an instance", `name an instance: ${service.name}NAME`);
  if (service.state === "masked")
    throw noRecipe(service, "is masked", "unmask it on the machine, or give the command itself");
  if (service.manager === "systemd") return unitRecipe(source, service);
  if (service.manager === "sysv") return scriptRecipe(source, service);
  return managed[service.manager](source, service);
}

const managed = {
  upstart: upstartRecipe,
  inittab: inittabRecipe,
  supervisor: supervisorRecipe,
  runit: runitRecipe,
  inetd: superServerRecipe,
  xinetd: superServerRecipe,
};

export function noRecipe(service: ServiceFact, why: string, hint: string): TranshipError {
  return new TranshipError("E_SERVICE_NOT_FOUND", `the service ${service.name} ${why}`, { hint });
}

export function emptyRecipe(service: ServiceFact): ServiceRecipe {
  return {
    name: service.name,
    start: [],
    before: [],
    stopSignal: "SIGTERM",
    user: "root",
    group: "",
    supplementaryGroups: [],
    environment: { PATH: defaultPath },
    workingDirectory: "/",
    type: "simple",
    runtimeDirectories: [],
    stateDirectories: [],
    sockets: [],
    readiness: { ports: [], paths: [] },
    from: [...service.from],
    hints: [],
    notes: [],
  };
}

export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The daemon behind `sh -c '...; exec DAEMON'`. */
function programOf(recipe: ServiceRecipe): ByteString {
  const script = recipe.start[1] === "-c" ? (recipe.start[2] ?? "") : "";
  return /\bexec (\S+)/.exec(script)?.[1] ?? recipe.start[0] ?? "";
}

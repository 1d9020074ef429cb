// What flags, the environment and the state root settle for every command, and where each value comes from. Only reads: a value that cannot be is shown
// as it is, for the command that needs it to refuse.
import { homedir } from "node:os";
import { join } from "node:path";
import { usualRatio } from "../../image/layer-bound.ts";
import { type OptionValues, text } from "../verb.ts";

export interface Setting {
  readonly name: string;
  readonly value: string;
  /** A flag, a variable, a file, or "default". */
  readonly origin: string;
  /** What is set by it, and how. */
  readonly meaning: string;
}

export interface Told {
  options: OptionValues;
  env: NodeJS.ProcessEnv;
  /** The state root in force. */
  root: string;
  /** As networks of that root have it already. */
  subnet: string | undefined;
  /** Whether standard error is a terminal. */
  terminal: boolean;
}

type Found = Pick<Setting, "value" | "origin">;

export function settingsOf(told: Told): Setting[] {
  const { env } = told;
  const setting = (name: string, found: Found, meaning: string): Setting => ({ name, ...found, meaning });
  return [
    setting("root", rootOf(told), "where state lives: --root, TRANSHIP_ROOT"),
    setting("runtime", variable(env, "TRANSHIP_RUNTIME", "crun, or runc"), "the OCI runtime: TRANSHIP_RUNTIME"),
    setting("subnet", subnetOf(told), "addresses of the default network: TRANSHIP_SUBNET"),
    setting(
      "network-linger",
      variable(env, "TRANSHIP_NETWORK_LINGER", "2"),
      "seconds for which the network stays ready behind the last instance: TRANSHIP_NETWORK_LINGER",
    ),
    setting(
      "ssh-options",
      variable(env, "TRANSHIP_SSH_OPTIONS", ""),
      "KEY=VALUE words of ssh_config(5) for every ssh:// machine, beside --ssh-option: TRANSHIP_SSH_OPTIONS",
    ),
    setting(
      "registry-mirrors",
      hidden(variable(env, "TRANSHIP_REGISTRY_MIRRORS", "")),
      "asked before the registry itself, behind --mirror: TRANSHIP_REGISTRY_MIRRORS",
    ),
    setting("registry-logins", loginsOf(env), "what `login` has kept: DOCKER_CONFIG names the directory"),
    setting(
      "unpack-ratio",
      variable(env, "TRANSHIP_UNPACK_RATIO", String(usualRatio)),
      "how many times its size a layer may unpack to: TRANSHIP_UNPACK_RATIO",
    ),
    setting("join-token", tokenOf(env), "with which nodes join a cluster: TRANSHIP_JOIN_TOKEN, --token-file"),
    setting("editor", editorOf(env), "of `package edit`: VISUAL, EDITOR"),
    setting("log-level", given(told, "logLevel", "--log-level", "info"), "debug, info, warn or error: --log-level"),
    setting("log-format", given(told, "logFormat", "--log-format", "text"), "text or json: --log-format"),
    setting("color", colorOf(told), "of messages on a terminal: --no-color, NO_COLOR, TERM=dumb"),
  ]; // biome-ignore format: one entry after the other
}

/** What is set to nothing counts as not set. */
function variable(env: NodeJS.ProcessEnv, name: string, usual: string): Found {
  const value = env[name] ?? "";
  return value === "" ? { value: usual, origin: "default" } : { value, origin: name };
}

function given({ options }: Told, key: string, flag: string, usual: string): Found {
  const value = text(options, key);
  return value === undefined ? { value: usual, origin: "default" } : { value, origin: flag };
}

function rootOf({ options, env, root }: Told): Found {
  if (text(options, "root")) return { value: root, origin: "--root" };
  const named = ["TRANSHIP_ROOT", ...(process.getuid?.() === 0 ? [] : ["XDG_DATA_HOME"])];
  return { value: root, origin: named.find((one) => (env[one] ?? "") !== "") ?? "default" };
}

function subnetOf({ env, root, subnet }: Told): Found {
  const asked = variable(env, "TRANSHIP_SUBNET", "chosen at the first use");
  if (asked.origin !== "default" || subnet === undefined) return asked;
  return { value: subnet, origin: join(root, "network/subnet.json") };
}

function loginsOf(env: NodeJS.ProcessEnv): Found {
  const { value, origin } = variable(env, "DOCKER_CONFIG", join(homedir(), ".docker"));
  return { value: join(value, "config.json"), origin };
}

/** An address may name a user and a password. */
function hidden({ value, origin }: Found): Found {
  return { value: value.replace(/(?<=^|[/=\s,])[^/=\s,@]*@/g, "***@"), origin };
}

function tokenOf(env: NodeJS.ProcessEnv): Found {
  const { value, origin } = variable(env, "TRANSHIP_JOIN_TOKEN", "");
  return { value: value === "" ? "" : "***", origin };
}

function editorOf(env: NodeJS.ProcessEnv): Found {
  const first = variable(env, "VISUAL", "");
  return first.value === "" ? variable(env, "EDITOR", "vi") : first;
}

function colorOf({ options, env, terminal }: Told): Found {
  if (options.color === false) return { value: "off", origin: "--no-color" };
  if ((env.NO_COLOR ?? "") !== "") return { value: "off", origin: "NO_COLOR" };
  if (env.TERM === "dumb") return { value: "off", origin: "TERM" };
  return { value: terminal ? "on" : "off", origin: "default" };
}

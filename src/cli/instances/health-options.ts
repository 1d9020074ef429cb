// Docker's flags of health checks, and podman's --health-on-failure.
import { TranshipError } from "../../base/errors.ts";
import { parseDuration } from "../../base/units.ts";
import { type HealthAction, type HealthRequest, shellCommand } from "../../runtime/health/rule.ts";
import { flag, type OptionValues, text } from "../verb.ts";

export function healthOptions(options: OptionValues): { health?: HealthRequest } {
  const command = text(options, "healthCmd");
  const none = options.healthcheck === false || flag(options, "noHealthcheck") || command === "none";
  const request: HealthRequest = {
    ...(none
      ? { command: "none" }
      : command === undefined || command === ""
        ? {}
        : { command: words(command) }),
    ...time(options, "interval", "healthInterval", 1),
    ...time(options, "timeout", "healthTimeout", 1),
    ...time(options, "startPeriod", "healthStartPeriod", 0),
    ...time(options, "startInterval", "healthStartInterval", 1),
    ...retries(text(options, "healthRetries")),
    ...action(text(options, "healthOnFailure")),
  };
  if (none && Object.keys(request).length > 1)
    throw usage("no health check, and how it is to be done, contradict each other", "leave one of them out");
  return Object.keys(request).length === 0 ? {} : { health: request };
}

/** A command line for the shell, or, as podman has it, an array of words in JSON. */
function words(command: string): readonly string[] {
  if (!command.startsWith("[")) return shellCommand(command);
  try {
    const parsed: unknown = JSON.parse(command);
    if (Array.isArray(parsed) && parsed.length > 0 && parsed.every((word) => typeof word === "string"))
      return parsed;
  } catch {} // no JSON: [ is a program, too
  return shellCommand(command);
}

function time(options: OptionValues, key: keyof HealthRequest, option: string, least: number): HealthRequest {
  const word = text(options, option);
  if (word === undefined) return {};
  const value = Math.round(parseDuration(word));
  if (value >= least) return { [key]: value };
  throw usage(
    `--health-${option
      .slice(6)
      .replace(/[A-Z]/g, (one) => `-${one.toLowerCase()}`)
      .slice(1)}: too short: ${word}`,
    "write for example 5s",
  );
}

function retries(word: string | undefined): HealthRequest {
  if (word === undefined) return {};
  if (/^[1-9]\d{0,5}$/.test(word)) return { retries: Number(word) };
  throw usage(
    `--health-retries: not a number above 0: ${JSON.stringify(word)}`,
    "write for example --health-retries 3",
  );
}

function action(word: string | undefined): HealthRequest {
  if (word === undefined) return {};
  if (word === "none" || word === "kill" || word === "stop") return { onFailure: word as HealthAction };
  throw usage(
    `--health-on-failure: ${JSON.stringify(word)} is none of none, kill and stop`,
    "to start it again, give kill and --restart on-failure or always",
  );
}

function usage(message: string, hint: string): TranshipError {
  return new TranshipError("E_USAGE", message, { hint });
}

// A seccomp profile in docker's format (--security-opt seccomp=FILE) as what an OCI runtime takes. Pure.
//
// It holds as it is, for init too; what it refuses nobody is told of, as its answers are its own.
import { TranshipError } from "../../base/errors.ts";

/** As its file has it; what a part of it depends on is decided at each start. */
export interface GivenProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly {
    readonly architecture: string;
    readonly subArchitectures?: readonly string[];
  }[];
  readonly flags?: readonly string[];
  readonly syscalls?: readonly GivenRule[];
}

interface GivenRule {
  readonly name?: string;
  readonly names?: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly object[];
  readonly includes?: RuleFilter;
  readonly excludes?: RuleFilter;
}

interface RuleFilter {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

/** What the rules of a profile are judged by. */
export interface ProfileHost {
  readonly capabilities: readonly string[];
  /** As Node names it. */
  readonly architecture: string;
  /** "6.1.0-57-amd64" */
  readonly kernel: string;
}

const actions = /^SCMP_ACT_(ALLOW|ERRNO|KILL|KILL_PROCESS|KILL_THREAD|LOG|TRACE|TRAP)$/;

/** E_USAGE names what is wrong with it. */
export function parseProfile(text: string, file: string): GivenProfile {
  const wrong = (what: string): TranshipError =>
    new TranshipError("E_USAGE", `${file} is no seccomp profile: ${what}`, {
      hint: "write it as docker's: defaultAction, archMap, syscalls with names and action",
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong("it is no JSON");
  }
  if (!isObject(value)) throw wrong("it is no object");
  const { defaultAction, syscalls = [], archMap = [], architectures = [] } = value;
  checkAction("defaultAction", defaultAction, wrong);
  for (const [key, list] of Object.entries({ syscalls, archMap, architectures }))
    if (!Array.isArray(list)) throw wrong(`${key} is no list`);
  (syscalls as unknown[]).forEach((rule, index) => {
    checkRule(rule, `syscalls[${index}]`, wrong);
  });
  if (!(archMap as unknown[]).every((one) => isObject(one) && typeof one.architecture === "string"))
    throw wrong("archMap has an entry without architecture");
  return value as unknown as GivenProfile;
}

function checkAction(where: string, action: unknown, wrong: (what: string) => TranshipError): void {
  if (action === "SCMP_ACT_NOTIFY") throw wrong(`${where}: SCMP_ACT_NOTIFY asks for somebody who answers`);
  if (typeof action !== "string" || !actions.test(action))
    throw wrong(`${where}: not an action: ${JSON.stringify(action)}`);
}

function checkRule(rule: unknown, where: string, wrong: (what: string) => TranshipError): void {
  if (!isObject(rule)) throw wrong(`${where} is no object`);
  const names = rule.names ?? (rule.name === undefined ? undefined : [rule.name]);
  if (!Array.isArray(names) || !names.every((name) => typeof name === "string"))
    throw wrong(`${where} has no names`);
  checkAction(`${where}.action`, rule.action, wrong);
  // docker writes null for what is not there.
  if (!Array.isArray(rule.args ?? [])) throw wrong(`${where}.args is no list`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** By Node's names of architectures: in the list of a profile, and in its rules. */
const archNames: Readonly<Record<string, { native: string; inRules: string }>> = {
  x64: { native: "SCMP_ARCH_X86_64", inRules: "amd64" },
  arm64: { native: "SCMP_ARCH_AARCH64", inRules: "arm64" },
};

export function profileJson(profile: GivenProfile, host: ProfileHost): object {
  const { native, inRules } = archNames[host.architecture] ?? { native: "", inRules: "" };
  const mapped = profile.archMap?.find(({ architecture }) => architecture === native);
  const architectures = [
    ...(profile.architectures ?? []),
    ...(mapped === undefined ? [] : [native, ...(mapped.subArchitectures ?? [])]),
  ];
  const fits = ({ includes, excludes }: GivenRule): boolean =>
    isIncluded(includes ?? {}, inRules, host) && !isExcluded(excludes ?? {}, inRules, host);
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(architectures.length === 0 ? {} : { architectures }),
    ...((profile.flags ?? []).length === 0 ? {} : { flags: profile.flags }),
    syscalls: (profile.syscalls ?? []).filter(fits).map(({ name, names, action, errnoRet, args }) => ({
      names: names ?? [name],
      action,
      ...(typeof errnoRet === "number" ? { errnoRet } : {}),
      ...((args ?? []).length === 0 ? {} : { args }),
    })),
  };
}

/** Each of what is named has to hold. */
function isIncluded({ caps, arches, minKernel }: RuleFilter, own: string, host: ProfileHost): boolean {
  return (
    (caps ?? []).every((name) => host.capabilities.includes(name)) &&
    ((arches ?? []).length === 0 || arches?.includes(own) === true) &&
    (!minKernel || isSince(host.kernel, minKernel))
  );
}

/** One of what is named is enough. */
function isExcluded({ caps, arches, minKernel }: RuleFilter, own: string, host: ProfileHost): boolean {
  return (
    (caps ?? []).some((name) => host.capabilities.includes(name)) ||
    arches?.includes(own) === true ||
    (Boolean(minKernel) && isSince(host.kernel, minKernel ?? ""))
  );
}

function isSince(kernel: string, wanted: string): boolean {
  const [major = 0, minor = 0] = kernel.split(".").map((part) => Number.parseInt(part, 10));
  const [least = 0, lesser = 0] = wanted.split(".").map(Number);
  return major > least || (major === least && minor >= lesser);
}

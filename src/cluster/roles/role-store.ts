// Roles that tasks may have, with what each may do: one file of the state root, read anew when it has changed, so that a change counts at once.
import { statSync } from "node:fs";
import { join } from "node:path";
import { TranshipError } from "../../base/errors.ts";
import { makeDirectory, readJson, writeFileAtomic } from "../../host/files.ts";
import { clusterDirectory } from "../keys.ts";
import { namedPolicies, type Policy, parsePolicy } from "./policy.ts";

export interface KnownRole {
  name: string;
  /** The name of a policy, or a document. */
  policy: unknown;
}

/** As IAM names roles; with the path, where the ARN has one. */
const named = /^(?:[A-Za-z0-9_+=,.@-]+\/){0,8}[A-Za-z0-9_+=,.@-]{1,64}$/;

export class RoleStore {
  readonly #file: string;
  #read: { stamp: string; roles: Record<string, unknown> } | undefined;

  /** `root`: path of the state root. */
  constructor(root: string) {
    this.#file = join(clusterDirectory(root), "roles.json");
  }

  /** Replaces what is there. E_USAGE for a name or a policy that cannot be. */
  put(name: string, policy: unknown): void {
    if (!named.test(name))
      throw new TranshipError(
        "E_USAGE",
        `${JSON.stringify(name.slice(0, 100))} cannot be the name of a role`,
        {
          hint: "use letters, digits, and _ + = , . @ -, as behind `role/` in its ARN",
        },
      );
    const read = policyFrom(policy);
    if (typeof read === "string")
      throw new TranshipError("E_USAGE", `the policy of the role ${name} is refused: ${read}`, {
        hint: 'statements have Effect, Action and Resource "*"; or give read-only or full',
      });
    this.#write({ ...this.#roles(), [name]: policy });
  }

  /** Sorted by name. */
  list(): KnownRole[] {
    return Object.entries(this.#roles())
      .map(([name, policy]) => ({ name, policy }))
      .sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** False where there was none. */
  remove(name: string): boolean {
    const { [name]: found, ...others } = this.#roles();
    if (found === undefined) return false;
    this.#write(others);
    return true;
  }

  /** Of a role by its ARN or name; empty, so that it may do nothing, where it is not known or its policy cannot be read. */
  policyOf(role: string): Policy {
    const name = roleName(role);
    const roles = this.#roles();
    const found = Object.hasOwn(roles, name) ? policyFrom(roles[name]) : [];
    return typeof found === "string" ? [] : found;
  }

  #roles(): Record<string, unknown> {
    const stat = statSync(this.#file, { bigint: true, throwIfNoEntry: false });
    const stamp = `${stat?.ino} ${stat?.mtimeNs}`;
    if (this.#read?.stamp === stamp) return this.#read.roles;
    const value = readJson(this.#file) ?? {};
    if (typeof value !== "object" || Array.isArray(value))
      throw new TranshipError("E_STATE_CORRUPT", `${this.#file} holds no roles`, {
        hint: "remove the file and make the roles anew with `tranship role create`",
      });
    this.#read = { stamp, roles: value as Record<string, unknown> };
    return this.#read.roles;
  }

  #write(roles: Record<string, unknown>): void {
    makeDirectory(join(this.#file, ".."));
    writeFileAtomic(this.#file, `${JSON.stringify(roles, null, 2)}\n`, { mode: 0o600 });
    this.#read = undefined;
  }
}

function policyFrom(policy: unknown): Policy | string {
  if (typeof policy !== "string") return parsePolicy(policy);
  return (
    (Object.hasOwn(namedPolicies, policy) ? namedPolicies[policy] : undefined) ??
    `there is no policy ${policy.slice(0, 60)}`
  );
}

/** Behind `role/` of an ARN; a name is its own. */
export function roleName(role: string): string {
  return /^arn:aws[a-z-]*:iam::\d{12}:role\/(.+)$/.exec(role)?.[1] ?? role;
}

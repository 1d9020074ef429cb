// What a role may do here: the part of an IAM policy that this API can hold. Pure.
import { z } from "zod";

export interface Statement {
  allow: boolean;
  /** "ecs:Describe*": `*` stands for any characters, `?` for one; case does not count. */
  actions: string[];
}

export type Policy = readonly Statement[];

/** Policies that have a name instead of a document. */
export const namedPolicies: Readonly<Record<string, Policy>> = {
  "read-only": [{ allow: true, actions: ["ecs:Describe*", "ecs:List*", "ecs:Get*"] }],
  // Whoever may register and run any task can become whatever a task can be.
  full: [{ allow: true, actions: ["ecs:*", "iam:PassRole", "logs:*"] }],
};

const words = z.union([z.string().min(1).max(200), z.array(z.string().min(1).max(200)).min(1).max(200)]);
const statement = z.strictObject({
  Sid: z.string().max(128).optional(),
  Effect: z.enum(["Allow", "Deny"]),
  Action: words,
  Resource: z.union([z.literal("*"), z.tuple([z.literal("*")])]),
});
const document = z.strictObject({
  Version: z.enum(["2012-10-17", "2008-10-17"]).optional(),
  Id: z.string().max(128).optional(),
  Statement: z.preprocess(
    (value) => (Array.isArray(value) ? value : [value]),
    z.array(statement).min(1).max(100),
  ),
});

/** A text says what is wrong with it: what cannot be held (Condition, NotAction, a Resource other than `*`) is refused, not ignored. */
export function parsePolicy(value: unknown): Policy | string {
  const read = document.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    return `${issue?.path.join(".") || "the document"}: ${issue?.message ?? "not a policy"}`;
  }
  return read.data.Statement.map(({ Effect, Action }) => ({
    allow: Effect === "Allow",
    actions: [Action].flat(),
  }));
}

/** As IAM decides: what is denied is denied, what nothing allows too. */
export function allows(policy: Policy, action: string): boolean {
  const about = policy.filter(({ actions }) => actions.some((pattern) => fits(pattern, action)));
  return about.length > 0 && about.every(({ allow }) => allow);
}

function fits(pattern: string, action: string): boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${escaped}$`, "i").test(action);
}

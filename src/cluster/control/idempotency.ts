// clientToken: the same token with the same parameters gives the same answer; with others it is a conflict.
import { EcsError } from "../api/ecs-error.ts";
import type { Control } from "./control.ts";
import { digest } from "./pages.ts";

/** A token is remembered for so long, in milliseconds. */
const remembered = 24 * 3_600_000;

export interface Once<T> {
  /** What was answered before. */
  before?: T;
  /** To be told what is answered now. */
  answered(arns: string[]): void;
}

export function once<T>(
  control: Control,
  scope: string,
  input: { clientToken?: string | undefined },
  again: (arns: string[]) => T,
): Once<T> {
  if (input.clientToken === undefined) return { answered: () => {} };
  const key = `${scope}/${input.clientToken}`;
  const parameters = digest({ ...input, clientToken: undefined });
  const known = control.state.token.get(key);
  if (known !== undefined && known.until > control.clock.now()) {
    if (known.parameters !== parameters)
      throw new EcsError("ConflictException", "The clientToken was used before with other parameters.", {
        details: { resourceIds: known.arns },
      });
    return { before: again(known.arns), answered: () => {} };
  }
  return {
    answered: (arns) => {
      control.state.token.put({ key, parameters, arns, until: control.clock.now() + remembered });
    },
  };
}

// The plan of init for an ordinary user, who can neither become another one nor give anything to one. Pure.
import type { InitPlan } from "../../package/init-plan.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** All directories and sockets are this user's, and all programs run as init does. */
export function planForOne(plan: InitPlan, owner: Owner): InitPlan {
  return {
    ...plan,
    directories: plan.directories.map((one) => ({ ...one, ...owner })),
    programs: plan.programs.map((one) => ({ ...one, user: "" })),
    sockets: plan.sockets.map((one) => ({ ...one, ...owner })),
  };
}

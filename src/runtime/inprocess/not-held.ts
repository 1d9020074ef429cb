// What a package asks for and the in-process engine does not hold, as sentences. Pure.
import { type HealthRequest, healthRule } from "../health/rule.ts";
import type { OpenPackage } from "../image.ts";

/** None of it stops the application from running; what would is refused elsewhere. */
export function notHeld(
  { descriptor, facts, config }: Pick<OpenPackage, "descriptor" | "facts" | "config">,
  asked: HealthRequest = {},
  confined = false,
): string[] {
  const found: string[] = [];
  const limits = Object.keys(facts?.limits ?? {});
  if (limits.length > 0) found.push(`not held in process: limits of ${limits.join(", ")}`);
  if (healthRule(asked, config.healthcheck) !== undefined)
    found.push("not held in process: its health check");
  const { identity, excludes = [] } = descriptor ?? {};
  if (excludes.length > 0)
    found.push(`these programs are the host's own, outside of the package's view: ${excludes.join(", ")}`);
  if (excludes.length > 0 && confined)
    found.push("the kernel refuses them, as what is outside of its files is not executed with --confine");
  if ((identity?.addresses ?? []).length > 0)
    found.push(
      "not held in process: addresses of the old machine; `redirections.network` leads them elsewhere",
    );
  return found;
}

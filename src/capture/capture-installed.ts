// Reverse packaging: a plan from the database of installed packages, nothing is run.
import type { Machine } from "../machine/machine.ts";
import { type ApplicationOptions, describeApplication } from "./application/application.ts";
import type { Captured, CaptureTools, Choices } from "./captured.ts";
import { plan } from "./plan-capture.ts";

export interface InstalledRequest {
  machine: Machine;
  application: ApplicationOptions;
  /** Installed packages by name. */
  names: readonly string[];
  choices: Choices;
}

/** Reverse packaging: what the data base says belongs to the named installed packages, and what that needs. */
export async function captureInstalled(request: InstalledRequest, tools: CaptureTools): Promise<Captured> {
  const descriptor = await describeApplication(request.machine, request.application, (note) =>
    tools.log.warn(note),
  );
  const choices = { ...request.choices, alsoInstalled: [...request.names, ...request.choices.alsoInstalled] };
  return await plan(
    request.machine,
    descriptor,
    { evidence: undefined, schedules: request.application.services.length > 0, choices, exercised: [] },
    tools,
  );
}

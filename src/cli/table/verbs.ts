// The table of verbs: what exists, in the order in which help shows it. Each entry loads its own file when it is called.
import type { Verb } from "../verb.ts";
import { captureVerbs } from "./capture.ts";
import { clusterVerbs } from "./cluster.ts";
import { deploymentVerbs } from "./deployments.ts";
import { exportVerbs } from "./export.ts";
import { generalVerbs } from "./general.ts";
import { instanceLookVerbs } from "./instance-look.ts";
import { instanceStateVerbs } from "./instance-state.ts";
import { instanceVerbs } from "./instances.ts";
import { missVerbs } from "./misses.ts";
import { registryVerbs } from "./registry.ts";
import { resourceVerbs } from "./resources.ts";
import { roleVerbs } from "./roles.ts";
import { storeVerbs } from "./store.ts";

export const verbs: readonly Verb[] = [
  ...captureVerbs,
  ...storeVerbs,
  ...deploymentVerbs,
  ...registryVerbs,
  ...instanceVerbs,
  ...instanceStateVerbs,
  ...instanceLookVerbs,
  ...resourceVerbs,
  ...missVerbs,
  ...clusterVerbs,
  ...exportVerbs,
  ...roleVerbs,
  ...generalVerbs,
];

// All rules, in the order in which a report lists them.
import type { Rule } from "../rule.ts";
import { accessPolicies } from "./access-policies.ts";
import { architecture } from "./architecture.ts";
import { bootScripts } from "./boot-scripts.ts";
import { databases } from "./databases.ts";
import { deletedBinaries } from "./deleted-binaries.ts";
import { devices } from "./devices.ts";
import { fixedAddresses } from "./fixed-addresses.ts";
import { hostIdentity } from "./host-identity.ts";
import { kernelParts } from "./kernel-parts.ts";
import { missingLibraries } from "./missing-libraries.ts";
import { networkFileSystems } from "./network-file-systems.ts";
import { ports } from "./ports.ts";
import { schedules } from "./schedules.ts";
import { secrets } from "./secrets.ts";
import { serviceManager } from "./service-manager.ts";
import { setUid } from "./set-uid.ts";
import { sizes } from "./sizes.ts";
import { swapAndCaches } from "./swap-and-caches.ts";
import { unreadable } from "./unreadable.ts";
import { vsyscall } from "./vsyscall.ts";

export const rules: readonly Rule[] = [
  architecture,
  vsyscall,
  kernelParts,
  devices,
  missingLibraries,
  deletedBinaries,
  serviceManager,
  bootScripts,
  schedules,
  ports,
  fixedAddresses,
  hostIdentity,
  networkFileSystems,
  databases,
  sizes,
  swapAndCaches,
  secrets,
  setUid,
  accessPolicies,
  unreadable,
];

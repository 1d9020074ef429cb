// What a person asks of an instance that is to be made.
import type { Elements } from "../package/descriptor.ts";
import type { ElementOptions } from "./elements.ts";
import type { HealthRequest } from "./health/rule.ts";
import type { IdentityOptions } from "./identity/identity.ts";
import type { Limits } from "./limits/limits.ts";
import type { NetworkOptions } from "./network/plug.ts";
import type { GivenProfile } from "./oci/given-profile.ts";
import type {
  EngineName,
  InstanceDevice,
  InstanceLog,
  InstanceMount,
  InstanceSecret,
  RestartRule,
  SyscallProfile,
  TetherChoice,
} from "./record.ts";
import type { RedirectOptions } from "./redirect/choose.ts";
import type { UsernsRequest } from "./userns/request.ts";

export interface CreateOptions extends NetworkOptions {
  /** Default: namespace. */
  engine?: EngineName;
  reference: string;
  /** After the reference on the command line. */
  command: readonly string[];
  name?: string;
  entrypoint?: readonly string[];
  terminal?: boolean;
  interactive?: boolean;
  environment?: readonly string[];
  workingDirectory?: string;
  user?: string;
  identity?: IdentityOptions;
  elements?: ElementOptions;
  /** In process alone: see inprocess/led.ts. */
  logRedirections?: boolean;
  /** In process alone, goes before the descriptor's: see inprocess/users.ts. */
  users?: Elements["users"];
  /** In process alone: see inprocess/confine.ts. */
  confine?: boolean;
  redirect?: RedirectOptions;
  mounts?: readonly InstanceMount[];
  secrets?: readonly InstanceSecret[];
  limits?: Partial<Limits>;
  capAdd?: readonly string[];
  capDrop?: readonly string[];
  readOnly?: boolean;
  /** Settings of its ipc namespace. */
  sysctls?: Readonly<Record<string, string>>;
  /** Default: host. */
  userns?: UsernsRequest;
  syscalls?: SyscallProfile;
  /** Names of a learned profile, in place of the package's. */
  calls?: readonly string[];
  /** With the profile "given". */
  filter?: GivenProfile;
  noNewPrivileges?: boolean;
  groupAdd?: readonly string[];
  devices?: readonly InstanceDevice[];
  /** Instances whose mounts it has too, behind its own. */
  volumesFrom?: readonly { instance: string; readOnly: boolean }[];
  restart?: RestartRule;
  stopSignal?: string;
  /** Milliseconds. */
  stopTimeout?: number;
  log?: InstanceLog;
  health?: HealthRequest;
  labels?: Readonly<Record<string, string>>;
  /** A mode of native/trace that works here. */
  observe?: string;
  /** A descriptor to take in place of the package's own. */
  descriptorFile?: string;
  /** Packages that stand for their ids, where `links` of the descriptor names those. */
  linked?: readonly string[];
  /** Manual services that are started too. */
  services?: readonly string[];
  tether?: TetherChoice;
  autoRemove?: boolean;
  /** Is made with the id in it. */
  idFile?: string;
}

// The files of an EMP folder (the compatibility packages of AWS's End-of-Support Migration Program) and what stands in them, as the
// product's user guide describes them. Names are compared without regard to case; where the guide contradicts itself both are read.
import { type Fields, list, ownName, token, type ValueOf, words } from "./shape.ts";

const write = {
  key: token("KeyName"),
  /** "" is the default value of the key. */
  name: words("ValueName"),
  /** String, ExpandString, DWord and others. */
  type: token("Value/@ValueType"),
  value: words("Value"),
};

export const registryFields = {
  needToBeDecoded: token("@NeedToBeDecoded"),
  validateWrite: token("@ValidateWrite"),
  writes: list("Write", "key", write),
};

export const comDeploymentFields = {
  enabled: token("@Enabled"),
  servers: list("OutOfProcServers/OutOfProcServer", "path", { path: token("Path", ".") }),
};

export const environmentFields = {
  variables: list("Variable", "name", {
    name: token("@Name"),
    append: token("@Append"),
    encoded: token("@IsEncoded"),
    value: words("@Value"),
  }),
};

const program = {
  order: token("@Order"),
  preInstall: token("@PreInstall"),
  postInstall: token("@PostInstall"),
  runCondition: token("RunCondition"),
  /** Normal or Hidden. */
  windowStyle: token("ProcessWindowStyle"),
  path: token("Path"),
  arguments: token("Args"),
  workingDirectory: token("WorkingDirectory"),
  /** None or Exit. */
  wait: token("WaitCondition"),
  /** Seconds; 0 waits for ever. */
  waitTimeout: token("WaitCondition/@TimeoutInSeconds"),
};

export const programsFields = { programs: list("Program", "runCondition", program) };

export const deploymentFields = {
  install: list(["Install/Programs/Program", "Install/Program"], "path", program),
  uninstall: list(["Uninstall/Programs/Program", "Uninstall/Program"], "path", program),
};

export const servicesFields = {
  services: list("Service", "name", {
    name: token("Name"),
    imagePath: token("ImagePath"),
    description: token("Description"),
    displayName: token("DisplayName"),
    /** Automatic, Manual or Disabled. */
    startup: token("Startup"),
    startOnDeploy: token("StartOnDeploy"),
    user: token("LogOnAs/Username"),
    /** Milliseconds. */
    timeout: token("Timeout"),
  }),
};

export const shortcutsFields = {
  shortcuts: list("Shortcut", "path", {
    path: token("Path"),
    target: token("Target"),
    arguments: token("Args"),
    description: token("Description"),
    icon: token("IconLocation"),
    iconIndex: token("IconIndex"),
    workingDirectory: token("WorkingDir"),
  }),
};

const fileRules = ["FileSystem/ExactMatch", "FileSystem/FolderMatch", "ExactMatch", "FolderMatch"];
const networkRule = {
  fromIp: token("From/IP"),
  fromPort: token("From/Port"),
  toIp: token("To/IP"),
  toPort: token("To/Port"),
};

export const redirectionsFields = {
  files: list(fileRules, "from", {
    kind: ownName("ExactMatch", "FolderMatch"),
    from: token("From"),
    to: token("To"),
  }),
  keys: list(["KeyMatch", "Registry/KeyMatch", "FileSystem/KeyMatch"], "from", {
    from: token("From"),
    to: token("To"),
  }),
};

export const engineFields = {
  packageId: token("@PackageId"),
  /** Off, On or Verbose. */
  log: token("@Log"),
  logPath: token("@LogPath"),
  includes: list("Includes/Include", "path", { path: token(".") }),
  excludes: list("Excludes/Exclude", "program", { program: token(".") }),
  detaches: list("Detaches/Detach", "program", { program: token(".") }),
  classes: list("COM/CLSID", "id", {
    id: token("@ID"),
    excluded: token("@Excluded", "@Excludes"),
    connection: token("Registration/@ConnectionType"),
  }),
  features: list("Features/Feature", "name", { name: token(".") }),
  computer: token("Network/@ThisComputer"),
  names: list(["Network/DomainName", "DomainName"], "from", { from: token("From"), to: token("To") }),
  connects: list(["Connect", "Network/Connect"], "fromIp", networkRule),
  windowsMajor: token("ForceWindowsVersion/MajorVersion"),
  windowsMinor: token("ForceWindowsVersion/MinorVersion"),
  windowsBuild: token("ForceWindowsVersion/BuildNumber"),
  windowsProduct: token("ForceWindowsVersion/ProductType"),
  servicePack: token("ForceWindowsVersion/ServicePackText"),
  servicePackMajor: token("ForceWindowsVersion/ServicePackMajor"),
  servicePackMinor: token("ForceWindowsVersion/ServicePackMinor"),
  fileMappingExclusions: list("FileMappingExclusions/FileMappingExclusion", "name", { name: token(".") }),
};

export interface XmlFileSpec<F extends Fields = Fields> {
  /** The name under which the file is written; others under which it is found. */
  readonly names: readonly [string, ...string[]];
  readonly root: string;
  /** The element at its root is not known: any is taken, and several. */
  readonly anyRoot?: boolean;
  readonly fields: F;
}

/** One for each XML file. */
export const xmlFiles = {
  registry: { names: ["AppRegistry.xml"], root: "RegistryOperations", fields: registryFields },
  comRegistry: { names: ["ComRegistryKeys.xml"], root: "RegistryOperations", fields: registryFields },
  comDeployment: { names: ["ComDeployment.xml"], root: "COM", fields: comDeploymentFields },
  engine: { names: ["Compatibility.Package.Engine.clc"], root: "AAV", fields: engineFields },
  redirections: {
    names: ["Redirections.xml"],
    root: "Redirections",
    anyRoot: true,
    fields: redirectionsFields,
  },
  programs: { names: ["Programs.xml"], root: "Programs", fields: programsFields },
  services: { names: ["Services.xml"], root: "Services", fields: servicesFields },
  shortcuts: { names: ["Shortcuts.xml"], root: "Shortcuts", fields: shortcutsFields },
  associations: {
    names: ["FileAssociations.xml", "FileAssociation.xml"],
    root: "RegistryOperations",
    fields: registryFields,
  },
  environment: { names: ["EnvironmentVariables.xml"], root: "Variables", fields: environmentFields },
  deployment: { names: ["DeploymentScript.xml"], root: "Deployment", fields: deploymentFields },
} as const satisfies Record<string, XmlFileSpec>;

export type XmlFileName = keyof typeof xmlFiles;

export const metadataNames = ["_metadata.json", "metadata.json"] as const;
export const reportNames = ["Report.json"] as const;
/** The captured tree; stands for the root of the package. */
export const contentName = "ProgData";

export type RegistryWrite = ValueOf<typeof write>;
export type EmpProgram = ValueOf<typeof program>;
export type EmpService = ValueOf<(typeof servicesFields)["services"]["fields"]>;
export type EmpShortcut = ValueOf<(typeof shortcutsFields)["shortcuts"]["fields"]>;
export type FileRule = ValueOf<(typeof redirectionsFields)["files"]["fields"]>;

export type XmlValues = { [K in XmlFileName]: ValueOf<(typeof xmlFiles)[K]["fields"]> };

export interface EmpMetadata {
  packageId?: string | undefined;
  icon?: string | undefined;
  name?: string | undefined;
  version?: string | undefined;
  publisher?: string | undefined;
  awsProfileName?: string | undefined;
}

export interface EmpFinding {
  level?: string | undefined;
  category?: string | undefined;
  message?: string | undefined;
}

/** What a folder says, file by file; a file that is not there has no value. */
export interface EmpFolder extends Partial<XmlValues> {
  metadata?: EmpMetadata;
  report?: EmpFinding[];
}

// The table of rules. Their order decides only which reason comes first.
import type { ByteString } from "../../formats/entry.ts";
import type { Rule } from "../rule.ts";
import { applicationTrees } from "./application-trees.ts";
import { baseFiles } from "./base-files.ts";
import { configurationPaths } from "./configuration-paths.ts";
import { dataDirectories } from "./data-directories.ts";
import { documentRoots } from "./document-roots.ts";
import { elfClosure } from "./elf-closure.ts";
import { essentialPackages } from "./essential-packages.ts";
import { homeDirectories } from "./home-directories.ts";
import { installedPackages } from "./installed-packages.ts";
import { languagePaths } from "./language-paths.ts";
import { languageTrees } from "./language-trees.ts";
import { libcRuntime } from "./libc-runtime.ts";
import { libraryModules } from "./library-modules.ts";
import { listedDirectories } from "./listed-directories.ts";
import { loadedCandidates } from "./loaded-candidates.ts";
import { pamModules } from "./pam-modules.ts";
import { pluginDirectories } from "./plugin-directories.ts";
import { programHomes } from "./program-homes.ts";
import { scripts } from "./scripts.ts";
import { searchVariables } from "./search-variables.ts";
import { siteScripts } from "./site-scripts.ts";
import { unownedFiles } from "./unowned-files.ts";

/** What rules report besides paths. */
export interface RuleState {
  languages: Array<{ name: string; from: ByteString }>;
  packages: Set<string>;
}

export function makeRules(state: RuleState): Rule[] {
  return [
    elfClosure(),
    scripts(),
    searchVariables(),
    loadedCandidates(),
    pluginDirectories(),
    libcRuntime(),
    pamModules(),
    baseFiles(),
    installedPackages(state),
    essentialPackages(state),
    unownedFiles(state),
    languageTrees(state),
    languagePaths(),
    libraryModules(),
    applicationTrees(),
    programHomes(),
    listedDirectories(),
    documentRoots(),
    configurationPaths(),
    siteScripts(),
    dataDirectories(),
    homeDirectories(),
  ];
}

// Recipe of an init script: the daemon itself where a hint knows its foreground form, else the script as it is.
import { parseInitScript } from "../formats/sysv.ts";
import type { ServiceFact } from "./inventory.ts";
import { emptyRecipe, noRecipe, type ServiceRecipe } from "./recipe.ts";
import { foregroundOf } from "./recipe-hints.ts";
import { addDirectory, addTmpfilesDirectories } from "./runtime-directories.ts";
import { parentOf, type Source } from "./source.ts";

export async function scriptRecipe(source: Source, service: ServiceFact): Promise<ServiceRecipe> {
  const path = service.from[0] ?? "";
  const text = await source.text(path);
  if (text === undefined)
    throw noRecipe(service, `has no readable script ${path}`, "see what is at that path on the machine");
  const script = parseInitScript(text);
  const recipe = emptyRecipe(service);
  recipe.type = "forking";
  recipe.start = [path, "start"];
  recipe.stop = [path, "stop"];
  const program = script.daemon ?? (service.name === "apache2" ? "/usr/sbin/apache2" : "");
  const foreground =
    program !== "" && (await source.exists(program))
      ? await foregroundOf(source, { argv: [program], instance: "", exact: false })
      : undefined;
  if (foreground !== undefined) {
    recipe.type = "simple";
    recipe.start = foreground.argv;
    recipe.user = foreground.user ?? recipe.user;
    recipe.stopSignal = foreground.stopSignal ?? recipe.stopSignal;
    recipe.hints.push(
      foreground.why,
      `${path} was read, not run: arguments it adds from other files are not seen`,
    );
    delete recipe.stop;
    for (const directory of foreground.directories ?? []) await addDirectory(source, recipe, directory);
  } else if (script.pidFile !== undefined && !/[$`]/.test(script.pidFile)) {
    recipe.pidFile = script.pidFile;
  } else {
    throw noRecipe(
      service,
      `has a script, ${path}, that starts a daemon and names no pid file`,
      "name the command that runs it in the foreground after --, in place of --service",
    );
  }
  const pidDirectory = parentOf(script.pidFile ?? "");
  if (/^\/(var\/)?run\/[^$`]+$/.test(pidDirectory)) {
    await addDirectory(source, recipe, { path: pidDirectory, mode: 0o755, user: recipe.user, group: "root" });
  }
  await addTmpfilesDirectories(source, service, recipe);
  return recipe;
}

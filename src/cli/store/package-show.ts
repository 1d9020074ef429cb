import { stringify } from "yaml";
import { withDefaults } from "../../package/effective.ts";
import { descriptorSchema } from "../../package/schema.ts";
import { describe, parseDescriptor, readDocument } from "../../package/yaml.ts";
import type { Context } from "../context.ts";
import { printValue } from "../format.ts";
import { type Call, flag, text } from "../verb.ts";
import { packagedOf, readGiven } from "./packaged.ts";

export async function run(call: Call, context: Context): Promise<undefined> {
  const [reference = ""] = call.args;
  const file = text(call.options, "descriptor");
  const words = file === undefined ? packagedOf(context, reference).text : readGiven(file);
  const format = text(call.options, "format");
  const effective = flag(call.options, "effective");
  for (const problem of readDocument(words, descriptorSchema).unknown) context.log.warn(describe(problem));
  if (!effective && (format === undefined || format === "table" || format === "yaml")) {
    context.print(words);
    return;
  }
  const read = parseDescriptor(words, file ?? reference);
  const descriptor = effective ? withDefaults(read) : read;
  const forPeople = format === undefined || format === "table" || format === "yaml";
  context.print(forPeople ? stringify(descriptor, { lineWidth: 0 }) : printValue(descriptor, format));
}

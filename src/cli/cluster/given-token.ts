// The token with which nodes join, as the caller gives it. Not by a flag: command lines can be read by everybody.
import { readInput } from "../../host/files.ts";
import { type Call, text } from "../verb.ts";

export function givenToken(call: Call): string | undefined {
  const file = text(call.options, "tokenFile");
  const token =
    file === undefined
      ? process.env.TRANSHIP_JOIN_TOKEN
      : readInput(file, "the token", 4096)?.toString("utf8").trim();
  return token === "" ? undefined : token;
}

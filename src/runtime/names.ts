// Names for instances that were given none: adjective_noun.
import { TranshipError } from "../base/errors.ts";
import { pickOne } from "../host/random.ts";

const adjectives =
  "able agile amber ample apt ardent azure bold brave bright brisk calm candid clear clever cool coral crisp deft eager early easy even exact fair fast fine firm fond frank free fresh gentle glad golden grand great green happy hardy honest humble jolly keen kind lasting light lively loyal lucid merry mild modest neat nimble noble open patient placid plain polite prime proud pure quick quiet rapid ready rested robust sage sharp silent silver simple sleek smart smooth snug solid sound stable steady still stout strong sunny sure swift tender tidy trim true trusty upbeat usable valid vivid warm whole wise witty young zesty".split(
    " ",
  );
const nouns =
  "anchor barge basin beacon berth boat bollard boom bow bridge brig buoy cabin canal canoe capstan cargo channel clipper coast compass coracle cove crane crate crew cutter deck delta dhow dinghy dock ferry fjord fleet flag funnel galley gangway hatch harbor haven helm hold hull island isthmus jetty junk keel ketch lagoon landing lantern lighthouse liner lock lugger marina mast mooring oar pier pilot port prow quay raft rigging river rudder sail schooner sextant shoal shore skiff sloop sound spar stern strait tanker tender tide tiller trawler tug voyage wake wharf winch yacht yawl".split(
    " ",
  );

export function randomName(): string {
  return `${pickOne(adjectives) ?? ""}_${pickOne(nouns) ?? ""}`;
}

export function checkName(name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name)) return name;
  throw new TranshipError("E_USAGE", `not a name for an instance: ${JSON.stringify(name)}`, {
    hint: "use letters, digits, _ . and -, beginning with a letter or a digit",
  });
}

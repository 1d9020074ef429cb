// Operations on account settings: of a principal, with the account's default below it.
import { invalidParameter } from "../api/ecs-error.ts";
import type {
  DeleteAccountSettingRequest,
  DeleteAccountSettingResponse,
  ListAccountSettingsRequest,
  ListAccountSettingsResponse,
  PutAccountSettingDefaultRequest,
  PutAccountSettingDefaultResponse,
  PutAccountSettingRequest,
  PutAccountSettingResponse,
  Setting,
} from "../api/shapes.ts";
import type { Call } from "./control.ts";
import { page } from "./pages.ts";

const builtIn: Readonly<Record<string, string>> = {
  awsvpcTrunking: "disabled",
  containerInsights: "disabled",
  containerInstanceLongArnFormat: "enabled",
  defaultLogDriverMode: "non-blocking",
  fargateFIPSMode: "disabled",
  fargateTaskRetirementWaitPeriod: "7",
  guardDutyActivate: "off",
  serviceLongArnFormat: "enabled",
  tagResourceAuthorization: "off",
  taskLongArnFormat: "enabled",
};
const anyone = "*";

export function putAccountSetting(call: Call, input: PutAccountSettingRequest): PutAccountSettingResponse {
  return { setting: put(call, input.principalArn ?? call.principal, input.name, input.value) };
}

export function putAccountSettingDefault(
  call: Call,
  input: PutAccountSettingDefaultRequest,
): PutAccountSettingDefaultResponse {
  return { setting: put(call, anyone, input.name, input.value) };
}

function put(call: Call, principal: string, name: string, value: string): Setting {
  const right =
    name === "fargateTaskRetirementWaitPeriod"
      ? ["0", "7", "14"].includes(value)
      : name === "defaultLogDriverMode"
        ? ["blocking", "non-blocking"].includes(value)
        : ["enabled", "disabled", "on", "off", "enhanced"].includes(value);
  if (!right) throw invalidParameter(`Invalid value ${value.slice(0, 50)} for the setting ${name}.`);
  call.control.state.setting.put({ key: `${principal}/${name}`, principal, name, value });
  return shown(call, principal, name, value);
}

export function deleteAccountSetting(
  call: Call,
  input: DeleteAccountSettingRequest,
): DeleteAccountSettingResponse {
  const principal = input.principalArn ?? call.principal;
  call.control.state.setting.delete(`${principal}/${input.name}`);
  return { setting: shown(call, principal, input.name, effective(call, principal, input.name)) };
}

export function listAccountSettings(
  call: Call,
  input: ListAccountSettingsRequest,
): ListAccountSettingsResponse {
  const principal = input.principalArn ?? call.principal;
  const settings: Setting[] = [];
  for (const name of Object.keys(builtIn)) {
    if (input.name !== undefined && input.name !== name) continue;
    const own = call.control.state.setting.get(`${principal}/${name}`)?.value;
    const value = input.effectiveSettings ? effective(call, principal, name) : own;
    if (value === undefined || (input.value !== undefined && value !== input.value)) continue;
    settings.push(shown(call, principal, name, value));
  }
  const { keys, ...more } = page(
    settings.map(({ name }) => name ?? ""),
    input,
    { question: "ListAccountSettings", most: 10 },
  );
  return { settings: keys.flatMap((key) => settings.find(({ name }) => name === key) ?? []), ...more };
}

function effective(call: Call, principal: string, name: string): string {
  const { setting } = call.control.state;
  return (
    setting.get(`${principal}/${name}`)?.value ??
    setting.get(`${anyone}/${name}`)?.value ??
    builtIn[name] ??
    ""
  );
}

function shown(call: Call, principal: string, name: string, value: string): Setting {
  const principalArn = principal === anyone ? `arn:aws:iam::${call.control.account}:root` : principal;
  return { name: name as NonNullable<Setting["name"]>, value, principalArn, type: "user" };
}

import { parseBearerToken } from '../config/parse-keys.ts';
import { errnoCode } from '../config/read-text-file.ts';
import { replaceFile } from '../config/replace-file.ts';
import type { Secret } from '../config/secret.ts';
import type { ApiKey, KeyPurpose, Settings } from '../config/settings.ts';
import { SettingsError } from '../errors/problem.ts';
import { fingerprint } from '../fingerprint-secrets.ts';
import { KEYS_PAGE, lacksScope } from '../instantly/api-error.ts';
import { checkNewKey, type NewKeyFindings } from '../instantly/check-new-key.ts';
import { identifyKey } from '../instantly/identify-key.ts';
import { deploymentOf } from '../instantly/judge-scopes.ts';
import { openAccounts } from '../instantly/open-accounts.ts';
import { pause } from '../instantly/pause.ts';
import { livePresences } from '../instantly/presence.ts';
import type { InstantlyWriter } from '../instantly/writer.ts';
import { commandSettings, operatorDraft, operatorId, recordAction } from './open-store.ts';
import { note, print, printJson } from './print.ts';
import { readBytes } from './read-bytes.ts';
import { type InstantlyTools, readInstantly, reasonOf } from './with-instantly.ts';

const KEY_BYTES = 4_096;
const LOOK_MS = 500;
const CLICK = `delete it at ${KEYS_PAGE}`;

type Setting = ApiKey['setting'];

export interface ApiKeyOptions {
  readonly setting?: Setting;
  readonly from: string;
  readonly unverified?: true;
  readonly wait: number;
  readonly json?: true;
}

interface Target {
  readonly setting: Setting;
  readonly file: string;
  readonly old: Secret;
  readonly purpose: KeyPurpose;
}

/** Puts a new API key into the place of one in use. Nothing is written before it is known to be right. */
export async function rotateApiKey(options: ApiKeyOptions): Promise<void> {
  const settings = commandSettings();
  const target = chooseTarget(settings, options.setting);
  const next = await readKey(options.from, target);
  const report = await readInstantly(async (tools) => {
    const findings = await auditFailure(tools, target, 'check', async () => {
      const found = await check(tools, target, next);
      refuse(found, options.unverified === true);
      return found;
    });
    await step(tools, target, 'write');
    await auditFailure(tools, target, 'write', async () => write(target, next));
    note(`${target.file} holds the new key; waiting until the running processes use it`);
    const behind = await awaitProcesses(tools, next, options.wait);
    const revoked = behind === 0 ? await revoke(tools, target, next, findings) : false;
    await step(tools, target, revoked === true ? 'revoke' : 'keep');
    return { setting: target.setting, workspace: findings.workspace, behind, revoked: revoked === true, why: revoked };
  });
  tell(report, options.json);
}

function chooseTarget({ instantly, secretFiles }: Settings, wanted: Setting | undefined): Target {
  const { readKey, writeKey } = instantly;
  const inUse = [readKey, writeKey].filter((key) => key !== undefined);
  const names = [...new Set(inUse.map(({ setting }) => setting))];
  const setting = wanted ?? (names.length === 1 ? names[0] : undefined);
  const old = inUse.find((key) => key.setting === setting)?.secret;
  if (setting === undefined || old === undefined) {
    const list = names.length === 0 ? 'none is set' : `set are ${names.join(' and ')}`;
    throw new SettingsError([`say which API key with --setting: ${list}`]);
  }
  const file = secretFiles[setting];
  if (file === undefined) {
    throw new SettingsError([
      `${setting} is set by its value, which no command can change for a running process; write the key to a file, set ${setting}_FILE to that instead, restart, and run the command again`,
    ]);
  }
  const [reads, writes] = [readKey?.setting === setting, writeKey?.setting === setting];
  return { setting, file, old, purpose: reads && writes ? 'both' : reads ? 'reading' : 'writing' };
}

async function readKey(from: string, { setting, old }: Target): Promise<Secret> {
  const text = (await readBytes(from, KEY_BYTES)).toString('utf8').trim();
  const parsed = parseBearerToken(text);
  if (text === '' || !('value' in parsed)) {
    throw new Error(`what ${from === '-' ? 'stdin' : from} holds is no API key; give the new key and nothing else`);
  }
  if (parsed.value.reveal() === old.reveal()) throw new Error(`it is the key that ${setting} holds already`);
  return parsed.value;
}

function check(
  { settings, store, reader, signal }: InstantlyTools,
  { setting, purpose }: Target,
  next: Secret,
): Promise<NewKeyFindings> {
  const { instantly } = settings;
  const proposed = openAccounts(
    { ...instantly, readKey: { setting, secret: next }, writeKey: undefined },
    operatorId(),
    async (entry) => {
      await recordAction(store, entry);
    },
  ).reader;
  if (proposed === undefined) throw new Error('there is no key to check');
  const deployment = deploymentOf(settings.nodeEnv);
  return checkNewKey({
    next,
    current: reader,
    proposed,
    purpose,
    deployment,
    autoResume: instantly.autoResume,
    signal,
  });
}

function refuse({ workspace, scopes }: NewKeyFindings, unverified: boolean): void {
  if (workspace === 'other')
    throw new Error('the new key is of another workspace than the one in use; nothing is changed');
  const faults = (scopes ?? []).filter(({ status }) => status === 'fail').map(({ found }) => `the new key ${found}`);
  for (const { status, found } of scopes ?? []) if (status === 'warn') note(`The new key ${found}.`);
  if (workspace === 'unknown')
    faults.push('whether the new key is of the same workspace cannot be told: neither key has workspaces:read');
  if (scopes === undefined)
    note('What the new key may do cannot be told: neither key may list keys, or it is not to be told from others.');
  if (faults.length === 0) return;
  for (const fault of faults) note(fault);
  if (!unverified) throw new Error('nothing is changed; make a better key, or say --unverified');
}

function write({ file, setting }: Target, next: Secret): void {
  try {
    replaceFile(file, `${next.reveal()}\n`);
  } catch (error) {
    throw new Error(
      `${file} cannot be written (${errnoCode(error)}), so ${setting} is as it was; put the new key there by other means (in Kubernetes, into the Secret), and ${CLICK.replace('it', 'the old one')}`,
    );
  }
}

/** How many of the running processes do not use it after that many seconds. */
async function awaitProcesses(
  { settings, store, signal }: InstantlyTools,
  next: Secret,
  seconds: number,
): Promise<number> {
  const wanted = fingerprint(settings.audit.key, next);
  const deadline = performance.now() + seconds * 1_000;
  for (;;) {
    const live = await livePresences(store);
    const behind = live.filter(({ apiKeys }) => !apiKeys.includes(wanted)).length;
    if (behind === 0 || performance.now() > deadline) return behind;
    await pause(LOOK_MS, signal);
  }
}

/** Whether it did, or why not. */
async function revoke(
  tools: InstantlyTools,
  { old, setting, purpose }: Target,
  next: Secret,
  { listed }: NewKeyFindings,
): Promise<true | string> {
  const { settings, store, signal } = tools;
  const identified = identifyKey(listed, old);
  if (identified?.by !== 'key') return `it is not to be told from others in Instantly's list; ${CLICK}`;
  const current = settings.instantly.writeKey;
  const key = purpose === 'reading' ? current : { setting, secret: next };
  if (key === undefined) return `there is no key for writing; ${CLICK}`;
  const { writer } = openAccounts(
    { ...settings.instantly, readKey: undefined, writeKey: key },
    operatorId(),
    async (entry) => {
      await recordAction(store, entry);
    },
  );
  return deleteKey(writer, identified.entry.id, signal);
}

async function deleteKey(writer: InstantlyWriter | undefined, id: string, signal: AbortSignal): Promise<true | string> {
  try {
    await writer?.deleteApiKey(id, signal);
    return true;
  } catch (error) {
    if (lacksScope(error)) return `no key here has api_keys:delete; ${CLICK}`;
    return `${error instanceof Error ? error.message : 'it failed'}; ${CLICK}`;
  }
}

/** What did not come about is an entry too. */
async function auditFailure<T>(
  { store }: InstantlyTools,
  { setting }: Target,
  name: 'check' | 'write',
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await recordAction(
      store,
      operatorDraft('secret.rotate', { step: name, setting, reason: reasonOf(error) }, 'failure'),
    );
    throw error;
  }
}

function step({ store }: InstantlyTools, { setting }: Target, name: 'write' | 'revoke' | 'keep'): Promise<unknown> {
  return recordAction(store, operatorDraft('secret.rotate', { step: name, setting }));
}

interface Report {
  readonly setting: Setting;
  readonly workspace: NewKeyFindings['workspace'];
  readonly behind: number;
  readonly revoked: boolean;
  readonly why: true | false | string;
}

function tell({ setting, workspace, behind, revoked, why }: Report, json: true | undefined): void {
  const reason = behind > 0 ? `${behind} processes do not use the new one yet; once they do, ${CLICK}` : why;
  if (json) {
    printJson({ setting, workspace, behind, revoked, oldKey: typeof reason === 'string' ? reason : null });
    return;
  }
  print(`${setting} is replaced${revoked ? ', and the old key is revoked' : ''}.\n`);
  if (typeof reason === 'string') print(`The old key is still good: ${reason}.\n`);
}

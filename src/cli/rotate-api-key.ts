import type { Secret } from '../config/secret.ts';
import type { ApiKey, KeyPurpose, Settings } from '../config/settings.ts';
import { SettingsError } from '../errors/problem.ts';
import { fingerprint } from '../fingerprint-secrets.ts';
import type { NewKeyFindings } from '../instantly/check-new-key.ts';
import { identifyKey } from '../instantly/identify-key.ts';
import { pause } from '../instantly/pause.ts';
import { describeProcess, type LivePresence, livePresences } from '../instantly/presence.ts';
import { forgetReplacedKey, readReplacedKeys, rememberReplacedKey } from '../instantly/replaced-keys.ts';
import { checkApiKey, readKey, writeKey } from './new-api-key.ts';
import { commandSettings, operatorDraft, recordAction } from './open-store.ts';
import { note, print, printJson } from './print.ts';
import { printable } from './printable.ts';
import { CLICK, type OldKey, type Retired, retireApiKey } from './retire-api-key.ts';
import { type InstantlyTools, readInstantly, reasonOf } from './with-instantly.ts';

const LOOK_MS = 500;

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

/** An old key, and what is told of it where it is valid still. */
interface Leaving extends OldKey {
  readonly fingerprint: string;
  /** As people find it at Instantly; empty: it is not known. */
  readonly shown: string;
}

/**
 * Puts a new API key into the place of one in use. Nothing is written before it is known to be right. With the key that is in
 * place already it goes on where an earlier run has left the old one valid.
 */
export async function rotateApiKey(options: ApiKeyOptions): Promise<void> {
  const settings = commandSettings();
  const target = chooseTarget(settings, options.setting);
  const next = await readKey(options.from);
  const report = await readInstantly(async (tools) => {
    const placed =
      next.reveal() === target.old.reveal()
        ? { workspace: 'same' as const, leaving: await readLeft(tools, target, next) }
        : await putInPlace(tools, target, next, options.unverified === true);
    const behind = await awaitProcesses(tools, next, options.wait);
    const results: Result[] = [];
    for (const old of placed.leaving) results.push(await retire(tools, target, next, old, behind));
    await step(tools, target, results.every(({ isRevoked }) => isRevoked) ? 'revoke' : 'keep');
    return { setting: target.setting, workspace: placed.workspace, behind, results };
  });
  tell(report, options.json);
}

/** Old keys of earlier runs that may be valid still. @throws Error where there is none, so that nothing is left to do */
async function readLeft({ store, settings }: InstantlyTools, { setting }: Target, next: Secret): Promise<Leaving[]> {
  const own = fingerprint(settings.audit.key, next);
  const left = await readReplacedKeys(store, setting);
  if (!left.some(({ successor }) => successor === own)) {
    throw new Error(`it is the key that ${setting} holds already`);
  }
  // One that is in use again was put back.
  return left.filter((key) => key.fingerprint !== own).map((key) => ({ ...key, shown: show(key) }));
}

async function putInPlace(tools: InstantlyTools, target: Target, next: Secret, unverified: boolean) {
  const { store, settings } = tools;
  const { setting, file, old } = target;
  const { workspace, listed } = await auditFailure(tools, target, 'check', () =>
    checkApiKey(tools, target, next, unverified),
  );
  const [gone, successor] = [fingerprint(settings.audit.key, old), fingerprint(settings.audit.key, next)];
  const identified = identifyKey(listed, old);
  const id = identified?.by === 'key' ? identified.entry.id : null;
  const name = identified?.entry.name ?? null;
  for (const key of await readReplacedKeys(store, setting))
    if (key.fingerprint === successor) await forgetReplacedKey(store, key.id);
  if (id !== null) await rememberReplacedKey(store, { setting, id, name, fingerprint: gone, successor });
  await step(tools, target, 'write');
  await auditFailure(tools, target, 'write', async () => writeKey(target, next));
  note(`${file} holds the new key; waiting until the running processes use it`);
  const earlier = (await readReplacedKeys(store, setting)).filter((key) => key.id !== id);
  const shown = identified === undefined ? '' : show(identified.entry);
  const leaving: Leaving[] = [
    ...earlier.map((key) => ({ ...key, shown: show(key) })),
    {
      id,
      name,
      secret: old,
      fingerprint: gone,
      shown: id === null && shown !== '' ? `that seems to be ${shown}` : shown,
    },
  ];
  return { workspace, leaving };
}

function show({ id, name }: { readonly id: string; readonly name?: string | null | undefined }): string {
  return name ? `"${printable(name)}" (${id})` : id;
}

type Result = Retired & Pick<Leaving, 'id' | 'name' | 'shown'>;

async function retire(
  tools: InstantlyTools,
  { setting, purpose }: Target,
  next: Secret,
  leaving: Leaving,
  behind: readonly LivePresence[],
): Promise<Result> {
  const { instantly } = tools.settings;
  const successor = { setting, secret: next };
  const { isRevoked, why } = await retireApiKey(tools, {
    old: leaving,
    successor,
    deleting: purpose === 'reading' ? instantly.writeKey : successor,
    keep: explainKeeping(behind, otherHolder(tools, setting, leaving)),
  });
  if (why === null && leaving.id !== null) await forgetReplacedKey(tools.store, leaving.id);
  return { id: leaving.id, name: leaving.name, shown: leaving.shown, isRevoked, why };
}

/** Another setting that holds the old key. */
function otherHolder({ settings }: InstantlyTools, setting: Setting, { fingerprint: own }: Leaving) {
  const { readKey, writeKey } = settings.instantly;
  const others = [readKey, writeKey].filter((key) => key !== undefined).filter((key) => key.setting !== setting);
  return others.find(({ secret }) => fingerprint(settings.audit.key, secret) === own)?.setting;
}

function explainKeeping(behind: readonly LivePresence[], other: Setting | undefined): string | undefined {
  if (other !== undefined) return `${other} holds it too: replace it there with --setting ${other}`;
  if (behind.length === 0) return undefined;
  const list = behind.map(describeProcess).join('; ');
  return `${behind.length} of the running processes ${behind.length === 1 ? 'does' : 'do'} not use the new key: ${list}. Give it to them or stop them (one that has crashed is forgotten after ten minutes), then run the command again with the same key, or ${CLICK}`;
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

/** Those that do not use it after that many seconds. A worker may do without any key. */
async function awaitProcesses(
  { settings, store, signal }: InstantlyTools,
  next: Secret,
  seconds: number,
): Promise<LivePresence[]> {
  const wanted = fingerprint(settings.audit.key, next);
  const deadline = performance.now() + seconds * 1_000;
  for (;;) {
    const live = await livePresences(store);
    const behind = live.filter(
      ({ apiKeys, role, isKnown }) =>
        !apiKeys.includes(wanted) && !(isKnown && role === 'worker' && apiKeys.length === 0),
    );
    if (behind.length === 0 || performance.now() > deadline) return behind;
    await pause(LOOK_MS, signal);
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
  readonly behind: readonly LivePresence[];
  readonly results: readonly Result[];
}

function tell({ setting, workspace, behind, results }: Report, json: true | undefined): void {
  const valid = results.filter(({ why }) => why !== null);
  // Before anything is printed: a reader that goes away must not turn a failure into a success.
  process.exitCode = valid.length + behind.length > 0 ? 1 : 0;
  const revoked = results.length > 0 && results.every(({ isRevoked, why }) => isRevoked && why === null);
  if (json) {
    printJson({
      setting,
      workspace,
      behind: behind.length,
      processes: behind.map(describeProcess),
      revoked,
      oldKey: valid[0]?.why ?? null,
      stillValid: valid.map(({ id, name, why }) => ({ id, name, why })),
    });
    return;
  }
  const end = revoked
    ? ', and the old key is revoked'
    : valid.length === 0
      ? ', and the old key is not valid any more'
      : '';
  print(`${setting} is replaced${end}.\n`);
  for (const { shown, why } of valid) print(`The old key${shown === '' ? '' : ` ${shown}`} is still valid: ${why}.\n`);
  if (valid.length === 0 && behind.length > 0)
    print(`Running processes do not use the new key: ${behind.map(describeProcess).join('; ')}.\n`);
}

import { parseBearerToken } from '../config/parse-keys.ts';
import { errnoCode } from '../config/read-text-file.ts';
import { replaceFile } from '../config/replace-file.ts';
import type { Secret } from '../config/secret.ts';
import type { ApiKey, KeyPurpose } from '../config/settings.ts';
import { checkNewKey, type NewKeyFindings } from '../instantly/check-new-key.ts';
import { deploymentOf } from '../instantly/judge-scopes.ts';
import { openAccounts } from '../instantly/open-accounts.ts';
import { operatorId, recordAction } from './open-store.ts';
import { note } from './print.ts';
import { readBytes } from './read-bytes.ts';
import { CLICK } from './retire-api-key.ts';
import type { InstantlyTools } from './with-instantly.ts';

const KEY_BYTES = 4_096;

/** @throws Error where it is no API key and nothing else */
export async function readKey(from: string): Promise<Secret> {
  const text = (await readBytes(from, KEY_BYTES)).toString('utf8').trim();
  const parsed = parseBearerToken(text);
  if (text === '' || !('value' in parsed)) {
    throw new Error(`what ${from === '-' ? 'stdin' : from} holds is no API key; give the new key and nothing else`);
  }
  return parsed.value;
}

/** @throws Error where it is no key to be put into place; InstantlyApiError */
export async function checkApiKey(
  tools: InstantlyTools,
  key: { readonly setting: ApiKey['setting']; readonly purpose: KeyPurpose },
  next: Secret,
  unverified: boolean,
): Promise<NewKeyFindings> {
  const found = await check(tools, key, next);
  refuse(found, unverified);
  return found;
}

function check(
  { settings, store, reader, signal }: InstantlyTools,
  { setting, purpose }: { readonly setting: ApiKey['setting']; readonly purpose: KeyPurpose },
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

function refuse({ workspace, scopes, isCurrentGone }: NewKeyFindings, unverified: boolean): void {
  if (workspace === 'other')
    throw new Error('the new key is of another workspace than the one in use; nothing is changed');
  const faults = (scopes ?? []).filter(({ status }) => status === 'fail').map(({ found }) => `the new key ${found}`);
  for (const { status, found } of scopes ?? []) if (status === 'warn') note(`The new key ${found}.`);
  if (workspace === 'unknown')
    faults.push(
      isCurrentGone
        ? 'whether the new key is of the same workspace cannot be told: Instantly does not know the key in use any more'
        : 'whether the new key is of the same workspace cannot be told: neither key has workspaces:read',
    );
  if (scopes === undefined)
    note('What the new key may do cannot be told: neither key may list keys, or it is not to be told from others.');
  if (faults.length === 0) return;
  for (const fault of faults) note(fault);
  if (!unverified) throw new Error('nothing is changed; make a better key, or say --unverified');
}

export function writeKey(
  { file, setting }: { readonly file: string; readonly setting: ApiKey['setting'] },
  next: Secret,
): void {
  try {
    replaceFile(file, `${next.reveal()}\n`);
  } catch (error) {
    throw new Error(
      `${file} cannot be written (${errnoCode(error)}), so ${setting} is as it was; put the new key there by other means (in Kubernetes, into the Secret), and ${CLICK.replace('it', 'the old one')}`,
    );
  }
}

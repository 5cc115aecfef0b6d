import { tokenId } from '../../authenticate/index.ts';
import type { Settings } from '../../config/settings.ts';
import { fingerprintSecrets } from '../../fingerprint-secrets.ts';
import { identifyKey } from '../../instantly/identify-key.ts';
import { identifyTokens, isReplaced, mintedTokensAt, readTokenBook } from '../../instantly/token-book.ts';
import { explainRotation } from '../../secret-ages.ts';
import { type Check, type Finding, ok, Skipped, skip, warn } from './check.ts';
import { type Context, settingsOf, storeOf } from './context.ts';
import { InstantlyLook } from './look-at-instantly.ts';
import { showSpan } from './show-span.ts';

interface AgedSecret {
  readonly name: string;
  /** Epoch milliseconds; `undefined`: unknown. */
  readonly since: number | undefined;
}

/** How long each secret has been in use. The key of the audit log is left out: what it sealed can be verified by no other. */
export const secretAgeCheck: Check = {
  name: 'secret age',
  needs: ['AUDIT_KEY', 'SECRET_MAX_AGE_DAYS'],
  run: async (context) => {
    const settings = settingsOf(context);
    const aged = await listAges(context, settings);
    const now = Date.now();
    const unknown = aged.filter(({ since }) => since === undefined).map(({ name }) => name);
    const known = aged.flatMap(({ name, since }) => (since === undefined ? [] : [{ name, age: now - since }]));
    const old = known.filter(({ age }) => age > settings.secretMaxAgeMs);
    const findings: Finding[] = old.map(({ name, age }) =>
      warn(
        `${name} is ${showSpan(age)} old, and SECRET_MAX_AGE_DAYS is ${days(settings.secretMaxAgeMs)}`,
        explainRotation(name),
      ),
    );
    const oldest = known.toSorted((a, b) => b.age - a.age)[0];
    if (old.length === 0 && oldest !== undefined) {
      findings.push(ok(`the oldest, ${oldest.name}, has been in use for ${showSpan(oldest.age)}`));
    }
    if (unknown.length > 0) {
      findings.push(
        skip(`unknown for ${unknown.join(', ')}`, 'start the receiver with it: the age counts from then on'),
      );
    }
    return findings.length > 0 ? findings : [ok('no secret is in use yet')];
  },
};

async function listAges(context: Context, settings: Settings): Promise<AgedSecret[]> {
  const store = storeOf(context);
  if (!('AUDIT_KEY' in settings.secretOrigins)) {
    throw new Skipped('the secrets cannot be told apart without AUDIT_KEY', 'set AUDIT_KEY to that of the receiver');
  }
  const { book } = await readTokenBook(store, settings.audit.key);
  const replaced = (await identifyTokens(settings, book))
    .filter((token) => isReplaced(book, token))
    .map(({ fingerprint }) => fingerprint);
  const inUse = [...fingerprintSecrets(settings)].filter(
    ([name, fingerprint]) => name !== 'AUDIT_KEY' && !replaced.includes(fingerprint),
  );
  const minted = mintedTokensAt(book, Date.now()).filter(({ acceptUntil }) => acceptUntil === null);
  const seen = await store.findFirstSeen(inUse.map(([, fingerprint]) => fingerprint));
  const made = await keysMadeAt(context, settings);
  return [
    ...inUse.map(([name, fingerprint]) => ({ name, since: made.get(name) ?? seen.get(fingerprint) })),
    ...minted.map(({ fingerprint, madeAt }) => ({ name: `rotated-token:${tokenId(fingerprint)}`, since: madeAt })),
  ];
}

/** Instantly knows when its keys were made, which is before we first saw them. */
async function keysMadeAt({ instantly }: Context, settings: Settings): Promise<Map<string, number>> {
  const made = new Map<string, number>();
  if (!(instantly instanceof InstantlyLook)) return made;
  // What keeps it from being listed, other checks tell.
  const listed = await instantly.apiKeys().catch(() => []);
  for (const key of [settings.instantly.readKey, settings.instantly.writeKey]) {
    const entry = key && identifyKey(listed, key.secret)?.entry;
    const at = Date.parse(entry?.timestamp_created ?? '');
    if (key !== undefined && !Number.isNaN(at)) made.set(key.setting, at);
  }
  return made;
}

function days(milliseconds: number): number {
  return Math.round(milliseconds / 86_400_000);
}

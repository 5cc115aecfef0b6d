import type { Secret } from '../../config/secret.ts';
import type { Settings } from '../../config/settings.ts';
import { KEYS_PAGE } from '../../instantly/api-error.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';
import { settingsOf } from './context.ts';
import { findWeakness, type Weakness } from './secret-strength.ts';

const WORDS: Readonly<Record<Weakness, string>> = {
  short: 'is so short that it can be guessed by trying',
  placeholder: 'is a placeholder that nobody has replaced, or names a secret in place of being one',
  guessable: 'holds so little chance that it can be guessed',
};

const KINDS: Readonly<Record<string, string>> = {
  INSTANTLY_WEBHOOK_TOKEN: 'token',
  INSTANTLY_SECRET: 'signature',
  AUDIT_KEY: 'audit',
  METRICS_TOKEN: 'metrics',
  ADMIN_TOKEN: 'admin',
};

interface NamedSecret {
  readonly setting: string;
  /** With its position, where there are several. */
  readonly name: string;
  readonly text: string;
}

/** Whether the secrets can be guessed. In production what can is a failure: it protects nothing. */
export const secretsCheck: Check = {
  name: 'secrets',
  needs: [],
  run: (context) => {
    const settings = settingsOf(context);
    const secrets = listSecrets(settings);
    const make = settings.production ? fail : warn;
    const findings = [...findWeak(secrets, make), ...findShared(secrets, make)];
    if (findings.length > 0) return findings;
    return [ok(secrets.length === 0 ? 'none is set yet' : `${secrets.length} in use, none that can be guessed`)];
  },
};

/** What this check says by itself of every secret, the settings warn of for some. */
export function isAboutStrength(warning: string): boolean {
  return /can be guessed|hold the same value/.test(warning);
}

function listSecrets({ authentication, audit, instantly, secretOrigins, ...settings }: Settings): NamedSecret[] {
  const { readKey, writeKey } = instantly;
  return [
    ...name('INSTANTLY_WEBHOOK_TOKEN', authentication.tokens),
    ...name('INSTANTLY_SECRET', authentication.signatureKeys),
    // Where there is none, reading it throws.
    ...('AUDIT_KEY' in secretOrigins ? name('AUDIT_KEY', [audit.key]) : []),
    ...name('METRICS_TOKEN', [settings.metricsToken]),
    ...name('ADMIN_TOKEN', [settings.adminToken]),
    ...(readKey === undefined ? [] : name(readKey.setting, [readKey.secret])),
    ...(writeKey === undefined || writeKey.setting === readKey?.setting
      ? []
      : name(writeKey.setting, [writeKey.secret])),
  ];
}

function name(setting: string, secrets: readonly (Secret | undefined)[]): NamedSecret[] {
  return secrets.flatMap((secret, index) =>
    secret === undefined
      ? []
      : [
          {
            setting,
            name: secrets.length > 1 ? `${setting} at position ${index + 1}` : setting,
            // What stands before the base64 is the same in every key of that form.
            text: secret.reveal().replace(/^whsec_/, ''),
          },
        ],
  );
}

function findWeak(secrets: readonly NamedSecret[], make: typeof fail): Finding[] {
  return secrets.flatMap(({ setting, name: whole, text }) => {
    const weakness = findWeakness(text);
    return weakness === undefined ? [] : [make(`${whole} ${WORDS[weakness]}`, remedyFor(setting))];
  });
}

function remedyFor(setting: string): string {
  const kind = KINDS[setting];
  if (kind === undefined) return `make a key at ${KEYS_PAGE}`;
  return `make one with the command "secrets new --kind ${kind}"`;
}

/** The two API keys may be one: what that means their own check says. */
function findShared(secrets: readonly NamedSecret[], make: typeof fail): Finding[] {
  const findings: Finding[] = [];
  for (const [index, one] of secrets.entries()) {
    const twin = secrets
      .slice(0, index)
      .find(({ text, setting }) => text === one.text && !(isApiKey(setting) && isApiKey(one.setting)));
    if (twin === undefined) continue;
    findings.push(
      make(`${twin.name} and ${one.name} hold the same value: who sees one has the other`, 'give each its own'),
    );
  }
  return findings;
}

function isApiKey(setting: string): boolean {
  return setting.endsWith('_KEY') && setting.startsWith('INSTANTLY_');
}

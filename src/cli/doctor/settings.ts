import { MISSING_AUDIT_KEY } from '../../config/check-together.ts';
import { isAboutModes } from '../../config/find-loose-modes.ts';
import type { Settings } from '../../config/settings.ts';
import { type Check, type Finding, fail, ok, warn } from './check.ts';
import { type Context, deployment } from './context.ts';
import { isAboutDotEnv } from './dot-env.ts';
import { isAboutStrength } from './secrets.ts';
import { splitFault } from './split-fault.ts';

const CORRECT = 'correct it in the environment or in .env';

/** Every fault and every warning that a start would tell. */
export const settingsCheck: Check = {
  name: 'settings',
  needs: [],
  run: (context) => {
    const { faults, settings } = context.examined;
    const findings: Finding[] = [
      ...faults.map((fault) => asFinding(fail, fault)),
      ...(settings === undefined ? [] : judge(settings, context)),
    ];
    return findings.length > 0 ? findings : [ok(`all can be used; it runs as ${deployment(context)}`)];
  },
};

function judge(settings: Settings, { examined }: Context): Finding[] {
  const { authentication, role, production, store, secretOrigins } = settings;
  const findings: Finding[] = [];
  const hasCredential = authentication.tokens.length + authentication.signatureKeys.length > 0;
  const isLeftOut = examined.leftOut.has('INSTANTLY_WEBHOOK_TOKEN') || examined.leftOut.has('INSTANTLY_SECRET');
  if (production && role !== 'worker' && !hasCredential && !isLeftOut) {
    findings.push(
      fail(
        'NODE_ENV is production, and neither INSTANTLY_WEBHOOK_TOKEN nor INSTANTLY_SECRET is set: it will not start',
        'the command "secrets new" makes one',
      ),
    );
  }
  if (
    production &&
    store.kind === 'postgres' &&
    !('AUDIT_KEY' in secretOrigins) &&
    !examined.leftOut.has('AUDIT_KEY')
  ) {
    findings.push(asFinding(fail, MISSING_AUDIT_KEY));
  }
  const warnings = settings.warnings.filter((warning) => !isAboutStrength(warning) && !isAboutDotEnv(warning));
  const make = (warning: string): typeof fail => (production && isAboutModes(warning) ? fail : warn);
  return [...findings, ...warnings.map((warning) => asFinding(make(warning), warning))];
}

function asFinding(make: typeof fail, line: string): Finding {
  const { found, fix } = splitFault(line, CORRECT);
  return make(found, fix);
}

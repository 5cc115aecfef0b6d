import { apiKeysCheck } from './api-keys.ts';
import type { Check } from './check.ts';
import { clockCheck } from './clock.ts';
import { deliveriesCheck, eventsCheck, quarantineCheck } from './deliveries.ts';
import { diskCheck } from './disk.ts';
import { dotEnvCheck } from './dot-env.ts';
import { instantlyCheck } from './instantly.ts';
import { publicUrlCheck } from './public-url.ts';
import { receiversCheck } from './receivers.ts';
import { registrationCheck } from './registration.ts';
import { rotationCheck } from './rotation.ts';
import { scanCheck } from './scan.ts';
import { secretAgeCheck } from './secret-age.ts';
import { secretsCheck } from './secrets.ts';
import { settingsCheck } from './settings.ts';
import { spillCheck } from './spill.ts';
import { auditLogCheck, storeCheck } from './store.ts';
import { watchCheck } from './watch.ts';

/** In the order in which they are printed: what others go by comes first. */
export const CHECKS: readonly Check[] = [
  settingsCheck,
  dotEnvCheck,
  secretsCheck,
  secretAgeCheck,
  scanCheck,
  storeCheck,
  auditLogCheck,
  diskCheck,
  spillCheck,
  receiversCheck,
  deliveriesCheck,
  quarantineCheck,
  eventsCheck,
  publicUrlCheck,
  instantlyCheck,
  apiKeysCheck,
  clockCheck,
  registrationCheck,
  rotationCheck,
  watchCheck,
];

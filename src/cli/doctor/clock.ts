import { type Check, fail, ok, Skipped, warn } from './check.ts';
import { instantlyOf, settingsOf } from './context.ts';

const NOTICED_MS = 30_000;
const FIX = 'have the clock of this machine set by a time server (NTP)';

/** Whether this machine's clock goes with Instantly's. */
export const clockCheck: Check = {
  name: 'clock',
  needs: [
    'DATABASE_URL',
    'INSTANTLY_API_URL',
    'INSTANTLY_API_KEY',
    'INSTANTLY_READ_KEY',
    'INSTANTLY_SIGNATURE_TOLERANCE_SECONDS',
  ],
  run: async (context) => {
    const { toleranceSeconds } = settingsOf(context).authentication;
    const instantly = instantlyOf(context);
    await instantly.reach();
    const { clockSkewMs: skew } = instantly.reader;
    if (skew === undefined) throw new Skipped("Instantly's answers do not tell its time", 'look again later');
    const seconds = Math.round(Math.abs(skew) / 1_000);
    const said = `this machine's clock is ${seconds} s ${skew > 0 ? 'behind' : 'ahead of'} Instantly's`;
    if (seconds > toleranceSeconds) {
      const limit = `INSTANTLY_SIGNATURE_TOLERANCE_SECONDS (${toleranceSeconds})`;
      return [fail(`${said}, more than ${limit}: signed requests are refused`, FIX)];
    }
    return [Math.abs(skew) > NOTICED_MS ? warn(said, FIX) : ok(seconds < 2 ? "it goes with Instantly's" : said)];
  },
};

import { type Check, ok } from './check.ts';
import { instantlyOf } from './context.ts';
import { failedCall } from './split-fault.ts';

/** Whether Instantly answers, and lets us see our webhooks. */
export const instantlyCheck: Check = {
  name: 'instantly',
  needs: ['DATABASE_URL', 'INSTANTLY_API_URL', 'INSTANTLY_API_KEY', 'INSTANTLY_READ_KEY'],
  run: async (context) => {
    const instantly = instantlyOf(context);
    try {
      await instantly.webhooks();
      return [ok(`it answers, and knows the key in ${instantly.reader.setting}`)];
    } catch (error) {
      return [failedCall(error)];
    }
  },
};

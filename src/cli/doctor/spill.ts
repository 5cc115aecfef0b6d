import { countSpilled } from '../../stores/spill/count-spilled.ts';
import { count } from '../print.ts';
import { type Check, ok, warn } from './check.ts';
import { settingsOf } from './context.ts';

/** Whether this machine holds events that PostgreSQL has not. */
export const spillCheck: Check = {
  name: 'spill',
  needs: ['DATABASE_URL', 'SPILL_DATABASE_URL'],
  run: (context) => {
    const { store } = settingsOf(context);
    if (store.kind === 'sqlite') return [ok('none is used: events are in the file of the store at once')];
    const { file } = store.spill;
    const events = countSpilled(file) ?? 0;
    if (events === 0) return [ok('empty: PostgreSQL has everything')];
    return [
      warn(
        `${count(events, 'event')} in ${file}, still to be moved to PostgreSQL`,
        'a receiver moves them by itself once PostgreSQL answers; "store drain FILE" empties one that was left behind',
      ),
    ];
  },
};

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from '@jest/globals';
import { checkStore, NO_FAULTS } from '../support/check-store.ts';
import { TOKEN } from '../support/credentials.ts';
import { runCommand } from '../support/run-command.ts';
import { spawnReceiver } from '../support/spawn-receiver.ts';
import { SteadyLoad } from '../support/steady-load.ts';

const ROUNDS = 3;
const CLIENTS = 16;

test('commands at work on the file of a receiver under load cost it no answer, and find it whole', async () => {
  const receiver = await spawnReceiver({ INSTANTLY_WEBHOOK_TOKEN: TOKEN });
  const load = new SteadyLoad(CLIENTS);
  try {
    await load.aim(receiver.port);
    for (let round = 0; round < ROUNDS; round += 1) {
      const copy = join(receiver.folder, `copy-${round}.db`);
      const commands = [
        ['events', 'list', '--json', '--limit', '500'],
        ['audit', 'verify', '--json'],
        ['audit', 'tail', '--json'],
        ['backup', copy],
      ];
      const ran = await Promise.all(commands.map((words) => runCommand(receiver.folder, words)));
      expect(ran.map(({ code, stderr }) => [code, stderr])).toEqual(ran.map(() => [0, expect.any(String)]));
      const db = new DatabaseSync(copy);
      expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
      db.close();
    }
    expect(load.answers.filter(({ status }) => status !== 200)).toEqual([]);
    receiver.child.kill('SIGKILL');
    await Promise.all([receiver.ended, load.end()]);
    const { faults, audit } = await checkStore(receiver.folder, load.events);
    expect(faults).toEqual(NO_FAULTS);
    expect(audit).toMatchObject({ ok: true });
  } finally {
    await load.end();
    await receiver.stop();
  }
}, 60_000);

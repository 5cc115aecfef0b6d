import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineHandler } from 'instantly-webhook-receiver';

// An example: keeps a file for each lead whose mail bounced or who has unsubscribed, in the folder that SUPPRESSION_DIR
// names. Without that variable it does nothing.

const folder = process.env['SUPPRESSION_DIR'];

export default defineHandler({
  name: 'suppress-leads',
  events: ['email_bounced', 'lead_unsubscribed'],
  // Events of one lead come one after the other, in the order received, because `ordered: false` is not said here.

  async handle(event, { signal, idempotencyKey, outOfOrder }) {
    if (folder === undefined || event.lead === undefined) return;

    // Called at least once for each event, so what it does must bear repeating: writing the same file again does.
    // Where something does not (a message, a charge), pass on `idempotencyKey`, which stays the same in every attempt.
    const file = join(folder, createHash('sha256').update(event.lead).digest('hex'));
    const entry = { type: event.type, receivedAt: event.receivedAt, idempotencyKey, outOfOrder };

    // Aborted when the time is over: whatever takes a signal (fetch does) should get it. What throws is tried again.
    await mkdir(folder, { recursive: true });
    await writeFile(file, JSON.stringify(entry), { signal });
  },
});

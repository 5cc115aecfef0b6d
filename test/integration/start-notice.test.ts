import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { spawnReceiver } from '../support/spawn-receiver.ts';

test('the first start says where to post, how it is proven, where data and secrets lie, and never what they are', async () => {
  const running = await spawnReceiver({});
  try {
    // The notice goes out in the same turn as the log line that the port was read from.
    while (!running.stderr().includes('cli -- send')) await new Promise((resolve) => setTimeout(resolve, 10));
    const notice = running.stderr();
    expect(notice).toContain(`http://localhost:${running.port}/webhooks/instantly`);
    expect(notice).toContain('the shared token in x-webhook-secret or the signature (body) in x-instantly-signature');
    expect(notice).toContain(running.file);
    const curl = /curl -H "x-webhook-secret: \$\(cat '([^']+)'\)" -d '([^']+)' (\S+)/.exec(notice);
    const token = readFileSync(join(running.folder, curl?.[1] ?? ''), 'utf8').trim();
    const answer = await fetch(curl?.[3] ?? '', {
      method: 'POST',
      headers: { 'x-webhook-secret': token },
      body: curl?.[2] ?? '',
      signal: AbortSignal.timeout(5_000),
    });
    expect([answer.status, await answer.json()]).toEqual([200, expect.objectContaining({ status: 'accepted' })]);
    for (const name of ['webhook-token', 'instantly-secret', 'audit-key']) {
      expect(notice).toContain(join(running.folder, 'data', name));
      const secret = readFileSync(join(running.folder, 'data', name), 'utf8').trim();
      expect(secret.length).toBeGreaterThan(16);
      expect(notice + JSON.stringify(running.log.lines)).not.toContain(secret);
    }
  } finally {
    await running.stop();
  }
});

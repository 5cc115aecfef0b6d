import type { RawAnswer } from './parse-answer.ts';
import { RawClient } from './raw-client.ts';
import type { RunningReceiver } from './start-receiver.ts';

/** Runs a conversation on one connection, which is gone afterwards. */
export async function converse<Result>(
  { port }: Pick<RunningReceiver, 'port'>,
  talk: (client: RawClient) => Promise<Result>,
): Promise<Result> {
  const client = await RawClient.connect(port);
  try {
    return await talk(client);
  } finally {
    client.destroy();
  }
}

/** All answers that come until the connection ends. */
export async function answersUntilClosed(client: RawClient): Promise<RawAnswer[]> {
  const answers: RawAnswer[] = [];
  for (;;) {
    const answer = await client.answer();
    if (answer === undefined) return answers;
    answers.push(answer);
  }
}

/** Polls: for what no event tells. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

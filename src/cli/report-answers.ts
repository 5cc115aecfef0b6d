import type { Answer } from './post-event.ts';
import { note, printJson, printTable } from './print.ts';
import type { AnswerTally } from './tally-answers.ts';

export interface SentAnswer extends Answer {
  readonly type: string;
}

interface ReportOptions {
  readonly json?: true;
}

export function reportAnswers(answers: readonly SentAnswer[], url: URL, { json }: ReportOptions): void {
  if (json) {
    printJson(answers.map(({ type, status, answer, id, ms }) => ({ type, status, answer, id, ms })));
  } else {
    printTable(
      ['type', 'status', 'answer', 'id', 'ms'],
      answers.map(({ type, status, answer, id, ms }) => [type, status, answer, id, ms]),
    );
  }
  explain(answers, url);
}

export function reportTally(tally: AnswerTally, url: URL, seconds: number, { json }: ReportOptions): void {
  const answers = tally.counts();
  const round = (value: number): number => Math.round(value * 100) / 100;
  const facts = {
    sent: tally.total,
    seconds: round(seconds),
    perSecond: round(tally.total / seconds),
    p50Ms: round(tally.percentile(50)),
    p99Ms: round(tally.percentile(99)),
  };
  if (json) {
    printJson({ url: showUrl(url), ...facts, answers });
  } else {
    printTable(
      ['status', 'answer', 'count'],
      answers.map((kind) => [kind.status, kind.answer, kind.count]),
    );
    printTable(
      ['sent', 'seconds', 'per second', 'p50 ms', 'p99 ms'],
      [[facts.sent, facts.seconds, facts.perSecond, facts.p50Ms, facts.p99Ms]],
    );
  }
  explain(answers, url);
}

/** A query may hold a token. */
function showUrl({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

/** What the usual failures mean, told once. */
function explain(answers: readonly Pick<Answer, 'status' | 'answer'>[], url: URL): void {
  const has = (test: (answer: Pick<Answer, 'status' | 'answer'>) => boolean): boolean => answers.some(test);
  if (has(({ status }) => status === null)) note(`No answer came from ${showUrl(url)}: is the receiver running there?`);
  if (has(({ status }) => status === 401))
    note('401: the secrets in the settings of this folder are not those of the receiver.');
  if (has(({ status }) => status === 404)) note(`404: ${url.pathname} is not the WEBHOOK_PATH of the receiver.`);
}

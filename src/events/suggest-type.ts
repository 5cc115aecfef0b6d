import { closestName, sameName } from '../config/suggest-name.ts';
import { CANONICAL_TYPES, type CanonicalType, canonicalType, TYPE_ALIASES, UNKNOWN_TYPE } from './names.ts';

/** Names by which an event can be meant: the payload's and the subscription's. */
const NAMES: readonly string[] = [...CANONICAL_TYPES, ...TYPE_ALIASES, UNKNOWN_TYPE];

/** Words that public code adds to or leaves out of a name: `email_replied`, `lead.reply`, `EMAIL_LINK_CLICK`. */
const IDLE_WORDS: ReadonlySet<string> = new Set(
  [
    'email',
    'mail',
    'message',
    'lead',
    'contact',
    'prospect',
    'event',
    'webhook',
    'instantly',
    'link',
    'received',
    'new',
  ].map(stem),
);

/** Names for a type that have no word of its own name in them. */
const OTHER_NAMES: readonly (readonly [string, CanonicalType | '*'])[] = [
  ['unsub', 'lead_unsubscribed'],
  ['opt out', 'lead_unsubscribed'],
  ['optout', 'lead_unsubscribed'],
  ['ooo', 'lead_out_of_office'],
  ['out office', 'lead_out_of_office'],
  ['response', 'reply_received'],
  ['responded', 'reply_received'],
  ['automatic reply', 'auto_reply_received'],
  ['autoreply', 'auto_reply_received'],
  ['booked', 'lead_meeting_booked'],
  ['meeting', 'lead_meeting_booked'],
  ['meeting scheduled', 'lead_meeting_booked'],
  ['campaign finished', 'campaign_completed'],
  ['all', '*'],
  ['any', '*'],
  ['every', '*'],
  ['everything', '*'],
];

const TYPES_BY_WORDS: ReadonlyMap<string, CanonicalType | '*'> = new Map(
  [...OTHER_NAMES, ...CANONICAL_TYPES.map((type) => [type, type] as const)].map(([name, type]) => [
    keyWords(name),
    type,
  ]),
);

/** The canonical type, or `unknown`, that a text names apart from case and separators; `undefined`: it names none. */
export function readType(text: string): string | undefined {
  const name = sameName(text, NAMES);
  return name === undefined ? undefined : canonicalType(name);
}

/**
 * The canonical type that a text was likely meant to name: one that differs in case or separators, is mistyped, or is
 * known by another name in public code. `*`: all types. `undefined`: it resembles none, as a custom label does.
 */
export function suggestType(text: string): string | undefined {
  const named = readType(text) ?? TYPES_BY_WORDS.get(keyWords(text)) ?? closestName(text, NAMES);
  return named === undefined ? undefined : canonicalType(named);
}

/** As `suggestType`, for the name of a sample. */
export function suggestSample(text: string): string | undefined {
  const meant = closestName(text, ['custom_label']) ?? suggestType(text);
  return meant === undefined || meant === '*' || meant === UNKNOWN_TYPE ? undefined : meant;
}

/** The stems of a text's words, without idle ones, in order of the alphabet. */
function keyWords(text: string): string {
  const words = text
    .slice(0, 200)
    .normalize('NFKC')
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .map(stem)
    .filter((word) => !IDLE_WORDS.has(word));
  return [...new Set(words)].toSorted().join(' ');
}

/** `replied`, `replies` and `reply` are one, and so are `opened` and `open`, `sent` and `send`. */
function stem(word: string): string {
  if (word === 'sent') return 'send';
  return word
    .replace(/(?:ied|ies|y)$/, 'i')
    .replace(/(?:ings?|ed|es|s|e)$/, '')
    .replace(/([npt])\1$/, '$1');
}

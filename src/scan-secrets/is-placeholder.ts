/** What people write where a secret is to be put, or for a test. Long ones first, or a short one would hide them. */
const WORDS =
  'placeholder|instantly|undefined|changeit|password|postgres|receiver|changeme|webhook|replace|example|metrics|insert|please|secret|change|sample|foobar|value|dummy|admin|audit|token|false|here|demo|fake|goes|null|none|some|test|that|this|todo|true|user|with|your|api|bar|baz|foo|key|new|old|pass|the|xxx';

const ANYWHERE = new RegExp(WORDS, 'g');
/** `key-of-sixteen-or-more`: words alone, one of which says what it stands for. */
const TELLING =
  /^(?:placeholder|password|changeme|replace|example|secret|change|sample|dummy|token|fake|here|test|your|key|todo|insert)s?$/;

/** A variable, a command, a group of a regular expression, a template, a tag of YAML, a call, an address of a vault. */
const REFERENCE =
  /^\$[\w({]|^\((?:\.[*+?]|\\[SswWdD]|\[\^?[\w\\"']|\?[:=!<])|\$\{|\$\(|\{\{|<%|^%\w+%$|^!\w+$|^<.*>$|^\[.*\]$|^\{.*\}$|^`|^[\w.]+[([]|:\/\/|^(?:process|os|env|import|vars|secrets?|config|settings)\./;
/** `YOUR_TOKEN`, `SOME_OTHER_SETTING`. */
const NAME = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/;
const PATH = /^(?:[a-z]:\\|~?\/|\.{1,2}\/)[\w.\\/ -]*$/i;
const ELLIPSIS = /…|\.\.\.|\*{3}/;
/** Characters. */
const LEAST = 6;
/** Characters of a secret of 16 bytes in base64; and, of those, how many runs of one kind a path may have for each. Chance gives
 * 0.65, and less than this once in two hundred. */
const LEAST_RANDOM = 20;
const MOST_RUNS = 0.35;
/** What may be left of a text without the words, for it to be nothing but words. */
const RESIDUE = 4;

/** Whether a text stands in for a secret, or tells where to find it, rather than being one. */
export function isPlaceholder(text: string): boolean {
  const value = text.trim();
  if (value.length < LEAST || [ELLIPSIS, REFERENCE, NAME].some((form) => form.test(value))) return true;
  if (PATH.test(value) && !isRandomBase64(value)) return true;
  return isMadeOfWords(value) || residueOf(value).length < RESIDUE;
}

/** One in 64 begins with a slash, as paths do; but the names in a path do not change from capitals to digits at every other letter. */
function isRandomBase64(value: string): boolean {
  if (value.length < LEAST_RANDOM || !/^[A-Za-z0-9/]+$/.test(value)) return false;
  const runs = value.match(/[A-Z]+|[a-z]+|\d+/g) ?? [];
  return runs.length > MOST_RUNS * runs.join('').length;
}

function isMadeOfWords(value: string): boolean {
  if (!/^(?:[a-z\s_.-]+|[A-Z\s_.-]+)$/.test(value)) return false;
  const words = value.toLowerCase().split(/[\s_.-]+/);
  return words.length > 1 && words.some((word) => TELLING.test(word));
}

/** What is left without words, signs, repetitions and counting. */
function residueOf(value: string): string {
  return value
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '')
    .replace(/(.)\1{2,}/g, '')
    .replace(/0?123(?:4(?:5(?:6(?:7(?:8(?:90?)?)?)?)?)?)?|abc(?:d(?:ef?)?)?/g, '')
    .replace(ANYWHERE, '');
}

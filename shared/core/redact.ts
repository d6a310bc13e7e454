/**
 * Takes keys and tokens out of words that others wrote: a provider's message, a header. Those that are known go verbatim
 * and in part (OpenAI shows both ends of a wrong key), all others by how they look. Pure; its time is linear, for only the
 * beginning of a long text is looked at.
 */

export const REDACTED = '***';

/** So much is looked at; what is shown is far shorter. */
const LOOKED_AT = 4_096;
/** So many characters of a known secret's ends give it away. */
const ENDS = 6;
/** A secret that is shorter may be a word. */
const WHOLE_LEAST = 4;

/** What separates the words of a message, of JSON, and of a URL's query. */
const STOPS = '\\s"\'`<>(){}[\\],;&';
const WORD = new RegExp(`[^${STOPS}]+`, 'g');
/** Vendors' prefixes, with whatever stands behind them: stars, dots, an ellipsis. */
const PREFIXED = '(?:sk|pk|rk)[-_]|gsk_|xai-|pplx-|nvapi-|hf_|ghp_|csk-|r8_|llmj_|AIza|AQ\\.|ya29\\.|eyJ';
const NAMES = '(?:x[-_])?(?:goog[-_])?(?:api[-_ ]?key|access[-_]?token|authorization|client[-_]?secret|password)';

/** Each begins with letters of its own, or has a bounded beginning: none goes back over what it has read. */
const LOOKS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN[^-]{0,40}-----[^-]*(?:-----END[^-]{0,40}-----)?/g, REDACTED],
  [new RegExp(`\\b(?:${PREFIXED})[^${STOPS}]{3,}`, 'g'), REDACTED],
  [new RegExp(`\\b(bearer|basic)\\s{1,8}[^${STOPS}]{6,}`, 'gi'), `$1 ${REDACTED}`],
  [/\b((?:key|token|secret|signature|sig)=)[^\s"'`<>&;]+/gi, `$1${REDACTED}`],
  [new RegExp(`\\b(${NAMES}["']?\\s{0,4}[=:]\\s{0,4}["']?)[^${STOPS}]+`, 'gi'), `$1${REDACTED}`],
  [/(:\/\/)[^\s/@"'`<>]{1,256}@/g, `$1${REDACTED}@`],
];

/** Longer than names that people give, and with digits: keys of vendors that nobody told us of. */
const OPAQUE = /[\w+=-]{40,}/g;
/** Vendors' names for answers and requests are as long (OpenAI's `resp_` has 53 characters), and no secrets. */
const NAMED_ID = /^(?:resp|msg|req|chatcmpl)[-_][\w-]+$/;

/**
 * The words without anything that is or looks like a key, at most `charactersMost` of them. `secrets` are known ones, in
 * any order.
 */
export function redact(text: string, secrets: readonly string[] = [], charactersMost = LOOKED_AT): string {
  // The longest first: one may be a part of another.
  const known = secrets.filter(({ length }) => length >= WHOLE_LEAST).sort((one, other) => other.length - one.length);
  let clean = withoutKnown(text, known);
  const ends = known.filter(({ length }) => length >= 2 * ENDS).flatMap(endsOf);
  clean = clean.replace(WORD, (word) => (isPartOfKey(word, ends) ? REDACTED : word));
  for (const [pattern, replacement] of LOOKS) clean = clean.replace(pattern, replacement);
  clean = clean.replace(OPAQUE, (word) => (/\d/.test(word) && !NAMED_ID.test(word) ? REDACTED : word));
  return clean.length <= charactersMost ? clean : `${clean.slice(0, charactersMost).toWellFormed()}…`;
}

/** The beginning of the text, without known secrets and without a word that was cut, which may be a part of a key. */
function withoutKnown(text: string, known: readonly string[]): string {
  const longest = known[0]?.length ?? 0;
  const isCut = text.length > LOOKED_AT + longest;
  let clean = (isCut ? text.slice(0, LOOKED_AT + longest) : text).toWellFormed();
  for (const secret of known) clean = clean.replaceAll(secret, REDACTED);
  if (!isCut) return clean;
  const whole = clean.slice(0, Math.max(0, clean.length - longest));
  return whole.slice(0, Math.max(0, whole.search(/\s\S*$/)));
}

function endsOf(secret: string): string[] {
  return [secret.slice(0, ENDS), secret.slice(-ENDS)];
}

/** Is it masked by its sender, or does it hold an end of a known key? */
function isPartOfKey(word: string, ends: readonly string[]): boolean {
  return (
    word !== REDACTED && (word.includes(REDACTED) || word.includes('•••') || ends.some((end) => word.includes(end)))
  );
}

/** Which names somebody meant who wrote another one. */
import leven from 'leven';

const NEAR_MOST = 3;

/** The names that were most likely meant, at most three; none where nothing looks alike. */
export function nearNames(asked: string, names: readonly string[]): string[] {
  const lowered = asked.toLowerCase();
  const most = Math.ceil(lowered.length / 3);
  return names
    .map((name) => ({ name, distance: leven(lowered, name.toLowerCase(), { maxDistance: most }) }))
    .filter(({ distance }) => distance < most)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, NEAR_MOST)
    .map(({ name }) => name);
}

/** `; did you mean "openai"?`, or nothing. */
export function didYouMean(asked: string, names: readonly string[]): string {
  const near = nearNames(asked, names).map((name) => `"${name}"`);
  return near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`;
}

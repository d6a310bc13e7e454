/** Cookies of a request, and the double submit that shows that our own page sent it. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { parse } from 'hono/utils/cookie';
import { ServiceError } from '../core/errors.ts';

/** As Django names it, whose pages seed 000 shows. */
const CSRF_COOKIE = 'csrftoken';
export const CSRF_HEADER = 'X-CSRFToken';

/** The value of a cookie. */
export function cookieOf(request: Request, name: string): string | undefined {
  const header = request.headers.get('cookie');
  return header === null ? undefined : parse(header, name)[name];
}

/**
 * Refuses a request that a browser may have sent for a page of somebody else: one that writes, with a cookie for its
 * credentials, must name the other cookie's value in a header, which only pages of our own site can read. Throws
 * `csrf_failed`.
 *
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
 */
export function assertOurPage(request: Request, allowOrigin: (origin: string) => boolean): void {
  const origin = request.headers.get('origin');
  const isOurs = origin === null || hostOf(origin) === new URL(request.url).host || allowOrigin(origin);
  const sent = request.headers.get(CSRF_HEADER);
  const kept = cookieOf(request, CSRF_COOKIE);
  if (isOurs && sent && kept && isSame(sent, kept)) return;
  const sentence = `With a session cookie, a request that writes must have the value of the cookie ${CSRF_COOKIE} in ${CSRF_HEADER}.`;
  throw new ServiceError('csrf_failed', sentence);
}

/** Without its scheme: before a proxy that speaks TLS, as Cloud Run's does, it is not the one that we see. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** What the next write has to name, and the cookie that says so, where the browser has none. */
export function csrfOf(request: Request): { value: string; cookie: string | undefined } {
  const kept = cookieOf(request, CSRF_COOKIE);
  if (kept) return { value: kept, cookie: undefined };
  const value = randomBytes(24).toString('base64url');
  return { value, cookie: `${CSRF_COOKIE}=${value}; Path=/; Secure; SameSite=Lax` };
}

/** Compares secrets in a time that tells nothing of them. */
export function isSame(left: string, right: string): boolean {
  const [a, b] = [left, right].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

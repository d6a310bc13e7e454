/** Job tokens: the right to read and cancel one job for a few minutes, which may be given to a browser. */
import { jwtVerify, SignJWT } from 'jose';
import type { Principal, Scope } from '../core/access.ts';
import { isJobId, isTenant } from '../core/ids.ts';
import type { JobKey } from '../core/job.ts';
import type { Clock } from '../core/ports.ts';
import type { TokenDoor, Verified } from './auth.ts';

export type JobToken = { token: string; expiresAtMs: number };
export type JobTokens = {
  door: TokenDoor;
  /** A token for one job of this user, to do with it what these scopes allow. */
  issue(job: JobKey & { user: string }, scopes: readonly Scope[]): Promise<JobToken>;
};

const ISSUER = 'llm-jobs';
const AUDIENCE = 'job';
const ALGORITHM = 'HS256';
/** Whoever issues it, no token may do more. */
const GIVEN = ['jobs:read', 'jobs:write'] as const;
const LIFE_S = 600;
/** The instance that reads a job a moment after another one took it in may have the earlier clock. */
const CLOCK_TOLERANCE_S = 10;

/** The first secret signs; a token that another one signed is good, too, so that they can be changed. */
export function jobTokens({ clock, secrets }: { clock: Clock; secrets: readonly [string, ...string[]] }): JobTokens {
  const [first, ...others] = secrets.map((secret) => new TextEncoder().encode(secret));
  const nowS = () => Math.floor(clock.nowMs() / 1_000);

  async function verifyWith(secret: Uint8Array, token: string): Promise<Verified> {
    try {
      const { payload } = await jwtVerify(token, secret, {
        ...{ issuer: ISSUER, audience: AUDIENCE, algorithms: [ALGORITHM] },
        ...{ currentDate: new Date(clock.nowMs()), requiredClaims: ['exp', 'iat', 'sub'] },
      });
      const { sub: user, tenant, job_id: jobId, scope, exp = 0, iat = 0 } = payload;
      if (exp - iat > LIFE_S || iat > nowS() + CLOCK_TOLERANCE_S) return { refused: 'unknown' };
      const isText = [user, tenant, jobId, scope].every((claim) => typeof claim === 'string' && claim !== '');
      if (!isText || !isTenant(tenant as string) || !isJobId(jobId as string)) return { refused: 'unknown' };
      const who = { tenant, user, jobId } as { tenant: string; user: string; jobId: string };
      const scopes = GIVEN.filter((given) => (scope as string).split(' ').includes(given));
      const principal: Principal = { ...who, scopes };
      return { principal, expiresAtMs: exp * 1_000 };
    } catch (error) {
      return { refused: (error as { code?: string }).code === 'ERR_JWT_EXPIRED' ? 'expired' : 'unknown' };
    }
  }

  return {
    door: {
      issuer: ISSUER,
      async verify(token) {
        let verified: Verified = { refused: 'unknown' };
        for (const secret of first ? [first, ...others] : []) {
          verified = await verifyWith(secret, token);
          if (!('refused' in verified && verified.refused === 'unknown')) break;
        }
        return verified;
      },
    },
    async issue({ tenant, id, user }, scopes) {
      const issuedS = nowS();
      const scope = GIVEN.filter((one) => scopes.includes(one) || scopes.includes('admin')).join(' ');
      const token = await new SignJWT({ tenant, job_id: id, scope })
        .setProtectedHeader({ alg: ALGORITHM })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(user)
        .setIssuedAt(issuedS)
        .setExpirationTime(issuedS + LIFE_S)
        .sign(first as Uint8Array);
      return { token, expiresAtMs: (issuedS + LIFE_S) * 1_000 };
    },
  };
}

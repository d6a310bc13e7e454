/** Who asks: the one seam between a request and a principal. */
import type { Principal } from '../core/access.ts';

export type Authenticate = (request: Request) => Promise<Principal>;

/** `AUTH_MODE=none`: everybody is the one local user, and a token that is presented is ignored. */
export const asLocalUser: Authenticate = async () => ({
  tenant: 'default',
  user: 'local',
  scopes: ['jobs:read', 'jobs:write'],
});

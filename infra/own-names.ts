/**
 * A page can have its own name lead to this machine (DNS rebinding), and then its requests look as if they came from our own
 * origin; their `Host` gives them away. Where nobody is asked who they are, only our own names are answered.
 */
const OWN_NAMES = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

/** `connection`: whose request it is, as the server says. */
export type Fetch = (request: Request, connection?: object) => Response | Promise<Response>;

type Doors = { host: string; authModes: readonly string[] };

/** Does it listen on this machine's own names alone, without doors? */
export function isForThisMachine({ host, authModes }: Doors): boolean {
  return OWN_NAMES.test(host.includes(':') ? `[${host}]` : host) && authModes.length === 0;
}

/** `fetch`, for requests to this machine by its own names, where it listens on those alone and has no doors. */
export function onlyOwnNames(fetch: Fetch, doors: Doors): Fetch {
  if (!isForThisMachine(doors)) return fetch;
  return (request, connection) =>
    OWN_NAMES.test(new URL(request.url).hostname)
      ? fetch(request, connection)
      : forbidden('This service answers to localhost alone: call it by that name, or set AUTH_MODE or HOST.');
}

/** An answer to whoever may not ask. */
export function forbidden(error: string): Response {
  return Response.json({ success: false, error, code: 'forbidden', request_id: crypto.randomUUID() }, { status: 403 });
}

/** The API reference at `/docs`: Swagger UI from its package, so that it works offline and asks no other host. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../core/errors.ts';
import type { HttpApp } from './app.ts';

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>llm-jobs: API reference</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="reference"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

/** `validatorUrl: null`: no badge from another host. */
const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#reference', validatorUrl: null, deepLinking: true });\n`;

const POLICY =
  "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:";

/** Adds the page and its files. */
export function mountDocs(app: HttpApp): void {
  app.get('/docs', (context) => {
    context.header('Content-Security-Policy', POLICY);
    return context.html(PAGE);
  });
  app.get('/docs/:file', async (context) => {
    const file = FILES.get(context.req.param('file'));
    if (!file) throw new ServiceError('route_not_found', 'There is no such file under /docs.');
    context.header('Cache-Control', 'public, max-age=3600');
    return context.body(await file.read(), 200, { 'Content-Type': file.type });
  });
}

const fromPackage = (name: string) => async () => {
  const { default: swaggerUiFolder } = await import('swagger-ui-dist/absolute-path.js');
  return readFile(join(swaggerUiFolder(), name), 'utf8');
};
const JAVASCRIPT = 'text/javascript; charset=utf-8';
const FILES = new Map([
  ['swagger-ui.css', { type: 'text/css; charset=utf-8', read: fromPackage('swagger-ui.css') }],
  ['swagger-ui-bundle.js', { type: JAVASCRIPT, read: fromPackage('swagger-ui-bundle.js') }],
  ['start.js', { type: JAVASCRIPT, read: async () => START }],
]);

/** HTTP function `console`: the console's page and files, where the API has other doors (`split`). Its data is theirs to show. */
import { startPages } from '../shared/runtime-pages.ts';

const answer = startPages(async (log) => {
  const { consoleApp } = await import('../shared/http/console-app.ts');
  return consoleApp({ log }).fetch;
});

export { answer as console };

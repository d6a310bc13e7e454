/** The clients of seed 004 in a browser, on `npm start`. */
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { promptPagesSuite } from './prompt-pages.ts';

promptPagesSuite('npm start', async () => {
  const keys = { OPENAI_API_KEY: '', GEMINI_API_KEY: '' };
  const { baseUrl, child } = await startLocalProcess({
    ...{ PORT: String(await freePort()), DATABASE_URL: ':memory:', SIMULATED_MS: '300', ...keys },
  });
  return { baseUrl, stop: () => stopGroup(child) };
});

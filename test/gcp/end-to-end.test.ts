/** The end-to-end suite on the deployment that `npm run test:gcp -- --url U` names, but for what `left-out.ts` names. */
import { endToEndSuite } from '../end-to-end/suite.ts';
import { startDoor } from './door.ts';

endToEndSuite('a deployment', async () => {
  const { url: baseUrl, stop } = await startDoor(process.env.GCP_URL ?? '', process.env.LLM_JOBS_KEY || undefined);
  return { baseUrl, stop };
});

/** The React hook in a browser, on `npm start`. */
import { hookPagesSuite } from './hook-pages.ts';
import { startLocal } from './local-service.ts';

hookPagesSuite('npm start', startLocal);

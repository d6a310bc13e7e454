/** Loaded first, it leaves what the process spent its time on in the file `CPU_PROFILE`: Node's own option for it cannot be in NODE_OPTIONS. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.start');
process.once('exit', () => {
  session.post('Profiler.stop', (_, { profile }) => writeFileSync(process.env.CPU_PROFILE, JSON.stringify(profile)));
});

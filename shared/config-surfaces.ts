/** Settings of the contracts: which are served, and which models those use that name none. */
import { deployed, type Environment, listed, type Setting, text, toFlag, whole } from './config-kinds.ts';

/** The contracts, as `SURFACES` names them. */
export const SURFACE_NAMES = ['llm-jobs', 'streaming-jobs', 'structured-extraction', 'prompt-generation'] as const;
export type SurfaceName = (typeof SURFACE_NAMES)[number];

const servesJobs = ({ SURFACES: said }: Environment) => listed(said).length === 0 || listed(said).includes('llm-jobs');

export const SURFACE_SETTINGS = {
  surfaces: {
    variable: 'SURFACES',
    meaning: `Which contracts are served, separated by commas: ${SURFACE_NAMES.map((name) => `\`${name}\``).join(', ')}.`,
    shownDefault: 'all; llm-jobs on Google Cloud',
    read: (raw, environment) => {
      const names = listed(raw);
      if (names.length === 0) return deployed(environment) ? ['llm-jobs' as const] : [...SURFACE_NAMES];
      const unknown = names.find((name) => !SURFACE_NAMES.includes(name as SurfaceName));
      if (unknown === undefined) return names as SurfaceName[];
      throw new Error(`has an unknown value, ${unknown}; known values: ${SURFACE_NAMES.join(', ')}`);
    },
  } satisfies Setting<SurfaceName[]>,
  console: {
    variable: 'CONSOLE',
    meaning: '`true`: the console is served at `/`; `false`: it is not. It shows what `llm-jobs` serves.',
    shownDefault: 'true with llm-jobs; false on Google Cloud',
    read: (raw, environment) => toFlag(raw) ?? (!deployed(environment) && servesJobs(environment)),
  } satisfies Setting<boolean>,
  openaiModel: text('OPENAI_MODEL', 'The model of structured extraction.', 'gpt-4o-mini'),
  promptGenerationModel: text('PROMPT_GENERATION_MODEL', 'The model of prompt generation.', 'gemini-2.5-flash'),
  allowSimulated: {
    variable: 'ALLOW_SIMULATED',
    meaning: '`true`: where these two have no key, the simulated model answers in their place; `false`: 503.',
    shownDefault: 'true; false on Google Cloud',
    read: (raw, environment) => toFlag(raw) ?? !deployed(environment),
  } satisfies Setting<boolean>,
  shareSeconds: whole(
    'SHARE_SECONDS',
    'For how long equal texts of one user that are submitted to structured extraction share one job; 0: each is its own.',
    0,
    0,
    3_600,
  ),
};

/** What npm runs after an installation: builds the client and the console, which `npm start` serves. An installation never fails for it. */
try {
  const { register } = await import('tsx/esm/api');
  register();
  const { buildClient } = await import('./library.ts');
  const { buildConsole } = await import('./console.ts');
  await Promise.all([buildClient(), buildConsole()]);
} catch (error) {
  const isProduction = error?.code === 'ERR_MODULE_NOT_FOUND';
  console.warn(
    `The client and the console were not built${isProduction ? ', without the packages that build it' : `: ${error}`}.`,
  );
}

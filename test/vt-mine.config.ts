import { defineConfig } from 'vitest/config';
export default defineConfig({ test: { root: '/work/main', env: { METADATA_SERVER_DETECTION: 'none' }, projects: [
 { extends: true, test: { name: 'embedded', include: ['test/embedded/**/*.test.ts'], testTimeout: 20000, root: '/work/main' } },
 { extends: true, test: { name: 'long', include: ['test/long/**/*.test.ts'], testTimeout: 300000, root: '/work/main' } },
 { extends: true, test: { name: 'emulator', include: ['test/emulator/**/*.test.ts'], testTimeout: 60000, hookTimeout: 90000, fileParallelism: false, globalSetup: '/work/main/test/support/emulators-setup.ts', root: '/work/main' } },
] } });

import { configureGlobal } from 'fast-check';
import { inject } from 'vitest';

// Before every test file: its properties try the values of one seed, the same on every machine.
configureGlobal({ seed: inject('seed') });

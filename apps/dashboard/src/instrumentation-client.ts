import { config } from 'zod';

// Runs before any other script of a page. zod would try out whether it may compile schemas with `new Function`, which
// the policy of the pages forbids and the browser reports, although zod does without.
config({ jitless: true });

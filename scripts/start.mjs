// `npm start`: installs, builds and runs the demo. What follows `--` goes to `evenkeel demo`.
import './prepare.mjs';

process.argv = [process.execPath, 'evenkeel', 'demo', ...process.argv.slice(2)];
await import('../apps/cli/bin/evenkeel.mjs');

// Ends the process where Node.js is too old, before anything newer is asked of it.
const MINIMUM = [20, 19];
const RECOMMENDED = '22 or 24';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < MINIMUM[0] || (major === MINIMUM[0] && minor < MINIMUM[1])) {
  console.error(
    `Evenkeel needs Node.js ${MINIMUM.join('.')} or newer; this is ${process.versions.node}. ` +
      `Node.js 20 has had no security fixes since April 2026: install ${RECOMMENDED} from https://nodejs.org`,
  );
  process.exit(1);
}

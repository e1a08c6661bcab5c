// Serves the dashboard, as it was built, as a process of its own: `node serve.mjs SETTINGS`, with settings as JSON. Prints
// where it listens. The same server as that of `evenkeel serve`, without the command around it.
import { startServer } from '@evenkeel/dashboard/server';

const settings = {
  host: '127.0.0.1',
  port: 0,
  databaseUrl: null,
  accessToken: null,
  allowedHosts: [],
  ...JSON.parse(process.argv[2]),
};
const server = await startServer(settings, (level, message, error) => {
  if (level === 'error') console.error(message, error);
});
console.log(JSON.stringify({ url: server.url }));
process.once('SIGTERM', async () => {
  await server.close();
  process.exit();
});

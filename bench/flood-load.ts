import autocannon from 'autocannon';

// Strangers, in a process of their own: requests without any credentials.

const [url = '', amount = '1', connections = '1'] = process.argv.slice(2);
const body = JSON.stringify({ event_type: 'email_sent', lead_email: 'nobody@stranger.example' });
const { requests, non2xx } = await autocannon({
  url,
  method: 'POST',
  body,
  amount: Number(amount),
  connections: Number(connections),
  timeout: 60,
});
if (requests.total !== Number(amount) || non2xx !== Number(amount)) {
  process.stderr.write(`of ${amount}, ${requests.total} were answered, ${non2xx} of them with a refusal\n`);
  process.exitCode = 1;
}

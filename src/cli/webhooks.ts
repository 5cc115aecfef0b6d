import { type Command, InvalidArgumentError, Option } from 'commander';
import { sameName } from '../config/suggest-name.ts';
import { SUBSCRIPTIONS } from '../events/names.ts';
import { readType, suggestType } from '../events/suggest-type.ts';
import { DEFAULT_NAME } from '../instantly/describe-webhook.ts';
import { didYouMean } from './known-names.ts';
import { jsonOption, limitOption, secondsOption } from './options.ts';
import { list, registerOne, remove, resume, test } from './webhook-actions.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** `webhooks`: this receiver's registration at Instantly. */
export function register(program: Command): void {
  const webhooks = program.command('webhooks').description("this receiver's registration at Instantly, by its API");
  webhooks
    .command('list')
    .description('list the webhooks of the workspace and whether they post here with a token that is let in')
    .addOption(limitOption())
    .addOption(jsonOption())
    .action(list);
  webhooks
    .command('register')
    .description('make this receiver known to Instantly, or bring its webhook up to date, and see a test delivery come')
    .addOption(
      new Option('--event <type>', 'what to be told of (default: all_events)')
        .choices(SUBSCRIPTIONS)
        .argParser(subscription)
        .conflicts('label'),
    )
    .addOption(new Option('--label <text>', 'only leads that are given this label of the workspace'))
    .addOption(new Option('--campaign <id>', 'only of this campaign').argParser(uuid))
    .addOption(new Option('--name <name>', 'its name at Instantly').default(DEFAULT_NAME).argParser(named))
    .option('--insecure', 'although PUBLIC_URL is not https: for a fake Instantly on this machine')
    .addOption(secondsOption('--wait <seconds>', 'for the receivers, and for the test to come', 60))
    .addOption(jsonOption())
    .action(registerOne);
  webhooks
    .command('test')
    .description('have Instantly deliver a test, and find in the audit log that it was let in')
    .argument('[id]', 'the webhook (default: the one that posts here)')
    .addOption(secondsOption('--wait <seconds>', 'for the test to come', 60))
    .addOption(jsonOption())
    .action(test);
  webhooks
    .command('resume')
    .description('have Instantly deliver again to a webhook that it has disabled')
    .argument('[id]', 'the webhook (default: the one that posts here)')
    .addOption(jsonOption())
    .action(resume);
  webhooks
    .command('delete')
    .description('delete a webhook at Instantly')
    .argument('<id>', 'the webhook')
    .option('--other', 'although it does not post to this receiver')
    .addOption(jsonOption())
    .action(remove);
}

function subscription(text: string): string {
  const name = sameName(text, SUBSCRIPTIONS) ?? readType(text);
  const known = SUBSCRIPTIONS.find((one) => one === name);
  if (known !== undefined) return known;
  const meant = suggestType(text);
  // The automatic replies come with all events alone.
  const advice = SUBSCRIPTIONS.find((one) => one === meant) ?? (meant === undefined ? undefined : 'all_events');
  throw new InvalidArgumentError(`Allowed choices are ${SUBSCRIPTIONS.join(', ')}${didYouMean(advice)}`);
}

function uuid(text: string): string {
  if (UUID.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError('It takes the UUID of a campaign, as in the address of its page.');
}

function named(text: string): string {
  const name = text.trim();
  if (name !== '' && name.length <= 200) return name;
  throw new InvalidArgumentError('It takes a name of 1 to 200 characters.');
}

// What both scripts are asked to do: the same arguments, the same report.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const HELP = (program, library) => `usage: node ${program} [WS-URL] [options]

Buys a completion with ${library}: reads the checkpoint's price and operators by view function, submits a
job, follows it, prints the answer, and who was paid. Exit status 0: settled; 1: anything else;
2: the arguments make no sense.

  WS-URL                 RPC address of a node [CHASQUI_NODE, or ws://127.0.0.1:9944]
  --key SURI             the paying account: a derivation of the development phrase [CHASQUI_KEY, or //Alice]
  --model DIR            folder with the checkpoint's tokenizer.json, to turn token ids into text [CHASQUI_MODEL]
  --checkpoint ROOT      0x and 64 digits; default: the first that takes payment
  --prompt TEXT          what to complete [Once upon a time]
  --max-tokens N         longest answer, in tokens [40]
  --temperature T        0, or 0.05 to 10 [0.8]
  --seed N               seed of the sampling noise [7]
  --max-price DOT        refuse a job that could cost more; default: what the chain quotes
  --premium              have the answer audited for certain
  --timeout S            give up after so many seconds [180]
  --json FILE            write the report here
  --help
`;

/** Wrong arguments: exit status 2. */
export class UsageError extends Error {}

const PLANCK_DIGITS = 10;

/** "0.0001" DOT as planck. */
export function planck(dot) {
  const match = /^(\d{1,18})(?:\.(\d{1,10}))?$/.exec(dot);
  if (!match) throw new UsageError(`--max-price: not an amount of DOT: ${dot}`);
  return BigInt(match[1] + (match[2] ?? '').padEnd(PLANCK_DIGITS, '0'));
}

/** Planck as DOT, without trailing zeros. */
export function dot(amount) {
  const digits = BigInt(amount).toString().padStart(PLANCK_DIGITS + 1, '0');
  const fraction = digits.slice(-PLANCK_DIGITS).replace(/0+$/, '');
  return `${digits.slice(0, -PLANCK_DIGITS)}${fraction && '.' + fraction} DOT`;
}

function integer(name, text, most) {
  if (!/^\d+$/.test(text) || BigInt(text) > most) throw new UsageError(`${name}: not a whole number up to ${most}: ${text}`);
  return BigInt(text);
}

/** A number as thousandths, exactly: 0.8 is 800. */
function milli(name, text) {
  const match = /^(\d{1,6})(?:\.(\d{1,3}))?$/.exec(text);
  if (!match) throw new UsageError(`${name}: not a number with at most three decimals: ${text}`);
  return Number(match[1] + (match[2] ?? '').padEnd(3, '0'));
}

/** Reads the command line. Ranges that the chain checks are left to the chain. */
export function readOptions(program, library, argv = process.argv.slice(2)) {
  let parsed;
  try {
    parsed = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        key: { type: 'string', default: process.env.CHASQUI_KEY ?? '//Alice' },
        model: { type: 'string', default: process.env.CHASQUI_MODEL },
        checkpoint: { type: 'string' },
        prompt: { type: 'string', default: 'Once upon a time' },
        'max-tokens': { type: 'string', default: '40' },
        temperature: { type: 'string', default: '0.8' },
        seed: { type: 'string', default: '7' },
        'max-price': { type: 'string' },
        premium: { type: 'boolean', default: false },
        timeout: { type: 'string', default: '180' },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error.message);
  }
  const { values, positionals } = parsed;
  if (values.help) {
    process.stdout.write(HELP(program, library));
    process.exit(0);
  }
  if (positionals.length > 1) throw new UsageError(`one WS-URL at most, got: ${positionals.join(' ')}`);
  const url = positionals[0] ?? process.env.CHASQUI_NODE ?? 'ws://127.0.0.1:9944';
  if (!/^wss?:\/\/[^\s]+$/.test(url)) throw new UsageError(`not a WebSocket address: ${url}`);
  if (values.checkpoint && !/^0x[0-9a-f]{64}$/i.test(values.checkpoint)) {
    throw new UsageError(`--checkpoint: not 0x and 64 hexadecimal digits: ${values.checkpoint}`);
  }
  if (!values.key.startsWith('//')) throw new UsageError('--key: only derivations such as //Alice: these scripts are for development chains');
  if (!values.model) throw new UsageError('--model DIR is missing: the answer comes as token ids');
  return {
    url,
    key: values.key,
    model: values.model,
    checkpoint: values.checkpoint?.toLowerCase(),
    prompt: new TextEncoder().encode(values.prompt),
    maxTokens: Number(integer('--max-tokens', values['max-tokens'], 0xffff_ffffn)),
    temperatureMilli: milli('--temperature', values.temperature),
    seed: integer('--seed', values.seed, 0xffff_ffff_ffff_ffffn),
    maxPrice: values['max-price'] === undefined ? undefined : planck(values['max-price']),
    premium: values.premium,
    timeout: Number(integer('--timeout', values.timeout, 86_400n)) * 1000,
    json: values.json,
  };
}

/** Fails when `promise` takes longer than the whole script may. */
export function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Runs a script's `main`, and turns what it throws into one line and an exit status. */
export async function run(program, library, main) {
  let status = 1;
  try {
    const options = readOptions(program, library);
    const report = await within(options.timeout, main(options));
    if (options.json) {
      const text = JSON.stringify(report, (_, value) => (typeof value === 'bigint' ? value.toString() : value), 2);
      writeFileSync(options.json, text + '\n');
    }
    status = report.outcome?.kind === 'settled' ? 0 : 1;
    if (status) console.error(`error: the job was not settled: ${JSON.stringify(report.outcome)}`);
  } catch (error) {
    const usage = error instanceof UsageError;
    console.error(`error: ${error.message}${usage ? ' (see --help)' : ''}`);
    status = usage ? 2 : 1;
  }
  // Libraries may still hold timers and a socket.
  process.exit(status);
}

/** The number of the job that an audit's or a fee's subject is: libraries write `{ Job: 7 }` in different ways. */
const jobOf = (subject) => BigInt(subject.value ?? subject.Job ?? subject.job);

/** The fee that the events of a block book for a job, with who got how much. */
export function feeOf(events, job) {
  const settled = events.find((e) => e.name === 'Jobs.Settled' && BigInt(e.data.job) === job)?.data;
  if (!settled) return undefined;
  const fee = events.find((e) => e.name === 'Rewards.FeeRecorded' && jobOf(e.data.subject) === job)?.data;
  if (!fee) throw new Error(`job ${job} is settled, but no fee was booked for it`);
  const shares = {
    executor: BigInt(fee.to_executor),
    auditors: BigInt(fee.to_auditors),
    pool: BigInt(fee.to_pool),
    fund: BigInt(fee.to_fund),
    reserve: BigInt(fee.to_reserve),
  };
  const sum = Object.values(shares).reduce((a, b) => a + b);
  if (sum !== BigInt(settled.paid)) throw new Error(`the shares of job ${job} add up to ${sum} planck, but ${settled.paid} were paid`);
  const auditors = fee.auditors.map(([auditor, amount]) => [auditor, BigInt(amount)]);
  return { epoch: Number(fee.epoch), price: sum, executor: fee.executor, auditors, shares };
}

/** Whether an event is about this job or its audit. */
export function concerns(event, job, auditCase) {
  const { name, data } = event;
  if (name.startsWith('Jobs.')) return data.job !== undefined && BigInt(data.job) === job;
  return name.startsWith('Audits.') && auditCase !== undefined && data.case !== undefined && BigInt(data.case) === auditCase;
}

/** Prints who got what. */
export function printPayment({ epoch, price, executor, auditors, shares }) {
  console.log(`paid ${dot(price)} in epoch ${epoch}:`);
  console.log(`  executor           ${dot(shares.executor).padEnd(20)} ${executor}`);
  for (const [auditor, amount] of auditors) console.log(`  auditor            ${dot(amount).padEnd(20)} ${auditor}`);
  console.log(`  contribution pool  ${dot(shares.pool)}`);
  console.log(`  training fund      ${dot(shares.fund)}`);
  console.log(`  reserve            ${dot(shares.reserve)}`);
}

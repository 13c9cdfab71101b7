// Runs `almanac bench generate` and llama.cpp in turns on the same prompts; prints both and their ratios, writes
// generate.json and generate.svg beside itself.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { getLlama } from "node-llama-cpp";

const [almanac, state, gguf] = process.argv.slice(2);
const [threads, rounds, count] = process.argv.slice(5, 8).map(Number);
const chatsFiles = process.argv.slice(8);
const here = dirname(fileURLToPath(import.meta.url));
const PROMPT = 512;
const WRITE = 64;
const LONG = 700;
const ANSWER = 96;
// Chats answered by one side before the other has its turn.
const TURN = 10;
// Texts written at once, by us alone.
const AT_ONCE = 8;

const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads });
const model = await llama.loadModel({ modelPath: gguf });
const context = await model.createContext({ contextSize: 2048, batchSize: 512, threads });
const sequence = context.getSequence();

// Milliseconds to the first token, to the end after it, and tokens; from an empty cache, greedy.
async function theirs(tokens, most, forced) {
    await sequence.clearHistory();
    const begun = performance.now();
    let first = begun;
    let written = 0;
    for await (const token of sequence.evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
        if (written === 0) first = performance.now();
        if (!forced && model.isEogToken(token)) break;
        written += 1;
        if (written > most - (forced ? 0 : 1)) break;
    }
    return { first: first - begun, rest: performance.now() - first, tokens: written };
}

function ours(...args) {
    const told = execFileSync(
        almanac,
        ["--state", state, "--json", "bench", "generate", "--threads", `${threads}`, "--repeat", "1", ...args],
        { maxBuffer: 1 << 28 },
    );
    return JSON.parse(told);
}

function render(messages) {
    const turn = ({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`;
    return `${messages.map(turn).join("")}<|im_start|>assistant\n`;
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const total = (values) => values.reduce((sum, value) => sum + value, 0);

// Both sides take turns at going first.
async function inTurns(round, own, other) {
    if (round % 2 === 0) return { own: await own(), other: await other() };
    const result = await other();
    return { own: await own(), other: result };
}

// Chats of one question stand beside each other in a file: take them from all over it, those with most passages.
function spread(file, most) {
    const chats = readFileSync(file, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).messages.filter(({ role }) => role !== "assistant"));
    const stride = Math.max(1, Math.floor(chats.length / most));
    const taken = [];
    for (let at = 0; at + stride <= chats.length && taken.length < most; at += stride) {
        const group = chats.slice(at, at + stride);
        taken.push(group.reduce((best, one) => (one[1].content.length > best[1].content.length ? one : best)));
    }
    return taken;
}
// The files by turns.
const bySource = chatsFiles.map((file) => spread(file, Math.ceil(count / chatsFiles.length)));
const taken = bySource[0].flatMap((_, at) =>
    bySource.flatMap((chats, source) => chats.slice(at, at + 1).map((messages) => ({ messages, source }))),
);
const asked = taken.slice(0, count).map(({ messages }) => messages);
const sources = taken.slice(0, count).map(({ source }) => source);


function long(round) {
    const system = asked[0][0];
    const text = asked.slice(round * 5).concat(asked).map((chat) => chat[1].content).join("\n");
    const ending = "\nQuestion: What should I do first?";
    const around = model.tokenize(render([system, { role: "user", content: ending }]), true).length;
    const cut = model.detokenize(model.tokenize(text).slice(0, LONG - around));
    return [system, { role: "user", content: cut + ending }];
}

const write = (name, lines) => {
    const path = join(here, name);
    writeFileSync(path, lines.map((messages) => `${JSON.stringify({ messages })}\n`).join(""));
    return path;
};
const longFile = write("long.jsonl", Array.from({ length: rounds }, (_, round) => long(round)));
const askedFile = write("asked.jsonl", asked);

const measured = { prompt: [], decode: [], first: [], warm: [], answers: [], own: [] };
const pair = (own, other) => ({ own, other });
for (let round = 0; round < rounds; round += 1) {
    const numbers = Array.from({ length: PROMPT }, (_, at) => 1000 + ((at * 37) % 4000));
    const speed = await inTurns(
        round,
        () => ours("--prompt", `${PROMPT}`, "--write", `${WRITE}`).figures,
        () => theirs(numbers, WRITE, true),
    );
    const [read, wrote] = speed.own;
    measured.prompt.push(pair(read.per_second, (PROMPT / speed.other.first) * 1000));
    measured.decode.push(pair(wrote.per_second, (WRITE / speed.other.rest) * 1000));
    const tokens = model.tokenize(render(long(round)), true);
    const first = await inTurns(
        round,
        () => ours("--chats", longFile, "--skip", `${round}`, "--count", "1", "--answer", "2").answers[0],
        () => theirs(tokens, 2, false),
    );
    if (first.own.prompt_tokens !== tokens.length) {
        console.log(`the prompts differ: ${first.own.prompt_tokens} and ${tokens.length} tokens`);
    }
    measured.first.push(pair(first.own.plain.first_token_ms, first.other.first));
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
}
for (let at = 0; at < asked.length; at += TURN) {
    const part = asked.slice(at, at + TURN);
    const turn = await inTurns(
        at / TURN,
        () => ours("--chats", askedFile, "--skip", `${at}`, "--count", `${TURN}`, "--answer", `${ANSWER}`).answers,
        async () => {
            const results = [];
            for (const chat of part) results.push(await theirs(model.tokenize(render(chat), true), ANSWER, false));
            return results;
        },
    );
    turn.own.forEach((own, index) => measured.answers.push(pair(own, turn.other[index])));
    process.stderr.write(`${Math.min(at + TURN, asked.length)} of ${asked.length} answers\n`);
}

const atOnce = ours(
    "--prompt", `${PROMPT}`, "--write", `${WRITE}`, "--at-once", `${AT_ONCE}`,
    "--chats", askedFile, "--count", `${AT_ONCE}`, "--answer", `${ANSWER}`,
).at_once;

const rows = [];
function row(what, unit, own, other, better) {
    rows.push({ what, unit, own, other, ratio: own / other, better });
}
const medians = (values) => [median(values.map(({ own }) => own)), median(values.map(({ other }) => other))];
row(`prompt of ${PROMPT}`, "tokens/s", ...medians(measured.prompt), "more");
row(`write after ${PROMPT}, plain`, "tokens/s", ...medians(measured.decode), "more");
row(`first token, ${LONG} tokens`, "ms", ...medians(measured.first), "less");
const own = measured.answers.map((answer) => answer.own);
const other = measured.answers.map((answer) => answer.other);
// The first token comes with the prompt.
const speed = (answers, rest) =>
    (total(answers.map(({ tokens }) => Math.max(tokens - 1, 0))) / total(answers.map(rest))) * 1000;
const peer = speed(other, ({ rest }) => rest);
row("answers, plain", "tokens/s", speed(own, ({ plain }) => plain.rest_ms), peer, "more");
row("answers, with lookup", "tokens/s", speed(own, ({ lookup }) => lookup.rest_ms), peer, "more");
const firsts = median(other.map(({ first }) => first));
row("first token, answers", "ms", median(own.map(({ lookup }) => lookup.first_token_ms)), firsts, "less");
row("first token, warm prefix", "ms", median(own.map(({ warm }) => warm.first_token_ms)), firsts, "less");

for (const { what, unit, own, other, ratio } of rows) {
    console.log(
        `${what.padEnd(26)} ours ${own.toFixed(1).padStart(7)}  llama.cpp ${other.toFixed(1).padStart(7)} ` +
            `${unit.padEnd(8)} ${ratio.toFixed(2)} x`,
    );
}
const steps = total(own.map((one) => one.steps));
const counts = {
    answers: own.length,
    identical: own.filter((one) => one.identical).length,
    prompt_tokens: total(own.map((one) => one.prompt_tokens)) / own.length,
    tokens: total(own.map((one) => one.tokens)) / own.length,
    tokens_a_step: total(own.map((one) => Math.max(one.tokens - 1, 0))) / Math.max(steps, 1),
    acceptance: total(own.map((one) => one.right)) / Math.max(total(own.map((one) => one.guessed)), 1),
    reused: median(own.map((one) => one.reused)),
};
console.log(
    `${counts.answers} answers, ${counts.prompt_tokens.toFixed(0)} prompt tokens and ${counts.tokens.toFixed(1)} tokens on average; ` +
        `${counts.identical} the same plain, with lookup and warm; ${counts.tokens_a_step.toFixed(2)} tokens a step, ` +
        `${counts.acceptance.toFixed(2)} of the guesses right; ${counts.reused} prompt tokens kept when warm`,
);
for (const [source, file] of chatsFiles.entries()) {
    const of = measured.answers.filter((_, at) => sources[at] === source);
    const [mine, other] = [of.map(({ own }) => own), of.map(({ other }) => other)];
    const [fast, slow] = [speed(mine, ({ lookup }) => lookup.rest_ms), speed(other, ({ rest }) => rest)];
    console.log(
        `  of ${basename(file)}: ${of.length} answers, ${mine.filter((one) => one.identical).length} the same; with lookup ` +
            `${fast.toFixed(1)} tokens/s, llama.cpp ${slow.toFixed(1)}, ${(fast / slow).toFixed(2)} x`,
    );
}
const seconds = (ms) => (ms / 1000).toFixed(2);
console.log(
    `${AT_ONCE} texts, ${WRITE} tokens each after ${PROMPT}: one after another ${atOnce.one_after_another.per_second.toFixed(1)} ` +
        `tokens/s, at once ${atOnce.at_once.per_second.toFixed(1)}, ${atOnce.ratio.toFixed(2)} x`,
);
const { questions } = atOnce;
console.log(
    `${AT_ONCE} whole questions: one after another ${seconds(questions.one_after_another_ms)} s, at once ` +
        `${seconds(questions.at_once_ms)} s; done after ${seconds(questions.ends_ms[0])} to ${seconds(questions.ends_ms.at(-1))} s; ` +
        `${questions.identical} of ${AT_ONCE} the same text`,
);
writeFileSync(
    join(here, "generate.json"),
    JSON.stringify({ threads, system: llama.systemInfo, rows, counts, at_once: atOnce, measured }, null, 1),
);
writeFileSync(join(here, "generate.svg"), plot(rows));

// One pair of bars a row; the longer one fills its width.
function plot(rows) {
    const [left, width, high] = [190, 380, 46];
    const parts = rows.map(({ what, unit, own, other, ratio, better }, at) => {
        const y = 44 + at * high;
        const bar = (value, dy, colour, name) => {
            const length = (value / Math.max(own, other)) * width;
            return (
                `<rect x="${left}" y="${y + dy}" width="${length.toFixed(1)}" height="15" fill="${colour}"/>` +
                `<text x="${left + 5}" y="${y + dy + 12}" fill="#fff" font-size="11">${name} ${value.toFixed(value < 100 ? 1 : 0)}</text>`
            );
        };
        return (
            `<text x="${left - 8}" y="${y + 14}" text-anchor="end">${what}</text>` +
            `<text x="${left - 8}" y="${y + 29}" text-anchor="end" fill="#777" font-size="11">${unit}, ${better} is better</text>` +
            bar(own, 0, "#2f6f3e", "ours") +
            bar(other, 17, "#8a8a8a", "llama.cpp") +
            `<text x="${left + width + 8}" y="${y + 20}">${ratio.toFixed(2)} x</text>`
        );
    });
    const height = 54 + rows.length * high;
    return (
        `<svg xmlns="http://www.w3.org/2000/svg" width="640" height="${height}" font-family="sans-serif" font-size="13">` +
        `<rect width="640" height="${height}" fill="#fff"/>` +
        `<text x="20" y="24" font-size="15">The same weights and prompts, ${threads} threads, medians</text>${parts.join("")}</svg>\n`
    );
}
process.exit(0);

// `score GGUF THREADS SCORES OUT`: llama.cpp scores the tokens of a file that `almanac bench perplexity --scores` wrote.
// `table FOLDER NAME...`: what all programs think of the texts, side by side.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const read = (path) => JSON.parse(readFileSync(path, "utf8"));

// Negative log-likelihood and first choice of each token; nothing of the first of each window.
async function score(gguf, threads, from, to) {
    const { getLlama } = await import("node-llama-cpp");
    const { window, tokens } = read(from);
    const llama = await getLlama({ gpu: false, build: "never", maxThreads: Number(threads) });
    const model = await llama.loadModel({ modelPath: gguf });
    const context = await model.createContext({ contextSize: window, batchSize: window, threads: Number(threads) });
    const sequence = context.getSequence();
    const nll = [];
    const choice = [];
    for (let start = 0; start < tokens.length; start += window) {
        const part = tokens.slice(start, start + window);
        nll.push(null);
        choice.push(null);
        if (part.length < 2) continue;
        await sequence.clearHistory();
        const asked = part.slice(0, -1).map((token, at) => [
            token,
            {
                generateNext: {
                    token: true,
                    logits: { filter: { tokens: [part[at + 1]], includeSelected: true } },
                    totalLogitWeight: true,
                    options: { temperature: 0 },
                },
            },
        ]);
        const found = await sequence.controlledEvaluate(asked);
        found.forEach(({ next }, at) => {
            // The weight is the sum of exp(logit - largest logit).
            const largest = Math.max(...next.logits.values());
            nll.push(Math.log(next.totalLogitWeight) + largest - next.logits.get(part[at + 1]));
            choice.push(next.token);
        });
        process.stderr.write(`\r${Math.min(start + window, tokens.length)} of ${tokens.length} tokens`);
    }
    process.stderr.write("\n");
    writeFileSync(to, JSON.stringify({ program: "llama.cpp", system: llama.systemInfo, window, tokens, nll, choice }));
    process.exit(0);
}

const PROGRAMS = [
    ["transformers", "transformers, fp32"],
    ["f32", "ours, fp32"],
    ["int8", "ours, 8 bits (default)"],
    ["llama", "llama.cpp, Q4_1"],
];

// Sums over each window.
function windows({ window, nll }) {
    const sums = [];
    for (let start = 0; start < nll.length; start += window) {
        const scored = nll.slice(start, start + window).filter((value) => value !== null);
        sums.push({ nll: scored.reduce((sum, value) => sum + value, 0), count: scored.length });
    }
    return sums;
}

// From a fixed seed, so that two runs over the same scores print the same.
function random(seed) {
    let state = seed;
    return (below) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
    };
}

// 95 % of the ratio's values over windows drawn anew.
function interval(own, other) {
    const draw = random(20_260_101);
    const ratios = [];
    for (let round = 0; round < 2_000; round += 1) {
        let [difference, count] = [0, 0];
        for (let at = 0; at < own.length; at += 1) {
            const drawn = draw(own.length);
            difference += own[drawn].nll - other[drawn].nll;
            count += own[drawn].count;
        }
        ratios.push(Math.exp(difference / count));
    }
    ratios.sort((a, b) => a - b);
    return [ratios[50], ratios[1_949]];
}

function table(folder, names) {
    for (const name of names) {
        const right = read(join(folder, `${name}.f32.json`));
        const scored = right.nll.filter((value) => value !== null).length;
        console.log(`${name}: ${scored} of ${right.tokens.length} tokens scored, windows of ${right.window}`);
        console.log(`  ${"".padEnd(24)} perplexity  to our fp32   95 % of windows drawn anew   same first choice`);
        for (const [key, title] of PROGRAMS) {
            const other = read(join(folder, `${name}.${key}.json`));
            if (other.tokens.join() !== right.tokens.join()) throw new Error(`${name}.${key}: other tokens`);
            const [own, base] = [windows(other), windows(right)];
            const sum = own.reduce((total, { nll }) => total + nll, 0);
            const perplexity = Math.exp(sum / scored);
            const baseline = Math.exp(base.reduce((total, { nll }) => total + nll, 0) / scored);
            const [least, most] = interval(own, base);
            const same = other.choice.filter((token, at) => token !== null && token === right.choice[at]).length;
            const percent = (ratio) => `${ratio >= 1 ? "+" : ""}${((ratio - 1) * 100).toFixed(3)} %`;
            console.log(
                `  ${title.padEnd(24)} ${perplexity.toFixed(4).padStart(10)} ${percent(perplexity / baseline).padStart(12)}   ` +
                    `${`${percent(least)} to ${percent(most)}`.padEnd(28)} ${(same / scored).toFixed(4)}`,
            );
        }
    }
}

const [what, ...rest] = process.argv.slice(2);
if (what === "score") await score(...rest);
else table(rest[0], rest.slice(1));

"""The demo's questions, asked from outside the daemon, and what must come of them.

Used by scripts/demo.sh; exits 0 only when every answer is as it must be.
"""

import argparse
import os
import re
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
import ask  # noqa: E402 (found through the line above)

SITE = "demo"
IOWA = {"country": "US", "region": "Iowa"}
PUNJAB = {"country": "IN", "region": "Punjab"}
MATO_GROSSO = {"country": "BR", "region": "Mato Grosso"}

# What each answer must be: status, a pattern in the answer's text, a document it must cite.
QUESTIONS = [
    {
        "about": "a handheld in Iowa, MQTT 5",
        "question": "How deep should I sow maize seed?",
        "place": IOWA,
        "text": r"\b2[ -]inch|\b5 ?cm",
        "cites": "us-iowa/",
    },
    {
        "about": "the same question from Punjab",
        "question": "How deep should I sow maize seed?",
        "place": PUNJAB,
        "text": r"\b3\b.*\b5\b",
        "cites": "in-punjab/",
    },
    {
        "about": "a gateway that speaks MQTT 3.1.1; the answer is a number",
        "question": "How dry must maize grain be for storage?",
        "place": MATO_GROSSO,
        "version": 3,
        "text": r"\b13 ?%",
        "cites": "br-mato-grosso/",
    },
    {
        "about": "words as they are written",
        "question": "At what count of aphids does spraying soybeans pay?",
        "place": IOWA,
        "stream": True,
        "text": r"\b250\b",
        "cites": "us-iowa/",
    },
    {
        "about": "no place given: the box takes its own, Iowa",
        "question": "When should I plant maize?",
        "text": r"April|May",
        "cites": "us-iowa/",
    },
    {
        "about": "nothing of it in the library",
        "question": "When do I prune my apple trees?",
        "place": IOWA,
        "status": "refused",
    },
]


def wait_broker(options):
    """Until the broker takes connections; bounded, and over at once when its process has gone."""

    def answers():
        try:
            socket.create_connection(("127.0.0.1", options.port), timeout=1).close()
            return True
        except OSError:
            return False

    return wait(answers, options.pid, seconds=10)


def wait_ready(options):
    """Until the box says `ready` in its retained status."""
    box = ask.Box(port=options.port, site=SITE, client="demo-watch")
    start = time.monotonic()

    def ready():
        command = ["mosquitto_sub", *box.broker(), "-t", f"{box.prefix}/status/+", "-C", "1", "-W", "2"]
        done = ask.subprocess.run(command, capture_output=True, text=True)
        return done.returncode == 0 and ask.json.loads(done.stdout)["state"] == "ready"

    if not wait(ready, options.pid, seconds=120):
        return False
    print(f"Ready after {time.monotonic() - start:.1f} s.")
    return True


def wait(condition, pid, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return False


def ask_all(options):
    wrong = []
    answers = []
    for number, wanted in enumerate(QUESTIONS, 1):
        where = wanted.get("place", {}).get("region")
        print(f"\n{number}. {bold(wanted['question'])}")
        print(f"   {dim(wanted['about'] + (f' ({where})' if where else ''))}")
        answer, streamed = put(options, number, wanted)
        if answer is None:
            wrong.append(f"{number}: {streamed}")
            continue
        ask.show(answer)
        answers.append(answer)
        wrong += [f"{number}: {fault}" for fault in faults(wanted, answer, streamed)]
    if len(answers) > 1 and answers[0].get("answer") == answers[1].get("answer"):
        wrong.append("1 and 2: the same answer for two places")
    print()
    for fault in wrong:
        print(f"not as it must be: {fault}", file=sys.stderr)
    if not wrong:
        print(f"{len(answers)} questions, every answer as it must be.")
    return not wrong


def put(options, number, wanted):
    """The final answer and the streamed text; or None and why there is no answer."""
    box = ask.Box(
        port=options.port, site=SITE, client=f"demo-{number}", version=wanted.get("version", 5)
    )
    parts = []

    def on_part(text):
        if not parts:
            print(f"  {'Live:':<11}", end="")
        parts.append(text)
        print(text, end="", flush=True)

    fields = {"place": wanted["place"]} if "place" in wanted else {}
    try:
        answer = box.ask(
            wanted["question"], 120, on_part if wanted.get("stream") else None, **fields
        )
    except ask.Unanswered as error:
        return None, str(error)
    if parts:
        print()
    return answer, "".join(parts)


def faults(wanted, answer, streamed):
    status = wanted.get("status", "answered")
    if answer["status"] != status:
        yield f"status {answer['status']!r}, not {status!r}: {answer.get('reason')}"
        return
    text = answer.get("answer") or ""
    if "text" in wanted and not re.search(wanted["text"], text, re.DOTALL):
        yield f"the answer lacks /{wanted['text']}/"
    cited = [citation["document"] for citation in answer.get("citations", [])]
    if "cites" in wanted and not any(wanted["cites"] in document for document in cited):
        yield f"cites {cited}, nothing of {wanted['cites']}"
    if not answer["_correlated"]:
        yield "the correlation data did not come back"
    if wanted.get("stream") and not streamed:
        yield "no part was streamed"


def bold(text):
    return f"\033[1m{text}\033[0m" if colours() else text


def dim(text):
    return f"\033[2m{text}\033[0m" if colours() else text


def colours():
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["wait-broker", "wait-ready", "ask"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pid", type=int)
    options = parser.parse_args()
    do = {"wait-broker": wait_broker, "wait-ready": wait_ready, "ask": ask_all}[options.what]
    sys.exit(0 if do(options) else 1)


if __name__ == "__main__":
    main()

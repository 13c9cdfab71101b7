#!/usr/bin/env python3
"""Asks an Almanac box a question over MQTT and prints the answer with its sources.

Needs Python 3.9 and Mosquitto's clients (apt-get install mosquitto-clients), nothing else.
The contract is docs/mqtt.md: the question goes to almanac/<site>/ask/<client>, the answer comes
on almanac/<site>/answer/<client>. With MQTT 5 a response topic and correlation data tell answers
apart; with 3.1.1 the `id` in the question does.

    examples/ask.py --port 1883 --site farm --place US/Iowa "How deep should I sow maize seed?"
"""

import argparse
import json
import os
import subprocess
import sys
import textwrap
import threading
import time
import uuid


class Unanswered(Exception):
    """No answer came, or the broker cannot be reached; the text says which."""


class Box:
    """One box behind one broker, as one client sees it."""

    def __init__(
        self, host="127.0.0.1", port=1883, site="farm", client="handheld", version=5, login=None
    ):
        """`login` is the user and the password, where the broker wants them."""
        self.host, self.port, self.version = host, port, version
        self.login = login
        self.prefix = f"almanac/{site}"
        self.client = client

    def ask(self, question, seconds=60, on_part=None, **fields):
        """Returns the final answer (a dict); `on_part` gets the text of streamed parts.

        `fields` are those of the JSON ask: place, crop, device, readings, max_chars, deadline_s...
        """
        key = uuid.uuid4().hex[:12]
        ask = {"id": key, "question": question, "stream": on_part is not None, **fields}
        answer_topic = f"{self.prefix}/answer/{self.client}"
        properties = []
        if self.version == 5:
            answer_topic += f"/{key}"
            properties = ["-D", "publish", "response-topic", answer_topic]
            properties += ["-D", "publish", "correlation-data", key]
            properties += ["-D", "publish", "message-expiry-interval", str(int(seconds))]
        with self.listen(answer_topic, seconds) as messages:
            self.publish(f"{self.prefix}/ask/{self.client}", json.dumps(ask), properties)
            for message in messages:
                answer = json.loads(message["payload"])
                if answer.get("id") not in (None, key):
                    continue
                if answer["final"]:
                    # MQTT 5: the box gives the correlation data back as it got it.
                    answer["_correlated"] = correlation(message) in (None, key)
                    return answer
                if on_part:
                    on_part(answer.get("answer") or "")
        raise Unanswered(f"no answer within {seconds} s")

    def listen(self, topic, seconds):
        """Messages on `topic`, from when the broker has confirmed the subscription."""
        # Printed once the subscription stands: every box keeps a retained status.
        return Subscription(self, topic, f"{self.prefix}/status/+", seconds)

    def publish(self, topic, payload, properties=()):
        """Publishes with QoS 1; returns when the broker has acknowledged."""
        command = ["mosquitto_pub", *self.broker(), "-q", "1", "-t", topic, "-s", *properties]
        done = subprocess.run(command, input=payload, text=True, capture_output=True, timeout=30)
        if done.returncode != 0:
            raise Unanswered(f"the broker did not take the question: {done.stderr.strip()}")

    def broker(self):
        version = "mqttv5" if self.version == 5 else "mqttv311"
        login = ["-u", self.login[0], "-P", self.login[1]] if self.login else []
        return ["-h", self.host, "-p", str(self.port), "-V", version, *login]


class Subscription:
    """A running mosquitto_sub; ends with the `with` block or after `seconds`."""

    def __init__(self, box, topic, status_topic, seconds):
        command = ["mosquitto_sub", *box.broker(), "-q", "1", "-t", topic, "-t", status_topic]
        self.command = [*command, "-F", "%j"]
        self.status_topic = status_topic.rstrip("+")
        self.deadline = time.monotonic() + seconds

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        # Reading a line has no time limit of its own: ending the process ends it.
        left = max(0.0, self.deadline - time.monotonic())
        self.timer = threading.Timer(left, self.process.kill)
        self.timer.daemon = True
        self.timer.start()
        self.early = []
        for message in self.lines():
            if message["topic"].startswith(self.status_topic):
                return self
            self.early.append(message)
        raise Unanswered(f"no box and no broker answers: {self.process.stderr.read().strip()}")

    def __iter__(self):
        yield from self.early
        for message in self.lines():
            if not message["topic"].startswith(self.status_topic):
                yield message

    def lines(self):
        for line in self.process.stdout:
            yield json.loads(line)

    def __exit__(self, *_):
        self.timer.cancel()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def correlation(message):
    return message.get("properties", {}).get("correlation-data")


def show(answer, out=sys.stdout, width=92):
    """Prints an answer as a person would like to read it."""
    text = answer.get("answer") or answer.get("reason") or ""
    label = {"answered": "Answer", "refused": "No answer"}.get(answer["status"], answer["status"])
    write = lambda name, words: print(wrapped(name, words, width), file=out)
    write(label, text)
    if answer.get("answer") and answer.get("reason"):
        write("Note", answer["reason"])
    for citation in answer.get("citations", [])[:2]:
        page = f", page {citation['page']}" if citation.get("page") else ""
        where = f"{citation['title']}, \"{citation['section']}\"{page} ({citation['place']})"
        write("Source", where)
    for reading in answer.get("readings", []):
        write("Reading", json.dumps(reading))
    timing = answer.get("timing_ms", {})
    parts = [f"{timing.get('total', 0) / 1000:.1f} s in all"]
    if timing.get("first_token") is not None:
        parts.append(f"first word after {timing['first_token'] / 1000:.1f} s")
    tokens = answer.get("tokens", {})
    if tokens.get("out"):
        parts.append(f"{tokens['in']} tokens read, {tokens['out']} written")
    write("Time", ", ".join(parts))


def wrapped(name, words, width=92):
    label = f"  {name + ':':<11}"
    return textwrap.fill(words, width, initial_indent=label, subsequent_indent=" " * len(label))


def place(text):
    """US/Iowa/Story as the JSON of the contract."""
    return dict(zip(("country", "region", "district"), text.split("/")))


def main():
    parser = argparse.ArgumentParser(description="Ask an Almanac box over MQTT.")
    parser.add_argument("question")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--user", help="the password is read from ALMANAC_PASSWORD")
    parser.add_argument("--site", default="farm")
    parser.add_argument("--client", default="handheld", help="this client's name in the topics")
    parser.add_argument("--place", type=place, help="COUNTRY[/REGION[/DISTRICT]]; the box's own if open")
    parser.add_argument("--crop")
    parser.add_argument("--stream", action="store_true", help="print words as they come")
    parser.add_argument("--v3", action="store_true", help="speak MQTT 3.1.1 instead of 5")
    parser.add_argument("--json", action="store_true", help="print the answer as it came")
    parser.add_argument("--seconds", type=float, default=60, help="wait at most so long")
    options = parser.parse_args()
    login = (options.user, os.environ.get("ALMANAC_PASSWORD", "")) if options.user else None
    version = 3 if options.v3 else 5
    box = Box(options.host, options.port, options.site, options.client, version, login)
    fields = {"place": options.place, "crop": options.crop}
    fields = {name: value for name, value in fields.items() if value}
    on_part = (lambda text: print(text, end="", flush=True)) if options.stream else None
    try:
        answer = box.ask(options.question, options.seconds, on_part, **fields)
    except (Unanswered, FileNotFoundError, subprocess.TimeoutExpired) as error:
        sys.exit(f"ask.py: {error}")
    if options.stream:
        print()
    if options.json:
        answer.pop("_correlated")
        print(json.dumps(answer, ensure_ascii=False))
    else:
        show(answer)
    sys.exit(0 if answer["status"] in ("answered", "refused") else 1)


if __name__ == "__main__":
    main()
